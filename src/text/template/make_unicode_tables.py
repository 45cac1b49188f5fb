"""Writes unicode_tables.cc: what Python's str methods know of each code point.

The interpreter of chat templates must answer as Python does (str.isalpha, str.upper, repr ...), so
the tables are asked from Python itself. Run with the Python that the goldens are made with:

    python3 src/text/template/make_unicode_tables.py > src/text/template/unicode_tables.cc
"""

import sys
import unicodedata

ALL = [chr(c) for c in range(0x110000)]


def case_ignorable(c):
    cased = c.islower() or c.isupper() or unicodedata.category(c) == "Lt"
    if cased:
        return (c + "\u03a3").lower()[-1] == "\u03c3"
    return ("A\u03a3" + c + "B").lower()[1] == "\u03c3"


PROPERTIES = {
    "Alpha": str.isalpha,
    "Decimal": str.isdecimal,
    "Digit": str.isdigit,
    "Numeric": str.isnumeric,
    "Lower": str.islower,
    "Upper": str.isupper,
    "TitleCase": lambda c: unicodedata.category(c) == "Lt",
    "Printable": str.isprintable,
    "Space": str.isspace,
    "IdentifierStart": str.isidentifier,
    "IdentifierPart": lambda c: ("a" + c).isidentifier(),
    "CaseIgnorable": case_ignorable,
}

MAPPINGS = {
    "ToUpper": (str.upper, lambda c: c),
    "ToLower": (str.lower, lambda c: c),
    "ToTitle": (str.title, str.upper),  # only where it differs from the upper case
    "ToFolded": (str.casefold, str.lower),  # only where it differs from the lower case
}


def rows(items, per_line):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i : i + per_line]))


def literal(text):
    return "".join(c if " " < c < "\x7f" else "\\U%08X" % ord(c) for c in text)


def ranges(test):
    out = []
    for code, c in enumerate(ALL):
        if not test(c):
            continue
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def mapping(function, base):
    """Runs of code points (first, last, stride) with one distance, and the mappings to several."""
    runs, several = [], []
    for code, c in enumerate(ALL):
        to = function(c)
        if to == base(c):
            continue
        if len(to) > 1 or len(base(c)) > 1:
            several.append((code, to))
            continue
        delta = ord(to) - code
        if runs and runs[-1][3] == delta:
            first, last, stride, _ = runs[-1]
            if stride == 0 and code - last in (1, 2):
                runs[-1] = [first, code, code - last, delta]
                continue
            if code - last == stride:
                runs[-1][1] = code
                continue
        runs.append([code, code, 0, delta])
    return [[f, l, s or 1, d] for f, l, s, d in runs], several


def main():
    decimals = ranges(str.isdecimal)
    for first, last in decimals:
        for code in range(first, last + 1):
            assert unicodedata.decimal(chr(code)) == (code - first) % 10, hex(code)
    print("// Written by make_unicode_tables.py (Python %s, Unicode %s): do not edit."
          % (sys.version.split()[0], unicodedata.unidata_version))
    print('#include "text/template/unicode.h"\n')
    print("namespace fathom::jinja {\n")
    for name, test in PROPERTIES.items():
        found = ranges(test)
        print(f"static constexpr CodeRange k{name}Ranges[] = {{")
        rows(["{0x%X, 0x%X}," % (a, b) for a, b in found], 5)
        print("};")
        print(f"const CodeRanges k{name} = {{k{name}Ranges, {len(found)}}};\n")
    for name, (function, base) in MAPPINGS.items():
        runs, several = mapping(function, base)
        print(f"static constexpr CaseRun k{name}Runs[] = {{")
        rows(["{0x%X, 0x%X, %d, %d}," % tuple(r) for r in runs], 4)
        print("};")
        print(f"static constexpr CaseString k{name}Strings[] = {{")
        strings = ['{0x%X, U"%s"},' % (code, literal(to)) for code, to in several]
        rows(strings or ['{0, U""},'], 3)
        print("};")
        print(f"const CaseMap k{name} = {{k{name}Runs, {len(runs)}, k{name}Strings, "
              f"{len(several)}}};\n")
    print("}  // namespace fathom::jinja")


main()
