#include "base/utf8.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace fathom {
namespace {

constexpr DecodedCodePoint kInvalid = {0xFFFD, 1, false};

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length that the first byte promises, with the range that its second byte must lie in
// (Unicode 15, table 3-7). 0: not a first byte.
struct LeadByte {
  int length;
  unsigned char second_low, second_high;
};

LeadByte ClassifyLead(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Bytes from `offset` that belong to the longest valid prefix of a sequence; complete tells whether
// the whole sequence is there.
int PrefixLength(std::string_view text, size_t offset, bool& complete) {
  const LeadByte lead = ClassifyLead(text[offset]);
  complete = false;
  if (lead.length == 0) return 1;
  int count = 1;
  while (count < lead.length && offset + count < text.size()) {
    const unsigned char byte = text[offset + count];
    const bool fits =
        count == 1 ? byte >= lead.second_low && byte <= lead.second_high : IsContinuation(byte);
    if (!fits) return count;
    ++count;
  }
  complete = count == lead.length;
  return count;
}

}  // namespace

DecodedCodePoint DecodeUtf8(std::string_view text, size_t offset) {
  if (offset >= text.size()) return {0, 0, false};
  bool complete = false;
  const int length = PrefixLength(text, offset, complete);
  if (!complete) return kInvalid;
  const auto byte = [&](int i) { return static_cast<unsigned char>(text[offset + i]); };
  switch (length) {
    case 1:
      return {byte(0), 1, true};
    case 2:
      return {char32_t((byte(0) & 0x1F) << 6 | (byte(1) & 0x3F)), 2, true};
    case 3:
      return {char32_t((byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3, true};
    default:
      return {char32_t((byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                       (byte(3) & 0x3F)),
              4, true};
  }
}

void AppendUtf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      // ASCII goes on in most texts: eight bytes at a time.
      for (uint64_t word; text.size() - at >= 8; at += 8) {
        std::memcpy(&word, text.data() + at, 8);
        if ((word & 0x8080808080808080u) != 0) break;
      }
      continue;
    }
    bool complete = false;
    const int length = PrefixLength(text, at, complete);
    if (!complete) return at;
    at += length;
  }
  return std::string_view::npos;
}

bool IsValidUtf8(std::string_view text) { return FindInvalidUtf8(text) == std::string_view::npos; }

std::string RepairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    bool complete = false;
    const int length = PrefixLength(text, at, complete);
    if (complete) {
      out.append(text, at, length);
    } else {
      out += "\xEF\xBF\xBD";
    }
    at += length;
  }
  return out;
}

size_t IncompleteUtf8Suffix(std::string_view text) {
  const size_t most = text.size() < 3 ? text.size() : 3;
  for (size_t back = 1; back <= most; ++back) {
    const unsigned char byte = text[text.size() - back];
    if (IsContinuation(byte)) continue;
    bool complete = false;
    const size_t length = PrefixLength(text, text.size() - back, complete);
    return !complete && ClassifyLead(byte).length > 1 && length == back ? back : 0;
  }
  return 0;
}

std::string EscapeForTerminal(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const DecodedCodePoint c = DecodeUtf8(text, at);
    if (!c.valid) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    } else if (c.code_point == '\n') {
      out += "\\n";
    } else if (c.code_point < 0x20 || (c.code_point >= 0x7F && c.code_point < 0xA0)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c.code_point));
    } else {
      out.append(text, at, c.size_bytes);
    }
    at += c.size_bytes;
  }
  return out;
}

}  // namespace fathom
