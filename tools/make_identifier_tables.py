#!/usr/bin/env python3
"""Writes src/audit/python/identifier_tables.cc: which characters begin and continue a Python name.

Asked of the running Python (3.11: Unicode 14) over every code point beyond ASCII.
"""
import sys
import unicodedata
from pathlib import Path


def ranges(holds):
    found, start = [], None
    for code in range(0x80, 0x110001):
        inside = code < 0x110000 and holds(chr(code))
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            found.append((start, code - 1))
            start = None
    return found


def table(name, rows):
    text = f"const std::array<CodePointRange, {len(rows)}> {name} = {{{{\n"
    line = "   "
    for first, last in rows:
        entry = f" {{0x{first:X}, 0x{last:X}}},"
        if len(line) + len(entry) > 100:
            text += line + "\n"
            line = "   "
        line += entry
    return text + line + "\n}};\n"


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit("make_identifier_tables: run it with Python 3.11, whose tables these are")
    start = table("kStart", ranges(str.isidentifier))
    continued = table("kContinue", ranges(lambda c: ("a" + c).isidentifier()))
    path = Path(__file__).resolve().parents[1] / "src/audit/python/identifier_tables.cc"
    path.write_text(f"""\
// Written by tools/make_identifier_tables.py (Unicode {unicodedata.unidata_version}).
#include <algorithm>
#include <array>

#include "audit/python/tokenizer.h"

namespace fathom {{
namespace {{

struct CodePointRange {{
  char32_t first;
  char32_t last;
}};

// clang-format off
{start}
{continued}// clang-format on

template <size_t kSize>
bool Holds(const std::array<CodePointRange, kSize>& ranges, char32_t code_point) {{
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), code_point,
      [](char32_t value, const CodePointRange& range) {{ return value < range.first; }});
  return after != ranges.begin() && code_point <= (after - 1)->last;
}}

bool IsAsciiLetter(char32_t c) {{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}}

}}  // namespace

bool IsIdentifierStart(char32_t code_point) {{
  return code_point < 0x80 ? IsAsciiLetter(code_point) : Holds(kStart, code_point);
}}

bool IsIdentifierContinue(char32_t code_point) {{
  if (code_point < 0x80) {{
    return IsAsciiLetter(code_point) || (code_point >= '0' && code_point <= '9');
  }}
  return Holds(kContinue, code_point);
}}

}}  // namespace fathom
""", encoding="utf-8")


if __name__ == "__main__":
    main()
