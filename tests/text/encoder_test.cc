// The fast encoder against the reference where goldens are thin: long words, scanners against
// Oniguruma, several threads.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/text/golden.h"
#include "text/byte_level.h"
#include "text/known_patterns.h"
#include "text/models/merge_borders.h"
#include "text/pattern.h"
#include "text/scanners.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_sections.h"

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

std::string RandomCodePoints(Lcg& rng, uint64_t first, uint64_t count, uint64_t length) {
  std::string text;
  for (uint64_t i = 0; i < length; ++i) {
    const auto c = static_cast<char32_t>(first + rng.Below(count));
    AppendUtf8(c >= 0xD800 && c < 0xE000 ? 0xFFFD : c, text);
  }
  return text;
}

// Words of scripts whose merges leave borders, cut there by the fast encoder alone.
TEST(EncoderTest, WordsThatAreCutMergeAlike) {
  const JsonValue texts = ReadGolden("texts.json");
  const std::vector<std::string> fragments = Strings(*texts.Find("fragments"));
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto tokenizer = Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    Lcg rng(47);
    for (int i = 0; i < 3000; ++i) {
      const uint64_t length = 1 + rng.Below(i % 50 == 0 ? 2000 : 60);
      std::string text;
      switch (i % 6) {
        case 0:
          text = RandomCodePoints(rng, 0x4E00, 40, length);
          break;
        case 1:
          text = RandomCodePoints(rng, 0x80, 0x800, length);
          break;
        case 2:
          text = RandomCodePoints(rng, 0x21, 94, length);
          break;
        case 3:
          text = RandomCodePoints(rng, 0x1F600, 60, length);
          break;
        case 4:
          text = RandomCodePoints(rng, 0, 0x110000, length);
          break;
        default:
          for (uint64_t k = 0; k < 1 + length / 8; ++k) {
            std::string part = fragments[rng.Below(fragments.size())];
            std::erase_if(part, [](char c) { return c == ' ' || c == '\n'; });
            text += part;
          }
      }
      for (int again = 0; again < 2; ++again) {
        const auto fast = tokenizer->Encode(text);
        const auto reference = tokenizer->Encode(text, {.use_fast = false});
        ASSERT_TRUE(fast.ok() && reference.ok());
        ASSERT_EQ(*fast, *reference) << EscapeForTerminal(text);
      }
    }
  }
}

// A vocabulary of the letters a, b, c and products of random merges of them, the later ones of
// earlier products: what a border is hangs on what lies far from it.
std::string RandomVocabulary(Lcg& rng, size_t merge_count) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.emplace_back();
    AppendByteLevel(std::string(1, static_cast<char>(byte)), tokens.back());
  }
  std::vector<std::string> parts = {"a", "b", "c"};
  std::string merges;
  for (size_t i = 0; i < merge_count; ++i) {
    const std::string left = parts[rng.Below(parts.size())];
    const std::string right = parts[rng.Below(parts.size())];
    const std::string product = left + right;
    if (product.size() > 40 || std::ranges::find(tokens, product) != tokens.end()) continue;
    tokens.push_back(product);
    parts.push_back(product);
    merges += fmt::format("{}[\"{}\",\"{}\"]", merges.empty() ? "" : ",", left, right);
  }
  std::string vocab;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string token = tokens[i] == "\"" || tokens[i] == "\\" ? "\\" + tokens[i] : tokens[i];
    vocab += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", token, i);
  }
  return fmt::format(
      R"({{"model":{{"type":"BPE","vocab":{{{}}},"merges":[{}]}},"pre_tokenizer":)"
      R"({{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}}}})",
      vocab, merges);
}

TEST(EncoderTest, WordsInWindowsMergeAsWholeOnes) {
  Lcg rng(61);
  const std::string path = ::testing::TempDir() + "windows_tokenizer.json";
  for (int vocabulary = 0; vocabulary < 20; ++vocabulary) {
    std::ofstream(path, std::ios::binary) << RandomVocabulary(rng, 4 + rng.Below(300));
    const auto tokenizer = Tokenizer::OpenFile(path);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    for (int i = 0; i < 40; ++i) {
      const size_t letters = 1 + rng.Below(3), period = i % 3 == 0 ? 1 + rng.Below(40) : SIZE_MAX;
      std::string text;
      const size_t size = 100 + rng.Below(i % 8 == 0 ? 12000 : 1500);
      while (text.size() < size) {
        text += text.size() < period ? static_cast<char>('a' + rng.Below(letters))
                                     : text[text.size() - period];
      }
      const auto fast = tokenizer->Encode(text);
      const auto reference = tokenizer->Encode(text, {.use_fast = false});
      ASSERT_TRUE(fast.ok() && reference.ok());
      ASSERT_EQ(*fast, *reference) << vocabulary << ": " << text;
    }
  }
}

TEST(MergeBordersTest, AskOnlyForWhatAMergeCouldJoin) {
  const auto written = [](std::string_view bytes) {
    std::string out;
    AppendByteLevel(bytes, out);
    return out;
  };
  MergeBorders borders(8);
  borders.Add(written("a"), written("bc"));
  borders.Add(written("xé"), written("中文"));
  borders.Add(written("\xE4\xB8"), written("\xAD"));  // within a character
  borders.Add(written("\x87"), written("!"));         // the last byte of one
  borders.Add(written("?"), written("\xE4\xB8"));     // the first bytes of one
  const auto may_join = [&](std::string_view text, size_t at) {
    const auto* begin = reinterpret_cast<const uint8_t*>(text.data());
    return borders.MayJoin(begin, begin + at, begin + text.size());
  };
  EXPECT_TRUE(may_join("ab", 1));
  EXPECT_TRUE(may_join("zabz", 2));
  EXPECT_FALSE(may_join("ba", 1));
  EXPECT_FALSE(may_join("ac", 1));
  EXPECT_TRUE(may_join("xé中文", 3));
  EXPECT_FALSE(may_join("é中文", 2));  // the token on the left is longer
  EXPECT_FALSE(may_join("zé中文", 3));
  EXPECT_FALSE(may_join("xé中", 3));
  EXPECT_FALSE(may_join("中é", 3));
  EXPECT_FALSE(may_join("a中", 1));
  EXPECT_TRUE(may_join("文!", 3));  // E6 96 87
  EXPECT_TRUE(may_join("?中", 1));  // E4 B8 AD
  EXPECT_FALSE(may_join("?文", 1));
  EXPECT_FALSE(may_join("!文", 1));
}

TEST(DecodeTest, WholeTextsAreWhatTheStreamGives) {
  const JsonValue texts = ReadGolden("texts.json");
  const std::vector<std::string> fragments = Strings(*texts.Find("fragments"));
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto tokenizer = Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    Lcg rng(53);
    for (int i = 0; i < 300; ++i) {
      std::vector<int32_t> ids;
      if (i % 2 == 0) {
        std::string text;
        for (int k = 0; k < 20; ++k) text += RandomText(rng, fragments);
        ids = *tokenizer->Encode(text, {.parse_special = true});
      } else {  // any ids: half characters, ids without a token
        for (int k = 0; k < 200; ++k) {
          ids.push_back(static_cast<int32_t>(rng.Below(tokenizer->id_limit() + 5)) - 2);
        }
      }
      for (const bool skip : {false, true}) {
        StreamDecoder stream(*tokenizer, skip);
        for (const int32_t id : ids) stream.Push(id);
        stream.Finish();
        ASSERT_EQ(tokenizer->Decode(ids, skip), stream.text());
      }
    }
  }
}

// The large members read by themselves, against the general reader: a member's name spelled with
// an escape sends the whole document there.
TEST(SectionsTest, BothReadersGiveTheSame) {
  const auto expect_equal = [](std::string text, const std::string& where) {
    ModelJson sections;
    std::string rest;
    ASSERT_TRUE(ReadModelSections(text, sections, rest)) << where;
    const auto fast = ReadTokenizerJson(text, "test");
    const size_t at = text.find("\"model\"");
    text.replace(at, 7, "\"mod\\u0065l\"");
    ModelJson unused;
    rest.clear();
    ASSERT_FALSE(ReadModelSections(text, unused, rest)) << where;
    const auto general = ReadTokenizerJson(text, "test");
    ASSERT_TRUE(fast.ok() && general.ok()) << where;
    EXPECT_EQ(fast->fields, general->fields);
    EXPECT_EQ(fast->model.fields.Find("type") != nullptr,
              general->model.fields.Find("type") != nullptr);
    ASSERT_EQ(fast->model.vocab.size(), general->model.vocab.size());
    for (size_t i = 0; i < fast->model.vocab.size(); ++i) {
      EXPECT_EQ(fast->model.pool.Get(fast->model.vocab[i].first),
                general->model.pool.Get(general->model.vocab[i].first));
      EXPECT_EQ(fast->model.vocab[i].second, general->model.vocab[i].second);
    }
    ASSERT_EQ(fast->model.merges.size(), general->model.merges.size());
    for (size_t i = 0; i < fast->model.merges.size(); ++i) {
      for (const auto part : {&std::pair<StringPool::Ref, StringPool::Ref>::first,
                              &std::pair<StringPool::Ref, StringPool::Ref>::second}) {
        EXPECT_EQ(fast->model.merge_pool.Get(fast->model.merges[i].*part),
                  general->model.merge_pool.Get(general->model.merges[i].*part));
      }
    }
  };
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    std::ifstream file(GoldenPath(std::string(name) + "/tokenizer.json"), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    expect_equal(text.str(), name);
  }
  expect_equal(R"({"a":[1,{"b":"}"}],"model" : {"type":"BPE","vocab":{ "\u0120\"\\\n":0,
      "\ud83d\ude00é":1, "" :2},"merges":["a b",["c d","e\u0065"]]},"z":"\\\""})",
               "escapes");
}

TEST(SectionsTest, LeaveWhatIsUnusualToTheGeneralReader) {
  for (const char* text : {"",
                           "[]",
                           "{}",
                           R"({"model":[]})",
                           R"({"model":{"vocab":[]}})",
                           R"({"model":{"vocab":{"a":-1},"merges":[]}})",
                           R"({"model":{"vocab":{"a":1.0}}})",
                           R"({"model":{"vocab":{"a":1e3}}})",
                           R"({"model":{"vocab":{"a":01}}})",
                           R"({"model":{"vocab":{"a":1},"vocab":{}}})",
                           R"({"model":{"vocab":{}}},)",
                           R"({"model":{"vocab":{}},"model":{"vocab":{}}})",
                           R"({"model":{"vocab":{"\ud800":1}}})",
                           R"({"model":{"vocab":{"\x":1}}})",
                           R"({"model":{"vocab":{"a":1)",
                           R"({"model":{"vocab":{"a":99999999999}}})",
                           R"({"model":{"vocab":{},"merges":["a"]}})",
                           R"({"model":{"vocab":{},"merges":[["a","b","c"]]}})",
                           R"({"model":{"vocab":{"a)",
                           "{\"model\":{\"vocab\":{\"\x01\":1}}}",
                           "{\"model\":{\"vocab\":{\"\xff\":1}}}"}) {
    ModelJson model;
    std::string rest;
    EXPECT_FALSE(ReadModelSections(text, model, rest)) << EscapeForTerminal(text);
  }
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
