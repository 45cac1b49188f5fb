// The byte-level alphabet of GPT-2: each byte is written as one printable code point.
//
// Source: bytes_char in tokenizers' pre_tokenizers/byte_level.rs (after openai/gpt-2 encoder.py):
//   ! .. ~, U+00A1 .. U+00AC, U+00AE .. U+00FF   stand for themselves
//   the 68 other bytes, ascending                U+0100, U+0101, ...
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

char32_t ByteLevelChar(uint8_t byte);
// The byte that a code point writes, or -1 where it is none of the 256.
int ByteOfByteLevelChar(char32_t c);

// The byte that a byte-fallback token <0x00> .. <0xFF> writes, or -1 where it is no such token. Two
// hex digits exactly, where tokenizers also takes a sign: no file has one.
int ByteOfByteToken(std::string_view token);

// Appends the bytes of `text`, each as its code point in UTF-8.
void AppendByteLevel(std::string_view text, std::string& out);

// Appends the bytes that a byte-level token writes. False (and nothing appended) where one of its
// code points writes no byte.
bool AppendBytesOfByteLevel(std::string_view token, std::string& out);

}  // namespace fathom
