#include "text/byte_level.h"

#include <array>

#include "base/utf8.h"

namespace fathom {
namespace {

struct Alphabet {
  std::array<char32_t, 256> char_of;
  std::array<std::array<char, 2>, 256> written;  // in UTF-8, the second 0 where there is none
  std::array<int16_t, 512> byte_of;
};

bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

Alphabet MakeAlphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t c = StandsForItself(byte) ? static_cast<char32_t>(byte) : next++;
    alphabet.char_of[static_cast<size_t>(byte)] = c;
    alphabet.byte_of[c] = static_cast<int16_t>(byte);
    std::string utf8;
    AppendUtf8(c, utf8);
    utf8.resize(2, '\0');
    alphabet.written[static_cast<size_t>(byte)] = {utf8[0], utf8[1]};
  }
  return alphabet;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet = MakeAlphabet();
  return alphabet;
}

}  // namespace

char32_t ByteLevelChar(uint8_t byte) { return TheAlphabet().char_of[byte]; }

int ByteOfByteLevelChar(char32_t c) { return c < 512 ? TheAlphabet().byte_of[c] : -1; }

int ByteOfByteToken(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return -1;
  const int high = HexDigit(token[3]);
  const int low = HexDigit(token[4]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

void AppendByteLevel(std::string_view text, std::string& out) {
  const auto& written = TheAlphabet().written;
  for (const char byte : text) {
    const auto& utf8 = written[static_cast<uint8_t>(byte)];
    out += utf8[0];
    if (utf8[1] != '\0') out += utf8[1];
  }
}

bool AppendBytesOfByteLevel(std::string_view token, std::string& out) {
  const size_t before = out.size();
  for (size_t i = 0; i < token.size();) {
    const DecodedCodePoint decoded = DecodeUtf8(token, i);
    const int byte = ByteOfByteLevelChar(decoded.code_point);
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(byte);
    i += static_cast<size_t>(decoded.size_bytes);
  }
  return true;
}

}  // namespace fathom
