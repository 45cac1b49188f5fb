// Ids and texts of tokenizers and transformers (tools/make_tokenizer_goldens.py), in both encoders.
#include <gtest/gtest.h>

#include "tests/text/golden.h"

namespace fathom {
namespace {

using testing::Fnv;
using testing::GoldenPath;
using testing::Ids;
using testing::Lcg;
using testing::RandomText;
using testing::ReadGolden;
using testing::Strings;
using testing::TempFolder;

constexpr int kRandomTexts = 3000;
constexpr int kChunk = 100;

std::vector<int32_t> MustEncode(const Tokenizer& tokenizer, const std::string& text,
                                const EncodeOptions& options) {
  Result<std::vector<int32_t>> ids = tokenizer.Encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *std::move(ids) : std::vector<int32_t>();
}

std::vector<std::string> RandomHashes(const Tokenizer& tokenizer,
                                      const std::vector<std::string>& fragments,
                                      const EncodeOptions& options) {
  Lcg rng(7);
  std::vector<std::string> hashes;
  for (int chunk = 0; chunk < kRandomTexts / kChunk; ++chunk) {
    Fnv hash;
    for (int i = 0; i < kChunk; ++i) {
      const std::string text = RandomText(rng, fragments);
      for (const int32_t id : MustEncode(tokenizer, text, options)) {
        hash.Add(static_cast<uint32_t>(id));
      }
      hash.Add(UINT32_MAX);
    }
    hashes.push_back(hash.Hex());
  }
  return hashes;
}

std::vector<std::string> DecodeHashes(const Tokenizer& tokenizer, int64_t id_limit) {
  Lcg rng(9);
  std::vector<std::string> hashes;
  for (int chunk = 0; chunk < 20; ++chunk) {
    Fnv hash;
    for (int i = 0; i < 25; ++i) {
      std::vector<int32_t> ids(1 + rng.Below(20));
      for (int32_t& id : ids) {
        id = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(id_limit)));
      }
      for (const bool skip : {false, true}) hash.Add(tokenizer.Decode(ids, skip) + "\n");
    }
    hashes.push_back(hash.Hex());
  }
  return hashes;
}

std::string Joined(const std::vector<std::string>& hashes) {
  std::string all;
  for (const std::string& hash : hashes) all += hash;
  Fnv joined;
  joined.Add(all);
  return joined.Hex();
}

// The golden holds a list of hashes, or one hash over the list.
void ExpectHashes(const std::vector<std::string>& hashes, const JsonValue& golden,
                  const std::string& what) {
  if (golden.is_string()) {
    EXPECT_EQ(Joined(hashes), golden.as_string()) << what;
  } else {
    EXPECT_EQ(hashes, Strings(golden)) << what;
  }
}

void ExpectGolden(const Tokenizer& tokenizer, const JsonValue& golden,
                  const std::vector<std::string>& texts,
                  const std::vector<std::string>& fragments) {
  EXPECT_EQ(static_cast<int64_t>(tokenizer.vocab_size()), golden.Find("vocab_size")->as_int());
  EXPECT_EQ(tokenizer.id_limit(), golden.Find("id_limit")->as_int());
  const JsonArray& cases = golden.Find("cases")->as_array();
  ASSERT_EQ(cases.size(), texts.size());
  for (const bool use_fast : {false, true}) {
    SCOPED_TRACE(use_fast ? "fast" : "reference");
    EncodeOptions plain{.use_fast = use_fast};
    EncodeOptions parsed{.parse_special = true, .use_fast = use_fast};
    EncodeOptions bare{.add_special_tokens = false, .use_fast = use_fast};
    for (size_t i = 0; i < texts.size(); ++i) {
      SCOPED_TRACE(EscapeForTerminal(texts[i]).substr(0, 200));
      const std::vector<int32_t> ids = Ids(*cases[i].Find("ids"));
      const auto or_ids = [&](const char* name) {
        return cases[i].Find(name) != nullptr ? Ids(*cases[i].Find(name)) : ids;
      };
      EXPECT_EQ(MustEncode(tokenizer, texts[i], plain), ids);
      EXPECT_EQ(MustEncode(tokenizer, texts[i], parsed), or_ids("parsed"));
      EXPECT_EQ(MustEncode(tokenizer, texts[i], bare), or_ids("bare"));
      const JsonValue* decoded = cases[i].Find("decoded");
      if (decoded != nullptr && decoded->is_null()) continue;  // tokenizers panics here
      EXPECT_EQ(tokenizer.Decode(or_ids("parsed"), true),
                decoded != nullptr ? decoded->as_string() : texts[i]);
    }
    ExpectHashes(RandomHashes(tokenizer, fragments, plain), *golden.Find("random_plain"), "plain");
    ExpectHashes(RandomHashes(tokenizer, fragments, parsed), *golden.Find("random_parsed"),
                 "parsed");
  }
  const JsonValue& decode_hashes = *golden.Find("random_decoded");
  const bool panics = decode_hashes.is_string() && decode_hashes.as_string().empty();
  if (!panics) {
    ExpectHashes(DecodeHashes(tokenizer, tokenizer.id_limit()), decode_hashes, "decoded");
  }
}

class GoldenTest : public ::testing::Test {
 protected:
  JsonValue texts_ = ReadGolden("texts.json");
  std::vector<std::string> texts() const { return Strings(*texts_.Find("texts")); }
  std::vector<std::string> fragments() const { return Strings(*texts_.Find("fragments")); }
};

TEST_F(GoldenTest, PublishedShapes) {
  const std::pair<const char*, const char*> rows[] = {
      {"gpt2", "scanner gpt2"}, {"llama3", "scanner llama3"}, {"qwen2", "scanner qwen2"}};
  for (const auto& [name, fast_path] : rows) {
    SCOPED_TRACE(name);
    const Result<Tokenizer> tokenizer =
        Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->fast_path(), fast_path);
    ExpectGolden(*tokenizer, ReadGolden(std::string(name) + ".golden.json"), texts(), fragments());
  }
}

// A base's file with the golden's own pre-tokenizer, and its first added tokens.
Result<Tokenizer> OpenChanged(const std::string& base, const JsonValue& golden,
                              size_t added_count) {
  JsonValue json = *ParseJsonFile(GoldenPath(base + "/tokenizer.json"));
  json.Set("pre_tokenizer", *golden.Find("pre_tokenizer"));
  JsonArray added = json.Find("added_tokens")->as_array();
  added.resize(added_count);
  json.Set("added_tokens", std::move(added));
  const TempFolder folder;
  return Tokenizer::OpenFile(folder.Write("tokenizer.json", WriteJson(json)));
}

// A pattern without a scanner: Oniguruma cuts, the rest is the fast path.
TEST_F(GoldenTest, PatternOfO200k) {
  const JsonValue golden = ReadGolden("o200k.golden.json");
  const Result<Tokenizer> tokenizer = OpenChanged("llama3", golden, 2);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ(tokenizer->fast_path(), "pattern");
  ExpectGolden(*tokenizer, golden, texts(), fragments());
}

// The pre-tokenizer of SmolLM and StarCoder 2.
TEST_F(GoldenTest, DigitsAlone) {
  const JsonValue golden = ReadGolden("digits.golden.json");
  const Result<Tokenizer> tokenizer = OpenChanged("gpt2", golden, 1);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ(tokenizer->fast_path(), "scanner gpt2, digits alone");
  ExpectGolden(*tokenizer, golden, texts(), fragments());
}

TEST_F(GoldenTest, DemoModel) {
  std::string path;
  for (const char* candidate : {"/models/fathom-tales", "/demo/fathom-tales", "/fathom-tales"}) {
    const std::string file = std::string(FATHOM_SOURCE_DIR) + candidate + "/tokenizer.json";
    if (std::filesystem::exists(file)) path = file;
  }
  if (path.empty()) GTEST_SKIP() << "no fathom-tales folder in the repository";
  const Result<Tokenizer> tokenizer = Tokenizer::OpenFile(path);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  ExpectGolden(*tokenizer, ReadGolden("fathom-tales.golden.json"), texts(), fragments());
}

TEST_F(GoldenTest, EachComponent) {
  const JsonValue golden = ReadGolden("components.json");
  const std::vector<std::string> component_texts = Strings(*texts_.Find("component_texts"));
  int count = 0;
  for (const auto& [name, row] : golden.as_object()) {
    if (!row.is_object() || row.Find("tokenizer") == nullptr) continue;
    SCOPED_TRACE(name);
    JsonValue json = *row.Find("tokenizer");
    if (json.Find("model")->is_string()) json.Set("model", *golden.Find("shared_model"));
    const TempFolder folder;
    const Result<Tokenizer> tokenizer =
        Tokenizer::OpenFile(folder.Write("tokenizer.json", WriteJson(json)));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    ExpectGolden(*tokenizer, row, component_texts, fragments());
    ++count;
  }
  EXPECT_GE(count, 60);
}

std::optional<int32_t> OptionalId(const JsonValue& json) {
  if (json.is_null()) return std::nullopt;
  return static_cast<int32_t>(json.as_int());
}

// Writes the folder of a case: the base's files with the case's changes.
void WriteFolder(const JsonValue& row, const TempFolder& folder) {
  const std::string base = row.Find("base")->as_string();
  std::filesystem::copy_file(GoldenPath(base + "/tokenizer.json"),
                             folder.path() + "/tokenizer.json");
  const std::vector<std::string> absent = Strings(*row.Find("absent"));
  const std::vector<std::string> removed = Strings(*row.Find("removed"));
  const JsonValue& files = *row.Find("files");
  for (const std::string name :
       {"tokenizer_config", "config", "special_tokens_map", "added_tokens"}) {
    if (std::find(absent.begin(), absent.end(), name) != absent.end()) continue;
    JsonValue json;
    const std::string golden = GoldenPath(base + "/" + name + ".json");
    if (std::filesystem::exists(golden)) json = *ParseJsonFile(golden);
    const JsonValue* change = files.Find(name);
    if (change != nullptr && name != "tokenizer_config") json = *change;
    if (change != nullptr && name == "tokenizer_config") {
      for (const auto& [key, value] : change->as_object()) json.Set(key, value);
    }
    if (name == "tokenizer_config" && json.is_object()) {
      std::erase_if(json.as_object(), [&](const auto& member) {
        return std::find(removed.begin(), removed.end(), member.first) != removed.end();
      });
    }
    if (!json.is_null()) folder.Write(name + ".json", WriteJson(json));
  }
}

TEST_F(GoldenTest, FoldersAsAutoTokenizer) {
  const JsonValue golden = ReadGolden("folders.json");
  const std::vector<std::string> folder_texts = Strings(*golden.Find("texts"));
  const JsonArray& cases = golden.Find("cases")->as_array();
  EXPECT_GE(cases.size(), 30u);
  for (const JsonValue& row : cases) {
    SCOPED_TRACE(row.Find("name")->as_string());
    const TempFolder folder;
    WriteFolder(row, folder);
    const Result<Tokenizer> tokenizer = Tokenizer::OpenFolder(folder.path());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->class_name(), row.Find("class")->as_string());
    EXPECT_EQ(static_cast<int64_t>(tokenizer->vocab_size()), row.Find("vocab_size")->as_int());
    EXPECT_EQ(tokenizer->bos_id(), OptionalId(*row.Find("bos_id")));
    EXPECT_EQ(tokenizer->eos_id(), OptionalId(*row.Find("eos_id")));
    EXPECT_EQ(tokenizer->pad_id(), OptionalId(*row.Find("pad_id")));
    std::vector<std::pair<std::string, std::string>> special;
    for (const auto& [key, value] : row.Find("special")->as_object()) {
      special.emplace_back(key, value.as_string());
    }
    EXPECT_EQ(tokenizer->special_tokens(), special);
    for (size_t i = 0; i < folder_texts.size(); ++i) {
      SCOPED_TRACE(folder_texts[i]);
      const JsonArray& expected = row.Find("results")->as_array()[i].as_array();
      for (const bool use_fast : {false, true}) {
        EXPECT_EQ(MustEncode(*tokenizer, folder_texts[i], {.use_fast = use_fast}),
                  Ids(expected[0]));
        EXPECT_EQ(
            MustEncode(*tokenizer, folder_texts[i], {.parse_special = true, .use_fast = use_fast}),
            Ids(expected[1]));
      }
      EXPECT_EQ(tokenizer->Decode(Ids(expected[1]), true), expected[2].as_string());
    }
  }
}

}  // namespace
}  // namespace fathom
