// Every code point, against hashes of what tokenizers answers (tools/make_unicode_tables.py).
#include "text/unicode.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/text/golden.h"
#include "text/normal_form.h"
#include "text/unicode_tables.h"

namespace fathom {
namespace {

using testing::Fnv;
using testing::Lcg;
using testing::ReadGolden;

bool IsSurrogate(char32_t c) { return c >= 0xD800 && c < 0xE000; }

std::string ClassHash(const std::function<bool(char32_t)>& test) {
  Fnv hash;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (!IsSurrogate(c) && test(c)) hash.Add(static_cast<uint32_t>(c));
  }
  return hash.Hex();
}

TEST(UnicodeTest, ClassesOfEveryCodePoint) {
  const JsonValue golden = ReadGolden("unicode.json");
  const JsonValue& classes = *golden.Find("classes");
  const std::pair<const char*, CodePointFlag> flags[] = {{"combining_mark", kCombiningMark},
                                                         {"regex_digit", kRegexDigit},
                                                         {"regex_han", kRegexHan},
                                                         {"regex_space", kRegexSpace},
                                                         {"regex_word", kRegexWord},
                                                         {"rust_numeric", kRustNumeric},
                                                         {"rust_punctuation", kRustPunctuation},
                                                         {"rust_regex_space", kRustRegexSpace},
                                                         {"rust_space", kRustSpace},
                                                         {"rust_word", kRustWord}};
  for (const auto& [name, flag] : flags) {
    EXPECT_EQ(ClassHash([&](char32_t c) { return HasFlag(c, flag); }),
              classes.Find(name)->as_string())
        << name;
  }
  for (int i = 0; i < kGeneralCategoryCount; ++i) {
    const auto category = static_cast<GeneralCategory>(i);
    const std::string name = "regex_" + std::string(GeneralCategoryName(category));
    EXPECT_EQ(ClassHash([&](char32_t c) { return GeneralCategoryOf(c) == category; }),
              classes.Find(name)->as_string())
        << name;
  }
}

TEST(UnicodeTest, ScanClassesFollowTheCategories) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    const char first = GeneralCategoryName(GeneralCategoryOf(c))[0];
    const int expected = first == 'L'              ? kScanLetter
                         : first == 'N'            ? kScanNumber
                         : HasFlag(c, kRegexSpace) ? kScanSpace
                                                   : kScanOther;
    ASSERT_EQ(Unicode().scan_classes[c], expected) << static_cast<uint32_t>(c);
  }
}

// The code points that the script draws its random texts from.
std::vector<char32_t> Pool() {
  using namespace unicode_tables;  // NOLINT
  std::set<char32_t> pool;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (Unicode().combining_classes[c] != 0) pool.insert(c);
  }
  pool.insert(kCanonicalKeys, kCanonicalKeys + kCanonicalKeysCount);
  pool.insert(kCompatibleKeys, kCompatibleKeys + kCompatibleKeysCount);
  for (size_t i = 0; i < kCompositionCount; i += 3) {
    pool.insert(
        {static_cast<char32_t>(kComposition[i]), static_cast<char32_t>(kComposition[i + 1])});
  }
  for (char32_t c = 0x1100; c < 0x1200; ++c) pool.insert(c);
  for (char32_t c = 'A'; c <= 'Z'; ++c) pool.insert(c);
  pool.insert({0xAC00, 0xAC01, 0xD7A3, 0xAC1C});
  return {pool.begin(), pool.end()};
}

using Form = std::function<std::string(const std::string&)>;

void ExpectForm(const JsonValue& golden, const std::string& name, const Form& form) {
  const JsonValue& hashes = *golden.Find("forms")->Find(name);
  Fnv each, acute, random;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (IsSurrogate(c) || c == '\n') continue;
    std::string text;
    AppendUtf8(c, text);
    each.Add(form(text) + "\n");
    acute.Add(form(text + "\u0301") + "\n");
  }
  const std::vector<char32_t> pool = Pool();
  Lcg rng(12345);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const uint64_t count = 1 + rng.Below(8);
    for (uint64_t k = 0; k < count; ++k) AppendUtf8(pool[rng.Below(pool.size())], text);
    random.Add(form(text) + "\n");
  }
  EXPECT_EQ(each.Hex(), hashes.Find("each")->as_string()) << name;
  EXPECT_EQ(acute.Hex(), hashes.Find("acute")->as_string()) << name;
  EXPECT_EQ(random.Hex(), hashes.Find("random")->as_string()) << name;
}

TEST(UnicodeTest, NormalFormsOfEveryCodePoint) {
  const JsonValue golden = ReadGolden("unicode.json");
  Fnv pool_hash;
  for (const char32_t c : Pool()) pool_hash.Add(static_cast<uint32_t>(c));
  ASSERT_EQ(pool_hash.Hex(), golden.Find("pool_hash")->as_string());
  const std::pair<const char*, NormalForm> forms[] = {{"NFC", NormalForm::kNfc},
                                                      {"NFD", NormalForm::kNfd},
                                                      {"NFKC", NormalForm::kNfkc},
                                                      {"NFKD", NormalForm::kNfkd}};
  for (const auto& [name, form] : forms) {
    ExpectForm(golden, name, [form = form](const std::string& text) {
      MarkedText marked{text, {}};
      Normalize(form, marked);
      return marked.text;
    });
  }
  ExpectForm(golden, "Lowercase", [](const std::string& text) {
    std::string lower;
    for (size_t i = 0; i < text.size();) {
      const DecodedCodePoint decoded = DecodeUtf8(text, i);
      AppendLowercase(decoded.code_point, lower);
      i += static_cast<size_t>(decoded.size_bytes);
    }
    return lower;
  });
}

TEST(UnicodeTest, QuickCheckNeverMissesAChange) {
  const std::vector<char32_t> pool = Pool();
  Lcg rng(99);
  int sure = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = "x";
    for (uint64_t k = rng.Below(4); k > 0; --k) AppendUtf8(pool[rng.Below(pool.size())], text);
    if (!IsSurelyNfc(text)) continue;
    ++sure;
    MarkedText marked{text, {}};
    Normalize(NormalForm::kNfc, marked);
    ASSERT_EQ(marked.text, text);
  }
  EXPECT_GT(sure, 100);
}

TEST(UnicodeTest, MarksFollowTheirBytes) {
  MarkedText text{"ae\u0301b\u1100\u1161", {}};
  text.marks = {0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0};
  ASSERT_EQ(text.marks.size(), text.text.size());
  Normalize(NormalForm::kNfc, text);
  EXPECT_EQ(text.text, "a\u00e9b\uac00");
  // A composite is trusted where both of its parts are.
  EXPECT_EQ(text.marks, (std::vector<uint8_t>{0, 1, 1, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace fathom
