#include <gtest/gtest.h>

#include "tests/text/golden.h"

namespace fathom {
namespace {

using testing::GoldenPath;
using testing::Lcg;
using testing::ReadGolden;
using testing::TempFolder;

// Pushes ids one by one; every piece is whole UTF-8, and together they are Decode of all.
void ExpectStream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip) {
  StreamDecoder decoder(tokenizer, skip);
  std::string all;
  for (const int32_t id : ids) {
    const std::string piece = decoder.Push(id);
    EXPECT_TRUE(IsValidUtf8(piece));
    all += piece;
    EXPECT_EQ(decoder.text(), all);
  }
  const std::string rest = decoder.Finish();
  EXPECT_TRUE(IsValidUtf8(rest));
  all += rest;
  EXPECT_EQ(decoder.text(), all);
  EXPECT_EQ(all, tokenizer.Decode(ids, skip));
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoderTest, PiecesAreWholeAndAddUp) {
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto tokenizer = Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    Lcg rng(3);
    for (int i = 0; i < 300; ++i) {
      std::vector<int32_t> ids(rng.Below(30));
      for (int32_t& id : ids) {
        id = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(tokenizer->id_limit())));
      }
      ExpectStream(*tokenizer, ids, i % 2 == 0);
    }
  }
}

TEST(StreamDecoderTest, EachComponentStreams) {
  const JsonValue golden = ReadGolden("components.json");
  for (const auto& [name, row] : golden.as_object()) {
    if (!row.is_object() || row.Find("tokenizer") == nullptr) continue;
    if (name.find("decoder") == std::string::npos &&
        name.find("byte_fallback") == std::string::npos && name != "end_of_word_suffix") {
      continue;
    }
    SCOPED_TRACE(name);
    JsonValue json = *row.Find("tokenizer");
    if (json.Find("model")->is_string()) json.Set("model", *golden.Find("shared_model"));
    const TempFolder folder;
    const auto tokenizer = Tokenizer::OpenFile(folder.Write("tokenizer.json", WriteJson(json)));
    ASSERT_TRUE(tokenizer.ok());
    Lcg rng(4);
    for (int i = 0; i < 200; ++i) {
      std::vector<int32_t> ids(1 + rng.Below(12));
      for (int32_t& id : ids) {
        id = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(tokenizer->id_limit())));
      }
      ExpectStream(*tokenizer, ids, false);
    }
  }
}

// A character whose bytes come in several tokens appears with its last one.
TEST(StreamDecoderTest, HoldsBackHalfACharacter) {
  const auto tokenizer = Tokenizer::OpenFile(GoldenPath("gpt2/tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok());
  std::vector<int32_t> bytes;
  for (const char* token :
       {"\u0121", "\u00f0", "\u0141", "\u013a", "\u0122"}) {  // 0x7F F0 9F 98 80
    const auto id = tokenizer->TokenToId(token);
    ASSERT_TRUE(id.has_value()) << token;
    bytes.push_back(*id);
  }
  StreamDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.Push(bytes[0]), "\x7F");
  EXPECT_EQ(decoder.Push(bytes[1]), "");
  EXPECT_EQ(decoder.Push(bytes[2]), "");
  EXPECT_EQ(decoder.Push(bytes[3]), "");
  EXPECT_EQ(decoder.Push(bytes[4]), "\U0001F600");
  EXPECT_EQ(decoder.Push(bytes[1]), "");
  EXPECT_EQ(decoder.Finish(), "\uFFFD");
  EXPECT_EQ(decoder.text(), "\x7F\U0001F600\uFFFD");
}

TEST(StreamDecoderTest, IdsWithoutATokenAreNothing) {
  const auto tokenizer = Tokenizer::OpenFile(GoldenPath("gpt2/tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{-1, INT32_MIN, INT32_MAX, 1000000}), "");
  EXPECT_EQ(tokenizer->TokenBytes(-5), "");
  EXPECT_EQ(tokenizer->IdToToken(1 << 30), std::nullopt);
}

TEST(TokenBytesTest, TogetherTheyAreTheText) {
  const std::string text = "Zürich 北京 \U0001F600 it's\n\n  x";
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto tokenizer = Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    const auto ids = tokenizer->Encode(text, {.add_special_tokens = false});
    ASSERT_TRUE(ids.ok());
    std::string bytes;
    for (const int32_t id : *ids) bytes += tokenizer->TokenBytes(id);
    EXPECT_EQ(bytes, text);
  }
}

}  // namespace
}  // namespace fathom
