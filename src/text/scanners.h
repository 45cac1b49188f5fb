// Hand-written scanners for the patterns of text/known_patterns.h: Next returns the end of the
// match that begins at p. Every code point is covered by one of a pattern's alternatives, so the
// matches follow each other without gaps. Texts are valid UTF-8.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "text/unicode.h"

namespace fathom {

// The classes of ASCII, and of the rest through the two-stage table.
class ScanClasses {
 public:
  ScanClasses() : table_(Unicode().scan_classes) {
    for (uint32_t c = 0; c < 128; ++c) ascii_[c] = table_[c];
  }
  struct Found {
    uint8_t scan_class;
    uint8_t size_bytes;
  };
  // The code point at p.
  Found At(const uint8_t* p) const {
    if (*p < 0x80) return {ascii_[*p], 1};
    return Beyond(p);
  }
  // The end of the run of code points of the class that begins at p.
  template <uint8_t kClass>
  const uint8_t* SkipRun(const uint8_t* p, const uint8_t* end) const {
    while (p < end) {
      const Found found = At(p);
      if (found.scan_class != kClass) break;
      p += found.size_bytes;
    }
    return p;
  }
  // SkipRun<kScanLetter>, eight ASCII letters at a time.
  const uint8_t* SkipLetters(const uint8_t* p, const uint8_t* end) const {
    while (end - p >= 8) {
      const int letters = CountAsciiLetters(p);
      p += letters;
      if (letters == 8) continue;
      if (*p < 0x80) return p;
      const Found found = Beyond(p);
      if (found.scan_class != kScanLetter) return p;
      p += found.size_bytes;
    }
    return SkipRun<kScanLetter>(p, end);
  }

 private:
  // How many of the eight bytes at p are ASCII letters before the first that is none.
  static int CountAsciiLetters(const uint8_t* p) {
    static_assert(std::endian::native == std::endian::little);
    constexpr uint64_t kOnes = 0x0101010101010101;
    uint64_t bytes;
    std::memcpy(&bytes, p, 8);
    const uint64_t low = (bytes | 0x20 * kOnes) & 0x7F * kOnes;
    const uint64_t from_a = low + (0x80 - 'a') * kOnes;
    const uint64_t beyond_z = low + (0x7F - 'z') * kOnes;
    const uint64_t other = (~(from_a & ~beyond_z) | bytes) & 0x80 * kOnes;
    return other == 0 ? 8 : std::countr_zero(other) / 8;
  }
  Found Beyond(const uint8_t* p) const {
    const ValidCodePoint found = DecodeValidUtf8(p);
    return {table_[found.code_point], static_cast<uint8_t>(found.size_bytes)};
  }

  const CodePointTable<uint8_t>& table_;
  uint8_t ascii_[128];
};

// \s+(?!\S)|\s+ at p, which is white space: all of a run at the end of the text, a run without its
// last code point before anything else, or the one code point there is.
inline const uint8_t* ScanSpaces(const ScanClasses& classes, const uint8_t* p, const uint8_t* end) {
  const uint8_t* last = p;
  const uint8_t* q = p;
  while (q < end) {
    const ScanClasses::Found found = classes.At(q);
    if (found.scan_class != kScanSpace) return last == p ? q : last;
    last = q;
    q += found.size_bytes;
  }
  return end;
}

// kGpt2Pattern.
struct Gpt2Scanner {
  static const uint8_t* Next(const ScanClasses& classes, const uint8_t* p, const uint8_t* end) {
    if (*p == '\'') {
      const ptrdiff_t length = Contraction(p, end);
      if (length > 0) return p + length;
    }
    const uint8_t* q = p + (*p == ' ');  // " ?"
    if (q < end) {
      const ScanClasses::Found found = classes.At(q);
      switch (found.scan_class) {
        case kScanLetter:
          return classes.SkipLetters(q, end);
        case kScanNumber:
          return classes.SkipRun<kScanNumber>(q + found.size_bytes, end);
        case kScanOther:
          return classes.SkipRun<kScanOther>(q + found.size_bytes, end);
        default:
          break;
      }
    }
    return ScanSpaces(classes, p, end);
  }

 private:
  static ptrdiff_t Contraction(const uint8_t* p, const uint8_t* end) {
    if (end - p < 2) return 0;
    const uint8_t a = p[1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (end - p < 3) return 0;
    const uint8_t b = p[2];
    const bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return two ? 3 : 0;
  }
};

// kLlama3Pattern (kMaxDigits = 3) and kQwen2Pattern (1).
template <int kMaxDigits>
struct Cl100kScanner {
  static const uint8_t* Next(const ScanClasses& classes, const uint8_t* p, const uint8_t* end) {
    if (*p == '\'') {
      const ptrdiff_t length = Contraction(p, end);
      if (length > 0) return p + length;
    }
    const ScanClasses::Found first = classes.At(p);
    if (first.scan_class == kScanLetter) return classes.SkipLetters(p, end);
    if (first.scan_class == kScanNumber) return Digits(classes, p + first.size_bytes, end);
    // [^\r\n\p{L}\p{N}]?\p{L}+
    const uint8_t* second = p + first.size_bytes;
    const int second_class = second < end ? int{classes.At(second).scan_class} : int{kScanSpace};
    if (second_class == kScanLetter && *p != '\r' && *p != '\n') {
      return classes.SkipLetters(second, end);
    }
    // " ?[^\s\p{L}\p{N}]+[\r\n]*"
    if (first.scan_class == kScanOther || (*p == ' ' && second_class == kScanOther)) {
      const uint8_t* q = classes.SkipRun<kScanOther>(second, end);
      while (q < end && (*q == '\r' || *q == '\n')) ++q;
      return q;
    }
    return Spaces(classes, p, end);
  }

 private:
  static const uint8_t* Digits(const ScanClasses& classes, const uint8_t* p, const uint8_t* end) {
    for (int i = 1; i < kMaxDigits && p < end; ++i) {
      const ScanClasses::Found found = classes.At(p);
      if (found.scan_class != kScanNumber) break;
      p += found.size_bytes;
    }
    return p;
  }
  // \s*[\r\n]+ : the run up to its last line break; else ScanSpaces.
  static const uint8_t* Spaces(const ScanClasses& classes, const uint8_t* p, const uint8_t* end) {
    const uint8_t* after_break = nullptr;
    for (const uint8_t* q = p; q < end;) {
      const ScanClasses::Found found = classes.At(q);
      if (found.scan_class != kScanSpace) break;
      q += found.size_bytes;
      if (q[-1] == '\r' || q[-1] == '\n') after_break = q;
    }
    return after_break != nullptr ? after_break : ScanSpaces(classes, p, end);
  }
  // (?i:'s|'t|'re|'ve|'m|'ll|'d): the only other code point that folds to one of the letters is
  // U+017F, the long s.
  static ptrdiff_t Contraction(const uint8_t* p, const uint8_t* end) {
    if (end - p < 2) return 0;
    const uint8_t a = p[1] | 0x20;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (end - p < 3) return 0;
    if (p[1] == 0xC5 && p[2] == 0xBF) return 3;
    const uint8_t b = p[2] | 0x20;
    const bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return two ? 3 : 0;
  }
};

}  // namespace fathom
