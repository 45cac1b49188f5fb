// UTF-8: validation, decoding, repair, and escaping for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

// One decoded code point and the bytes it took (0 only at the end of the text).
struct DecodedCodePoint {
  char32_t code_point;
  int size_bytes;
  bool valid;  // false: code_point is U+FFFD and size_bytes is 1
};

// Decodes the code point at `offset`; overlong forms, surrogates and > U+10FFFF are invalid.
DecodedCodePoint DecodeUtf8(std::string_view text, size_t offset);

void AppendUtf8(char32_t code_point, std::string& out);

bool IsValidUtf8(std::string_view text);
// Byte offset of the first invalid sequence, or npos.
size_t FindInvalidUtf8(std::string_view text);

// Every maximal invalid part becomes U+FFFD, as Rust's String::from_utf8_lossy and Python's
// errors="replace" do.
std::string RepairUtf8(std::string_view text);

// The number of bytes at the end of `text` that begin a code point which is not complete yet
// (0..3).
size_t IncompleteUtf8Suffix(std::string_view text);

// Control characters (C0, DEL, C1) and invalid bytes as \xNN or \u{NN}, \n as \\n; the rest as it
// is.
std::string EscapeForTerminal(std::string_view text);

}  // namespace fathom
