#!/usr/bin/env python3
"""Writes tests/goldens/python/syntax.json: what ast.parse of CPython 3.11 says of many snippets.

    python3.11 tools/goldens/make_python_syntax.py

The snippets are those of python_snippets.txt beside this file, parted by lines of "---", and the
ones below that no text file holds well. A case is {"source": text} or {"hex": bytes}, with "line"
(from 1) and "reason" where Python refuses it; "unreadable" where it names no line of the text (NUL
bytes, encodings).
tests/audit/syntax_golden_test.cc holds the audit against them.
"""
import ast
import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[1] / "tests" / "goldens" / "python" / "syntax.json"

BYTES = [
    b"", b"\n", b"\n\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbfx = 1\n", b"\xef\xbb\xbf\xef\xbb\xbfx = 1\n",
    b"x = 1", b"x = 1\r\ny = (\r\n2)\r\n", b"x = 1\ry = 2\r", b"x = '''a\r\nb\rc\nd'''\r\nx y\r\n",
    b"if x:\r\n  y\r\n z\r\n", b"x = \\\r\n1\r\n", b"x = 'a\\\r\nb'\r\n", b"x = 'a\rb'\n",
    b"\x0cx = 1\n\x0c\x0c\ny = 2\n", b"if x:\n  \x0cy\n", b"if x:\n  y\n\x0c  z\n", b"x = 1 \x0c + 2\n",
    b"\x0bx = 1\n", b"x = 1\x1a\n", b"\x1a", b"x = 1\x01\n", b"x\xff = 1\n", b"x = '\xff'\n",
    b"\n\nx = '\xe9'\n", b"# \xff\nx = 1\n", b"x = b'\xe9'\n", b"\xff\xfex\x00", b"x\x00 = 1\n",
    b"\x00", b"\x7fELF\x02\x01\x01\x00\x00", b"\x89PNG\r\n\x1a\n\x00\x00",
    b"# coding: latin-1\nx = '\xe9'\n", b"# coding: latin-1\n\xe9 = 1\nx y\n",
    b"# -*- coding: utf-8 -*-\nx = '\xc3\xa9'\n", b"# coding: cp1252\nx = '\x80'\n",
    b"# coding: koi8-r\nx = '\xc1'\n", b"#!x\n# vim: set fileencoding=euc-jp :\nx = '\xa4\xa2'\n",
    b"# coding: shift_jis\nx = '\x83\x5c'\n", b"# coding: gbk\nx = '\xc4\xe3'\n",
    b"# coding: nonsense\nx = 1\n", b"\n# coding: nonsense\n", b"\n\n# coding: nonsense\n",
    b"x = 1\n# coding: nonsense\n", b"'''\n# coding: nonsense\n'''\n", b"# coding: ascii\n'\xe9'\n",
    b"\xef\xbb\xbf# coding: latin-1\n", b"\xef\xbb\xbf# coding: utf-8\nx = 1\n",
    b"# encoding=iso-8859-15\nx = '\xa4'\n", b"# Coding: nonsense\n", b"# coding nonsense\n",
    b"x = 1\t+\t2\n", b"if x:\n\ty\n\tz\n", b"if x:\n    \ty\n\tz\n", b"if x:\n\ty\n    \tz\n",
    b"if x:\n \ty\n\t z\n", b"if x:\n        y\n\tz\n", b"if x:\n\tif y:\n\t\tz\n\tw\n",
    b"if x:\n  if y:\n\tz\n        w\n",
]


def generated():
    """Limits of depth and length, from both sides."""
    for depth in (100, 199, 200, 201, 400):
        yield "(" * depth + "1" + ")" * depth
        yield "[" * depth + "1" + "]" * depth
        yield "f(" * depth + ")" * depth
        yield "{1:" * depth + "1" + "}" * depth
        yield "x\n" + "(" * depth
    for depth in (50, 99, 100, 101):
        yield "".join(" " * i + "if x:\n" for i in range(depth)) + " " * depth + "pass\n"
    for size in (100, 400):
        yield "-" * size + "1"
        yield "not " * size + "x"
        yield "x" + ".y" * size
        yield "+".join("x" * size)
        yield "x if y else " * size + "z"
        yield "if x: pass\n" + "elif y: pass\n" * size
        yield "x = " * size + "1"
        yield "lambda: " * size + "1" if size <= 100 else "x"
    yield "x = " + "1" * 4300
    yield "x = " + "1" * 4301
    yield "x = (\n" + "1_" * 4301 + "1\n\n)"
    yield "x = 0x" + "f" * 5000
    yield "x = 1" + "0" * 5000 + ".5"
    for word in ("if", "else", "and", "or", "in", "is", "not", "for", "import", "x", "andy"):
        yield f"x = 1{word} y"
        yield f"x = [1{word} y]"


def verdict(source):
    case = {"hex": source.hex()} if isinstance(source, bytes) else {"source": source}
    try:
        ast.parse(source)
    except SyntaxError as error:
        case |= {"line": error.lineno, "reason": error.msg} if error.lineno else {"unreadable": True}
    return case


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit("make_python_syntax: run it with Python 3.11")
    warnings.simplefilter("ignore")
    snippets = (HERE / "python_snippets.txt").read_text(encoding="utf-8").rstrip("\n")
    snippets = [text + "\n" for text in snippets.split("\n---\n")]
    cases = [verdict(source) for source in [*snippets, *generated(), *BYTES]]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    version = json.dumps(sys.version.split()[0])
    OUT.write_text(f'{{"python": {version}, "cases": [\n{lines}\n]}}\n')
    refused = sum(1 for case in cases if len(case) > 1)
    print(f"{len(cases)} cases, {refused} refused")


if __name__ == "__main__":
    main()
