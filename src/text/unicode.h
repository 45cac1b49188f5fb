// What a code point is, as Hugging Face tokenizers sees it: its regex engines and Rust's predicates
// follow different Unicode versions, so each has its own flag (tools/make_unicode_tables.py asks
// them).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// In the order of CATEGORIES in tools/make_unicode_tables.py.
enum class GeneralCategory : uint8_t {
  kCn,
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,
  kPe,
  kPi,
  kPf,
  kPo,
  kSm,
  kSc,
  kSk,
  kSo,
  kZs,
  kZl,
  kZp,
  kCc,
  kCf,
  kCo
};
inline constexpr int kGeneralCategoryCount = 29;

// Two letters, as in \p{Lu}.
std::string_view GeneralCategoryName(GeneralCategory category);

// In the order that tools/make_unicode_tables.py prints.
enum CodePointFlag : uint16_t {
  kCombiningMark = 1 << 0,    // the StripAccents normalizer takes it out
  kRegexDigit = 1 << 1,       // Oniguruma's \d
  kRegexHan = 1 << 2,         // Oniguruma's \p{Han}
  kRegexSpace = 1 << 3,       // Oniguruma's \s
  kRegexWord = 1 << 4,        // Oniguruma's \w
  kRustNumeric = 1 << 5,      // char::is_numeric
  kRustPunctuation = 1 << 6,  // the Punctuation pre-tokenizer
  kRustRegexSpace = 1 << 7,   // \s of Rust's regex crate
  kRustSpace = 1 << 8,        // char::is_whitespace
  kRustWord = 1 << 9,         // \w of Rust's regex crate
  kNeedsNfc = 1 << 10,        // a text with such a code point may change under NFC
};

// A function of the code point stored in two stages: pages of 256 values, equal pages stored once.
template <typename Value>
class CodePointTable {
 public:
  static constexpr uint32_t kPageCount = 0x110000 >> 8;
  Value operator[](uint32_t code_point) const {
    return pages_[size_t{index_[code_point >> 8]} << 8 | (code_point & 0xFF)];
  }
  // page: the 256 values of code points page_number * 256 ...
  void SetPage(uint32_t page_number, const std::array<Value, 256>& page);

 private:
  std::array<uint16_t, kPageCount> index_ = {};
  std::vector<Value> pages_;
};

// What the pre-tokenizer patterns of GPT-2, Llama 3 and Qwen 2 tell apart.
enum ScanClass : uint8_t { kScanOther = 0, kScanLetter = 1, kScanNumber = 2, kScanSpace = 3 };

struct UnicodeData {
  CodePointTable<uint16_t> records;  // GeneralCategory | CodePointFlag << 5
  CodePointTable<uint8_t> scan_classes;
  CodePointTable<uint8_t> combining_classes;
};
// Built from the generated runs at the first call (about a millisecond).
const UnicodeData& Unicode();

// The code point at p in text that is known to be valid UTF-8.
struct ValidCodePoint {
  uint32_t code_point;
  uint32_t size_bytes;
};
inline ValidCodePoint DecodeValidUtf8(const uint8_t* p) {
  const uint32_t lead = *p;
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (p[1] & 0x3Fu), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu), 3};
  return {(lead & 7) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu), 4};
}

inline GeneralCategory GeneralCategoryOf(char32_t c) {
  return static_cast<GeneralCategory>(Unicode().records[c] & 31);
}
inline bool HasFlag(char32_t c, CodePointFlag flag) {
  return (Unicode().records[c] >> 5 & flag) != 0;
}

// Calls visit for each run of code points [begin, end) of one record, in order, covering all.
void ForEachRecordRun(
    const std::function<void(uint32_t begin, uint32_t end, uint16_t record)>& visit);

// char::to_lowercase of Rust, appended as UTF-8.
void AppendLowercase(char32_t c, std::string& out);

}  // namespace fathom
