#include "text/template/html_entities.h"

#include <algorithm>

#include "text/template/heap.h"

namespace fathom::jinja {
namespace {

const TextView* FindEntity(std::string_view name) {
  const HtmlEntity* end = kHtmlEntities + kHtmlEntityCount;
  const HtmlEntity* it = std::lower_bound(
      kHtmlEntities, end, name,
      [](const HtmlEntity& entity, std::string_view n) { return entity.name < n; });
  return it != end && it->name == name ? &it->text : nullptr;
}

// What the HTML standard makes of the references that name a C1 control: Windows-1252.
constexpr char32_t kWindows1252[] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                     0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                     0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

void AppendNumeric(uint64_t code, Text& out) {
  if (code >= 0x80 && code <= 0x9F) {
    out += kWindows1252[code - 0x80];
  } else if (code == 0 || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) {
    out += U'\uFFFD';
  } else if (code == 0x0D) {
    out += U'\r';
  } else {
    const bool invalid = (code < 0x20 && code != '\t' && code != '\n' && code != '\f') ||
                         code == 0x7F || (code >= 0xFDD0 && code <= 0xFDEF) ||
                         (code & 0xFFFE) == 0xFFFE;
    if (!invalid) out += static_cast<char32_t>(code);
  }
}

// &#123; or &#x7B; at `at` (the #). Returns where it ends, or `at` where it is none.
size_t ReadNumeric(TextView text, size_t at, Text& out) {
  size_t digit = at + 1;
  const bool hex = digit < text.size() && (text[digit] | 0x20) == 'x';
  if (hex) ++digit;
  uint64_t code = 0;
  const size_t first = digit;
  for (; digit < text.size(); ++digit) {
    const char32_t c = text[digit];
    const int value = c >= '0' && c <= '9' ? static_cast<int>(c - '0')
                      : hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                          ? static_cast<int>((c | 0x20) - 'a') + 10
                          : -1;
    if (value < 0) break;
    code = std::min<uint64_t>(code * (hex ? 16 : 10) + static_cast<uint64_t>(value), 0x110000);
  }
  if (digit == first) return at;
  AppendNumeric(code, out);
  return digit < text.size() && text[digit] == ';' ? digit + 1 : digit;
}

// The named reference at `at` (after the &): the whole name, or the longest beginning that is one.
size_t ReadNamed(TextView text, size_t at, Text& out) {
  std::string name;
  size_t end = at;
  while (end < text.size() && name.size() < 32 && text[end] < 0x80 &&
         TextView(U"\t\n\f <&#;").find(text[end]) == TextView::npos) {
    name += static_cast<char>(text[end++]);
  }
  if (name.empty()) return at;
  if (end < text.size() && text[end] == ';') name += ';';
  for (size_t size = name.size(); size > 1; --size) {
    if (const TextView* found = FindEntity(std::string_view(name).substr(0, size))) {
      out += *found;
      return at + size;
    }
  }
  return at;
}

}  // namespace

Text UnescapeHtml(TextView text) {
  Text out;
  Heap::Current().StepText(text.size() * 8);
  const Charged room(text.size() * sizeof(char32_t));
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '&' && at + 1 < text.size()) {
      const size_t body = at + 1;
      const size_t end =
          text[body] == '#' ? ReadNumeric(text, body, out) : ReadNamed(text, body, out);
      if (end != body) {
        at = end;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

}  // namespace fathom::jinja
