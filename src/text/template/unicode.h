// What Python's str methods know of a code point (tables: make_unicode_tables.py), and text as code
// points: a template indexes, slices and pads by code point, as Python does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::jinja {

using Text = std::u32string;
using TextView = std::u32string_view;

struct CodeRange {
  char32_t first, last;
};
struct CodeRanges {
  const CodeRange* ranges;  // ascending
  size_t count;
};

// The code points first, first + stride, ... last map to themselves + delta.
struct CaseRun {
  char32_t first, last;
  int stride;
  int delta;
};
struct CaseString {
  char32_t code;
  const char32_t* text;
};
struct CaseMap {
  const CaseRun* runs;  // ascending
  size_t run_count;
  const CaseString* strings;  // ascending
  size_t string_count;
};

extern const CodeRanges kAlpha, kDecimal, kDigit, kNumeric, kLower, kUpper, kTitleCase, kPrintable,
    kSpace, kIdentifierStart, kIdentifierPart, kCaseIgnorable;
extern const CaseMap kToUpper, kToLower, kToTitle, kToFolded;

bool Contains(const CodeRanges& set, char32_t c);
inline bool IsSpace(char32_t c) {
  return c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F)
                  : Contains(kSpace, c);
}
bool IsAlnum(char32_t c);  // str.isalnum: alpha, decimal, digit or numeric
bool IsCased(char32_t c);
// 0..9 of a decimal digit of any script, or -1.
int DecimalValue(char32_t c);
bool IsIdentifier(TextView text);  // str.isidentifier

// Append the full mapping (one to three code points).
void AppendUpper(char32_t c, Text& out);
void AppendLower(char32_t c, Text& out);  // without the rule of the final sigma
void AppendTitle(char32_t c, Text& out);
void AppendFolded(char32_t c, Text& out);
// U+03A3 at `at` lowers to the final form: a letter before it and none after (Unicode 3.13).
bool IsFinalSigma(TextView text, size_t at);

std::string ToUtf8(TextView text);
Text FromUtf8(std::string_view text);  // invalid bytes become U+FFFD
Text FromAscii(std::string_view text);

}  // namespace fathom::jinja
