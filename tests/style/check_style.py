#!/usr/bin/env python3
"""The style in numbers, and the direction of includes, held over the tree.

  - a line has at most 100 columns, a function at most 70 lines, a file under 800 lines (tests and
    generated tables are exempt from the last two);
  - a file of src/ includes its own folder or a folder of a lower level; the levels are those of
    CMakeLists.txt; no backend includes another, no architecture another;
  - no two headers define a type of one name in one namespace: the linker would mix them up;
  - the library never prints and never exits, and nothing uses std::regex;
  - the repository speaks of the project alone.

Prints each breach as FILE:LINE: what, and exits 1 if there is one.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_COLUMNS, MAX_FUNCTION_LINES, MAX_FILE_LINES = 100, 70, 800
CODE = {".cc", ".h", ".cu", ".py", ".sh", ".cmake"}
# Folders of src/ that may print and end the process.
SPEAKS = {"cli", "server"}


def tracked_files():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = (ROOT / name for name in names.split("\0") if name)
    return [f for f in files if f.is_file()]


def folder_levels():
    text = (ROOT / "CMakeLists.txt").read_text()
    return {name: int(level)
            for name, level in re.findall(r"fathom_library\((\w+)\s+LEVEL (\d+)", text)}


def is_generated(path, text):
    fixture = path.parts[-3:-1] == ("audit", "scripts")  # as their users write them
    return "Written by " in text[:400] or "goldens" in path.parts or fixture


def strip_code(line):
    """The line without its strings, character constants and // comment."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    line = re.sub(r"'(\\.|[^'\\])'", "''", line)
    return line.split("//")[0]


def long_functions(lines):
    """(first line, length) of each C++ function body longer than allowed: a block opened at the
    namespace's or a class's level by a line that ends a parameter list."""
    found, stack = [], []
    head = ""
    in_raw = False
    for number, line in enumerate(lines, 1):
        if in_raw:
            in_raw = ')"' not in line
            continue
        if 'R"(' in line and ')"' not in line.split('R"(', 1)[1]:
            in_raw = True
            continue
        code = strip_code(line)
        if code.lstrip().startswith("#"):
            continue
        for char in code:
            if char == "{":
                kind = "function" if re.search(r"\)\s*(const|noexcept|override|final|mutable|"
                                               r"->[^;]*|"
                                               r":[^;]*|\s)*$", head) else "block"
                if re.search(r"\b(namespace|class|struct|enum|union)\b[^;()]*$", head):
                    kind = "scope"
                if "function" in [k for k, _ in stack]:
                    kind = "inner"
                stack.append((kind, number))
                head = ""
            elif char == "}":
                if stack:
                    kind, first = stack.pop()
                    if kind == "function" and number - first + 1 > MAX_FUNCTION_LINES:
                        found.append((first, number - first + 1))
                head = ""
            elif char == ";":
                head = ""
            else:
                head += char
        head += " "
    return found


def check_cpp(path, lines, levels, report):
    relative = path.relative_to(ROOT)
    folder = relative.parts[1] if relative.parts[0] == "src" and len(relative.parts) > 2 else None
    for number, line in enumerate(lines, 1):
        code = strip_code(line)
        if "std::regex" in code:
            report(path, number, "std::regex is banned: it recurses on its input")
        if folder and folder not in SPEAKS and relative.name not in ("status.cc",):
            if re.search(r"\b(printf|puts|exit|_exit|quick_exit)\s*\(|std::c(out|err)\b", code):
                report(path, number, "the library never prints and never exits")
        include = re.match(r'\s*#\s*include "([^"]+)"', line)
        if not include or not folder:
            continue
        target = include.group(1).split("/")
        if target[0] == "fathom" or len(target) == 1:
            continue
        if target[0] not in levels:
            if not include.group(1).startswith(("src/", "tree_sitter")):
                report(path, number, f"includes {include.group(1)}, which is no folder of src/")
            continue
        if folder not in levels:
            report(path, number, f"folder {folder} has no level in CMakeLists.txt")
        elif target[0] != folder and levels[target[0]] >= levels[folder]:
            report(path, number, f"{folder} (level {levels[folder]}) includes {target[0]} "
                                 f"(level {levels[target[0]]}): includes go downward only")
        if folder == "backends" and target[0] == "backends" and len(relative.parts) > 3:
            mine = relative.parts[2]
            if len(target) > 2 and target[1] not in (mine, "common"):
                report(path, number, f"backend {mine} includes backend {target[1]}")


TYPE = re.compile(r"(?:struct|class|enum class)(?: alignas\(\w+\))? (\w+)(?: final)?"
                  r"(?: :[^:;][^;]*)? \{")


def types_of(text):
    """(line, namespace::name) of the types that a header defines outside of other types."""
    namespace, found = "", []
    for number, line in enumerate(text.split("\n"), 1):
        opened = re.match(r"(?:inline )?namespace ([\w:]+) \{", line)
        if opened:
            namespace = opened.group(1)
        defined = TYPE.match(line)
        if defined:
            found.append((number, f"{namespace}::{defined.group(1)}"))
    return found


def main():
    levels = folder_levels()
    breaches = []

    def report(path, number, what):
        breaches.append(f"{path.relative_to(ROOT)}:{number}: {what}")

    files = tracked_files()
    types = {}
    for path in files:
        if path.suffix not in CODE and path.name not in ("CMakeLists.txt", "Makefile"):
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")
        generated = is_generated(path, text)
        test = path.relative_to(ROOT).parts[0] == "tests"
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS and not generated:
                report(path, number, f"{len(line)} columns, at most {MAX_COLUMNS}")
            if line.rstrip() != line and not generated:
                report(path, number, "space at the end of the line")
        if len(lines) > MAX_FILE_LINES and not generated and not test:
            report(path, len(lines), f"{len(lines)} lines, at most {MAX_FILE_LINES}")
        if path.suffix == ".h" and path.relative_to(ROOT).parts[0] in ("src", "include"):
            for number, name in types_of(text):
                if name in types:
                    report(path, number, f"{name} is another type in {types[name]}")
                types[name] = f"{path.relative_to(ROOT)}:{number}"
        if path.suffix in (".cc", ".h"):
            check_cpp(path, lines, levels, report)
            if not test and not generated:
                for first, length in long_functions(lines):
                    report(path, first, f"function of {length} lines, at most {MAX_FUNCTION_LINES}")
    print("\n".join(breaches) if breaches else f"style: {len(files)} files, no breach")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
