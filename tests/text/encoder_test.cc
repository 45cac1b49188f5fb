// The fast encoder against the reference where goldens are thin: long words, scanners against
// Oniguruma, several threads.
#include <gtest/gtest.h>

#include <thread>

#include "tests/text/golden.h"
#include "text/known_patterns.h"
#include "text/pattern.h"
#include "text/scanners.h"

namespace fathom {
namespace {

using testing::GoldenPath;
using testing::Lcg;
using testing::RandomText;
using testing::ReadGolden;
using testing::Strings;

// Words beyond the lengths of every cache and of the short merge, over few and over many symbols.
TEST(EncoderTest, LongWordsMergeAlike) {
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto tokenizer = Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    Lcg rng(21);
    const std::string alphabets[] = {"the", "thein", "aeiouthnrsl", "ab",
                                     "abcdefghijklmnopqrstuvwxyz"};
    for (int i = 0; i < 400; ++i) {
      const std::string& alphabet = alphabets[rng.Below(5)];
      std::string word;
      for (uint64_t k = 1 + rng.Below(i % 10 == 0 ? 3000 : 120); k > 0; --k) {
        word += alphabet[rng.Below(alphabet.size())];
      }
      // Twice: the second time out of the cache.
      for (int again = 0; again < 2; ++again) {
        const auto fast = tokenizer->Encode(word);
        const auto reference = tokenizer->Encode(word, {.use_fast = false});
        ASSERT_TRUE(fast.ok() && reference.ok());
        ASSERT_EQ(*fast, *reference) << word;
      }
    }
  }
}

template <typename Scanner>
void ExpectScannerIsPattern(std::string_view expression) {
  const Result<Pattern> pattern = Pattern::Regex(std::string(expression), "test");
  ASSERT_TRUE(pattern.ok());
  const ScanClasses classes;
  const JsonValue texts = ReadGolden("texts.json");
  const std::vector<std::string> fragments = Strings(*texts.Find("fragments"));
  std::vector<std::string> cases = Strings(*texts.Find("texts"));
  Lcg rng(31);
  for (int i = 0; i < 20000; ++i) cases.push_back(RandomText(rng, fragments));
  // Every code point beside each kind of neighbour.
  for (char32_t c = 0; c < 0x110000; ++c) {
    if ((c >= 0xD800 && c < 0xE000) || (c > 0x3000 && c % 16 != 0)) continue;
    std::string one;
    AppendUtf8(c, one);
    cases.push_back("'" + one + one + " " + one + "a1" + one + "." + one + "\n" + one + " '" + one);
  }
  std::vector<PatternSpan> spans;
  for (const std::string& text : cases) {
    if (text.empty()) continue;
    spans.clear();
    PatternBudget budget = PatternBudget::ForText(text.size());
    ASSERT_TRUE(pattern->FindSpans(text, budget, spans).ok());
    const auto* begin = reinterpret_cast<const uint8_t*>(text.data());
    const uint8_t* p = begin;
    for (const PatternSpan& span : spans) {
      ASSERT_TRUE(span.is_match);
      ASSERT_EQ(static_cast<size_t>(p - begin), span.begin) << EscapeForTerminal(text);
      p = Scanner::Next(classes, p, begin + text.size());
      ASSERT_EQ(static_cast<size_t>(p - begin), span.end) << EscapeForTerminal(text);
    }
    ASSERT_EQ(p, begin + text.size());
  }
}

TEST(ScannerTest, Gpt2) { ExpectScannerIsPattern<Gpt2Scanner>(kGpt2Pattern); }
TEST(ScannerTest, Llama3) { ExpectScannerIsPattern<Cl100kScanner<3>>(kLlama3Pattern); }
TEST(ScannerTest, Qwen2) { ExpectScannerIsPattern<Cl100kScanner<1>>(kQwen2Pattern); }

TEST(EncoderTest, SeveralThreadsShareATokenizer) {
  const auto tokenizer = Tokenizer::OpenFile(GoldenPath("qwen2/tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok());
  const std::vector<std::string> fragments = Strings(*ReadGolden("texts.json").Find("fragments"));
  std::vector<std::thread> threads;
  std::vector<int> failures(4);
  for (size_t t = 0; t < failures.size(); ++t) {
    threads.emplace_back([&, t] {
      Lcg rng(t + 100);
      for (int i = 0; i < 300; ++i) {
        const std::string text = RandomText(rng, fragments);
        const auto fast = tokenizer->Encode(text);
        const auto reference = tokenizer->Encode(text, {.use_fast = false});
        failures[t] += !fast.ok() || !reference.ok() || *fast != *reference;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(4));
}

TEST(PatternTest, ClassesAreWrittenOut) {
  EXPECT_EQ(WithClassesWrittenOut(R"(\d)").substr(0, 20), R"([\x{30}-\x{39}\x{660)");
  EXPECT_EQ(WithClassesWrittenOut(R"(\\d\x{41}[a])"), R"(\\d\x{41}[a])");
  EXPECT_TRUE(WithClassesWrittenOut(R"([^\s])").starts_with(R"([^[\x{9}-\x{d}\x{20}\x{85})"));
  EXPECT_EQ(WithClassesWrittenOut(R"(\p{Greek})"), R"(\p{Greek})");
  EXPECT_TRUE(WithClassesWrittenOut(R"(\P{L})").starts_with(R"([^\x{41}-\x{5a})"));
  EXPECT_EQ(WithClassesWrittenOut(R"(\p{^L})"), WithClassesWrittenOut(R"(\P{L})"));
}

}  // namespace
}  // namespace fathom
