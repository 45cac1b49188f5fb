#include "text/template/unicode.h"

#include <algorithm>

#include "base/utf8.h"

namespace fathom::jinja {
namespace {

const char32_t* FindString(const CaseMap& map, char32_t c) {
  const CaseString* end = map.strings + map.string_count;
  const CaseString* it = std::lower_bound(
      map.strings, end, c, [](const CaseString& s, char32_t code) { return s.code < code; });
  return it != end && it->code == c ? it->text : nullptr;
}

// False where the map leaves the code point alone.
bool AppendMapped(const CaseMap& map, char32_t c, Text& out) {
  const CaseRun* end = map.runs + map.run_count;
  const CaseRun* it = std::upper_bound(
      map.runs, end, c, [](char32_t code, const CaseRun& run) { return code < run.first; });
  // Runs of stride 2 interleave with their neighbours: the one that holds c is among the last two.
  for (int back = 0; back < 3 && it != map.runs; ++back) {
    --it;
    if (c <= it->last && (c - it->first) % it->stride == 0) {
      out += static_cast<char32_t>(static_cast<int64_t>(c) + it->delta);
      return true;
    }
  }
  if (const char32_t* text = FindString(map, c)) {
    out += text;
    return true;
  }
  return false;
}

}  // namespace

bool Contains(const CodeRanges& set, char32_t c) {
  const CodeRange* end = set.ranges + set.count;
  const CodeRange* it = std::upper_bound(
      set.ranges, end, c, [](char32_t code, const CodeRange& range) { return code < range.first; });
  return it != set.ranges && c <= it[-1].last;
}

bool IsAlnum(char32_t c) {
  if (c < 0x80) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  }
  return Contains(kAlpha, c) || Contains(kDecimal, c) || Contains(kDigit, c) ||
         Contains(kNumeric, c);
}

bool IsCased(char32_t c) {
  return Contains(kLower, c) || Contains(kUpper, c) || Contains(kTitleCase, c);
}

int DecimalValue(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  const CodeRange* end = kDecimal.ranges + kDecimal.count;
  const CodeRange* it =
      std::upper_bound(kDecimal.ranges, end, c,
                       [](char32_t code, const CodeRange& range) { return code < range.first; });
  if (it == kDecimal.ranges || c > it[-1].last) return -1;
  return static_cast<int>((c - it[-1].first) % 10);
}

bool IsIdentifier(TextView text) {
  if (text.empty() || !Contains(kIdentifierStart, text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char32_t c) { return Contains(kIdentifierPart, c); });
}

void AppendUpper(char32_t c, Text& out) {
  if (!AppendMapped(kToUpper, c, out)) out += c;
}

void AppendLower(char32_t c, Text& out) {
  if (!AppendMapped(kToLower, c, out)) out += c;
}

void AppendTitle(char32_t c, Text& out) {
  if (!AppendMapped(kToTitle, c, out)) AppendUpper(c, out);
}

void AppendFolded(char32_t c, Text& out) {
  if (!AppendMapped(kToFolded, c, out)) AppendLower(c, out);
}

bool IsFinalSigma(TextView text, size_t at) {
  size_t before = at;
  while (before > 0 && Contains(kCaseIgnorable, text[before - 1])) --before;
  if (before == 0 || !IsCased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && Contains(kCaseIgnorable, text[after])) ++after;
  return after == text.size() || !IsCased(text[after]);
}

std::string ToUtf8(TextView text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      AppendUtf8(c >= 0xD800 && c < 0xE000 ? 0xFFFD : c, out);
    }
  }
  return out;
}

Text FromUtf8(std::string_view text) {
  Text out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      out += static_cast<char32_t>(text[at++]);
      continue;
    }
    const DecodedCodePoint c = DecodeUtf8(text, at);
    out += c.code_point;
    at += c.size_bytes;
  }
  return out;
}

Text FromAscii(std::string_view text) { return Text(text.begin(), text.end()); }

}  // namespace fathom::jinja
