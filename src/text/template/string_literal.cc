#include "text/template/string_literal.h"

#include <fmt/format.h>

namespace fathom::jinja {
namespace {

int HexValue(char32_t c) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return static_cast<int>((c | 0x20) - 'a') + 10;
  return -1;
}

// Reads exactly `count` hex digits at `at`, or sets the problem.
char32_t ReadHex(TextView text, size_t& at, int count, std::string& problem) {
  char32_t value = 0;
  for (int i = 0; i < count; ++i, ++at) {
    const int digit = at < text.size() ? HexValue(text[at]) : -1;
    if (digit < 0) {
      problem = fmt::format("truncated \\{} escape", count == 2   ? "xXX"
                                                     : count == 4 ? "uXXXX"
                                                                  : "UXXXXXXXX");
      return 0;
    }
    value = value * 16 + static_cast<char32_t>(digit);
  }
  if (value > 0x10FFFF) problem = "illegal Unicode character";
  return value;
}

char32_t ReadOctal(TextView text, size_t& at) {
  char32_t value = 0;
  for (int i = 0; i < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i, ++at) {
    value = value * 8 + (text[at] - '0');
  }
  return value;
}

// The one-letter escapes; 0 where `c` is none.
char32_t SimpleEscape(char32_t c) {
  switch (c) {
    case '\\':
    case '\'':
    case '"':
      return c;
    case 'a':
      return 7;
    case 'b':
      return 8;
    case 't':
      return 9;
    case 'n':
      return 10;
    case 'v':
      return 11;
    case 'f':
      return 12;
    case 'r':
      return 13;
    default:
      return 0;
  }
}

}  // namespace

Text UnescapeStringLiteral(TextView text, std::string& problem) {
  Text out;
  for (size_t at = 0; at < text.size() && problem.empty();) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
    if (++at == text.size()) {
      problem = "\\ at end of string";
      break;
    }
    const char32_t c = text[at];
    if (const char32_t simple = SimpleEscape(c)) {
      out += simple;
      ++at;
    } else if (c == '\n') {
      ++at;  // a line that goes on
    } else if (c >= '0' && c <= '7') {
      out += ReadOctal(text, at);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at;
      out += ReadHex(text, at, c == 'x' ? 2 : c == 'u' ? 4 : 8, problem);
    } else if (c == 'N') {
      problem = "\\N{...} escapes are not known here";
    } else if (c < 0x80) {
      out += U'\\';  // an unknown escape stands for itself
      out += c;
      ++at;
    } else {
      // Jinja writes the code point as an escape first; the backslash then takes that one's.
      const std::string escape = c < 0x100     ? fmt::format("\\x{:02x}", static_cast<unsigned>(c))
                                 : c < 0x10000 ? fmt::format("\\u{:04x}", static_cast<unsigned>(c))
                                               : fmt::format("\\U{:08x}", static_cast<unsigned>(c));
      out += FromAscii(escape);
      ++at;
    }
  }
  return out;
}

}  // namespace fathom::jinja
