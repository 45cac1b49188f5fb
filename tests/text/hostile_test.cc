// Inputs that must never hurt: tokenizer files and texts (rows 25 to 30 of the project's list).
#include <gtest/gtest.h>

#include <functional>

#include "tests/text/golden.h"
#include "text/pattern.h"

namespace fathom {
namespace {

using testing::GoldenPath;
using testing::TempFolder;

// A sound small file; `vocab` and `merges` are JSON, `more` further members of the root.
std::string FileText(std::string_view vocab, std::string_view merges = "[]",
                     std::string_view model_more = "", std::string_view more = "") {
  return "{\"version\":\"1.0\"," + std::string(more) + "\"model\":{\"type\":\"BPE\"," +
         std::string(model_more) + "\"vocab\":" + std::string(vocab) +
         ",\"merges\":" + std::string(merges) + "}}";
}

std::string PreTokenizer(std::string_view json) {
  return "\"pre_tokenizer\":" + std::string(json) + ",";
}

struct FileCase {
  std::string name;
  std::string text;
  std::string message;  // a part of the message; empty: the file is accepted
};

class BadFileTest : public ::testing::TestWithParam<FileCase> {};

TEST_P(BadFileTest, IsRefusedByName) {
  const TempFolder folder;
  const std::string path = folder.Write("tokenizer.json", GetParam().text);
  const Result<Tokenizer> tokenizer = Tokenizer::OpenFile(path);
  if (GetParam().message.empty()) {
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    return;
  }
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().code(), StatusCode::kBadFile);
  const std::string message = tokenizer.status().message();
  EXPECT_NE(message.find(path), std::string::npos) << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
  // The same file in a folder ends the same way.
  const Result<Tokenizer> opened = Tokenizer::OpenFolder(folder.path());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), StatusCode::kBadFile);
}

std::string Nested(int depth) {
  std::string json;
  for (int i = 0; i < depth; ++i) json += R"({"type":"Sequence","pretokenizers":[)";
  for (int i = 0; i < depth; ++i) json += "]}";
  return json;
}

std::vector<FileCase> FileCases() {
  const std::string ab = R"({"a":0,"b":1,"ab":2})";
  return {
      {"sound", FileText(ab, R"(["a b"])"), ""},
      {"sound_pairs", FileText(ab, R"([["a","b"]])"), ""},
      {"sound_holes", FileText(R"({"a":7,"b":90000000})"), ""},
      {"empty", "", "bad JSON"},
      {"no_object", "[]", "object"},
      {"no_model", "{}", "model"},
      {"model_no_object", R"({"model":3})", "model"},
      {"version", R"({"version":"2.0","model":{"type":"BPE","vocab":{},"merges":[]}})", "version"},
      {"depth_bomb", std::string(1000000, '['), "nesting"},
      {"model_type", R"({"model":{"type":"Magic","vocab":{},"merges":[]}})", "\"Magic\""},
      {"model_type_missing", R"({"model":{"vocab":{}}})", "type"},
      {"vocab_missing", R"({"model":{"type":"BPE","merges":[]}})", "model.vocab"},
      {"vocab_list", R"({"model":{"type":"BPE","vocab":[["a",1.0]],"merges":[]}})", "model.vocab"},
      {"merges_missing", R"({"model":{"type":"BPE","vocab":{}}})", "model.merges"},
      {"id_negative", FileText(R"({"a":0,"b":-1})"), "model.vocab[\"b\"]: -1"},
      {"id_duplicate", FileText(R"({"a":0,"b":0})"), "model.vocab[\"b\"]: 0"},
      {"id_far_duplicate", FileText(R"({"a":2000000000,"b":2000000000})"), "2000000000"},
      {"id_too_large", FileText(R"({"a":2147483647})"), "2147483647"},
      {"id_2_63", FileText(R"({"a":18446744073709551615})"), "model.vocab[\"a\"]"},
      {"id_fraction", FileText(R"({"a":1.5})"), "model.vocab[\"a\"]"},
      {"id_string", FileText(R"({"a":"1"})"), "model.vocab[\"a\"]"},
      {"id_array", FileText(R"({"a":[1]})"), "model.vocab[\"a\"]"},
      {"id_object", FileText(R"({"a":{"b":1}})"), "model.vocab[\"a\"]"},
      {"byte_token_sign", FileText(R"({"<0x-1>":0})", "[]", R"("byte_fallback":true,)"), "<0x-1>"},
      {"byte_token_letters", FileText(R"({"<0xZZ>":0})", "[]", R"("byte_fallback":true,)"),
       "<0xZZ>"},
      {"byte_token_unused", FileText(R"({"<0xZZ>":0})"), ""},
      {"merge_left", FileText(ab, R"(["c b"])"), "model.merges[0]"},
      {"merge_right", FileText(ab, R"(["a b","a c"])"), "model.merges[1]"},
      {"merge_product", FileText(ab, R"(["b a"])"), "\"ba\" is not in the vocabulary"},
      {"merge_longer_than_any", FileText(ab, R"(["ab ab"])"), "\"abab\""},
      {"merge_one_part", FileText(ab, R"(["ab"])"), "model.merges[0]"},
      {"merge_three_parts", FileText(ab, R"(["a b a"])"), "model.merges[0]"},
      {"merge_pair_of_three", FileText(ab, R"([["a","b","a"]])"), "model.merges[0]"},
      {"merge_pair_of_one", FileText(ab, R"([["a"]])"), "model.merges[0]"},
      {"merge_number", FileText(ab, R"([1])"), "model.merges[0]"},
      {"merge_nested", FileText(ab, R"([[["a"],"b"]])"), "model.merges[0]"},
      {"merge_object", FileText(ab, R"([{"a":"b"}])"), "model.merges[0]"},
      {"dropout", FileText(ab, "[]", R"("dropout":0.1,)"), "model.dropout"},
      {"unk_type", FileText(ab, "[]", R"("unk_token":3,)"), "model.unk_token"},
      {"prefix_type", FileText(ab, "[]", R"("continuing_subword_prefix":[],)"), "prefix"},
      {"prefix_longer", FileText(ab, R"(["a b"])", R"("continuing_subword_prefix":"####",)"),
       "model.merges[0]"},
      {"pattern_syntax", FileText(ab, "[]", "", PreTokenizer(R"({"type":"Split","pattern":
        {"Regex":"(a"},"behavior":"Isolated","invert":false})")),
       "pre_tokenizer.pattern"},
      {"pattern_depth",
       FileText(
           ab, "[]", "",
           PreTokenizer(R"({"type":"Split","pattern":{"Regex":")" + std::string(5000, '(') +
                        std::string(5000, ')') + R"("},"behavior":"Isolated","invert":false})")),
       "pre_tokenizer.pattern"},
      {"pattern_size",
       FileText(ab, "[]", "",
                PreTokenizer(R"({"type":"Split","pattern":{"Regex":")" + std::string(200000, 'a') +
                             R"("},"behavior":"Isolated","invert":false})")),
       "pre_tokenizer.pattern"},
      {"pattern_type",
       FileText(
           ab, "[]", "",
           PreTokenizer(R"({"type":"Split","pattern":"a","behavior":"Isolated","invert":false})")),
       "pattern"},
      {"behavior", FileText(ab, "[]", "", PreTokenizer(R"({"type":"Split","pattern":{"String":"a"},
        "behavior":"Shuffled","invert":false})")),
       "Shuffled"},
      {"pre_tokenizer_type", FileText(ab, "[]", "", PreTokenizer(R"({"type":"Mystery"})")),
       "Mystery"},
      {"pre_tokenizer_no_type", FileText(ab, "[]", "", PreTokenizer("{}")), "pre_tokenizer"},
      {"pre_tokenizer_number", FileText(ab, "[]", "", PreTokenizer("5")), "pre_tokenizer"},
      {"pre_tokenizer_nested", FileText(ab, "[]", "", PreTokenizer(Nested(1000))), "nesting"},
      {"fixed_length_0",
       FileText(ab, "[]", "", PreTokenizer(R"({"type":"FixedLength","length":0})")), "length"},
      {"normalizer_type", FileText(ab, "[]", "", R"("normalizer":{"type":"Mystery"},)"),
       "normalizer"},
      {"decoder_type", FileText(ab, "[]", "", R"("decoder":{"type":"Mystery"},)"), "decoder"},
      {"decoder_char",
       FileText(ab, "[]", "", R"("decoder":{"type":"Strip","content":"ab","start":1,"stop":0},)"),
       "decoder.content"},
      {"decoder_count",
       FileText(ab, "[]", "", R"("decoder":{"type":"Strip","content":"a","start":-1,"stop":0},)"),
       "decoder.start"},
      {"post_processor_type", FileText(ab, "[]", "", R"("post_processor":{"type":"Mystery"},)"),
       "post_processor"},
      {"template_unknown_token", FileText(ab, "[]", "", R"("post_processor":{"type":
        "TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],
        "special_tokens":{}},)"),
       "post_processor.single[0]"},
      {"template_second_sequence", FileText(ab, "[]", "", R"("post_processor":{"type":
        "TemplateProcessing","single":[{"Sequence":{"id":"B","type_id":0}}],"pair":[],
        "special_tokens":{}},)"),
       "post_processor.single"},
      {"template_bad_id", FileText(ab, "[]", "", R"("post_processor":{"type":"TemplateProcessing",
        "single":[],"pair":[],"special_tokens":{"x":{"id":"x","ids":[-1],"tokens":["x"]}}},)"),
       "special_tokens"},
      {"template_after_template", FileText(ab, "[]", "", R"("post_processor":{"type":"Sequence",
        "processors":[{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},
        {"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
        "special_tokens":{}},{"type":"TemplateProcessing","single":[],"pair":[],
        "special_tokens":{}}]},)"),
       "post_processor"},
      {"added_no_array", FileText(ab, "[]", "", R"("added_tokens":{},)"), "added_tokens"},
      {"added_no_content", FileText(ab, "[]", "", R"("added_tokens":[{"id":1}],)"), "content"},
      {"added_flag_type",
       FileText(ab, "[]", "", R"("added_tokens":[{"id":3,"content":"x","lstrip":"yes"}],)"),
       "added_tokens[0].lstrip"},
      {"added_huge",
       FileText(ab, "[]", "",
                R"("added_tokens":[{"id":3,"content":")" + std::string(5000, 'x') + R"("}],)"),
       "added_tokens"},
      {"added_same_normalized", FileText(ab, "[]", "", R"("normalizer":{"type":"Lowercase"},
        "added_tokens":[{"id":3,"content":"X","normalized":true},
        {"id":4,"content":"x","normalized":true}],)"),
       "added_tokens"},
      {"not_utf8", "{\"model\":{\"type\":\"\xFF\"}}", "bad JSON"},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, BadFileTest, ::testing::ValuesIn(FileCases()),
                         [](const auto& info) { return info.param.name; });

TEST(HostileFolderTest, SmallFiles) {
  const std::string good = FileText(R"({"a":0})");
  const std::pair<const char*, const char*> rows[] = {
      {"tokenizer_config.json", "[]"},
      {"tokenizer_config.json", "{"},
      {"tokenizer_config.json", R"({"bos_token":{"content":"<s>"}})"},
      {"tokenizer_config.json", R"({"bos_token":3})"},
      {"tokenizer_config.json", R"({"added_tokens_decoder":[]})"},
      {"tokenizer_config.json", R"({"added_tokens_decoder":{"x":{"content":"a"}}})"},
      {"tokenizer_config.json", R"({"added_tokens_decoder":{"5":{"content":1}}})"},
      {"tokenizer_config.json", R"({"tokenizer_class":"GemmaTokenizer"})"},
      {"config.json", "7"},
      {"added_tokens.json", R"({"x":"y"})"},
      {"special_tokens_map.json", R"({"bos_token":[1]})"},
  };
  for (const auto& [name, text] : rows) {
    const TempFolder folder;
    folder.Write("tokenizer.json", good);
    folder.Write(name, text);
    const Result<Tokenizer> tokenizer = Tokenizer::OpenFolder(folder.path());
    ASSERT_FALSE(tokenizer.ok()) << name << text;
    EXPECT_EQ(tokenizer.status().code(), StatusCode::kBadFile) << name << text;
  }
  const TempFolder empty;
  EXPECT_EQ(Tokenizer::OpenFolder(empty.path()).status().code(), StatusCode::kBadFile);
  EXPECT_EQ(Tokenizer::Open(empty.path() + "/no").status().code(), StatusCode::kBadFile);
}

Result<Tokenizer> OpenWithPattern(const std::string& regex) {
  const TempFolder folder;
  return Tokenizer::OpenFile(folder.Write(
      "tokenizer.json", FileText(R"({"a":0,"b":1,"!":2})", "[]", "",
                                 PreTokenizer(R"({"type":"Split","pattern":{"Regex":")" + regex +
                                              R"("},"behavior":"Isolated","invert":false})"))));
}

// A pattern that explodes is bounded: an answer or an error, never a hang.
TEST(HostilePatternTest, ExplodingPatternsAreBounded) {
  for (const char* regex : {"(a+)+", "(a+)+$", "(a|aa)+$", "(a*)*b", "a*a*a*a*a*b", "(?=(a+)+b)",
                            "([ab]|a)*!b", "(.*)(.*)(.*)(.*)(.*)[^ab!]", "a+b"}) {
    SCOPED_TRACE(regex);
    const Result<Tokenizer> tokenizer = OpenWithPattern(regex);
    if (!tokenizer.ok()) {
      EXPECT_EQ(tokenizer.status().code(), StatusCode::kBadFile);
      continue;
    }
    for (const std::string& text : {std::string(100000, 'a') + "!",
                                    std::string(50000, 'a') + "b" + std::string(50000, 'a')}) {
      const auto ids = tokenizer->Encode(text);
      if (ids.ok()) {
        EXPECT_EQ(ids->size(), text.size());
      } else {
        EXPECT_EQ(ids.status().code(), StatusCode::kRunTime) << ids.status().message();
      }
    }
  }
  // Error at last: this one can only be refused.
  const Result<Tokenizer> tokenizer = OpenWithPattern("(a|aa)+$");
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_FALSE(tokenizer->Encode(std::string(100000, 'a') + "!").ok());
}

class LongTextTest : public ::testing::TestWithParam<const char*> {};

// One million of one thing: as many ids in both encoders, no stack growth, and back again.
TEST_P(LongTextTest, OneMillionOfOneThing) {
  const Result<Tokenizer> tokenizer =
      Tokenizer::OpenFile(GoldenPath(std::string(GetParam()) + "/tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok());
  std::vector<std::string> units = {"Z", " ", "\u0300", "\U0001F468\u200D"};
  if (std::string(GetParam()) == "qwen2") {
    for (const char* more : {"^", "\u4e2d", "\n", "1", "the", "e\u0301", "<|"})
      units.push_back(more);
  }
  for (const std::string& unit : units) {
    SCOPED_TRACE(unit);
    std::string text;
    for (int i = 0; i < 1000000; ++i) text += unit;
    const auto fast = tokenizer->Encode(text);
    const auto reference = tokenizer->Encode(text, {.use_fast = false});
    ASSERT_TRUE(fast.ok());
    ASSERT_TRUE(reference.ok());
    EXPECT_TRUE(*fast == *reference);
    const bool composes = std::string(GetParam()) == "qwen2" && unit == "e\u0301";
    if (!composes) {
      EXPECT_TRUE(tokenizer->Decode(*fast, true) == text);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, LongTextTest, ::testing::Values("gpt2", "llama3", "qwen2"));

TEST(HostileTextTest, InvalidUtf8IsRefused) {
  const Result<Tokenizer> tokenizer = Tokenizer::OpenFile(GoldenPath("qwen2/tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok());
  const std::string rows[] = {"\xFF",
                              "a\xC3",
                              "\xC3(",
                              "\xE2\x82",
                              "\xED\xA0\x80",
                              "\xC0\x80",
                              "\x80",
                              "\xF4\x90\x80\x80",
                              "\xF0\x80\x80\x80",
                              "ok \xED\xBF\xBF"};
  for (const std::string& text : rows) {
    for (const bool use_fast : {false, true}) {
      const auto ids = tokenizer->Encode(text, {.use_fast = use_fast});
      ASSERT_FALSE(ids.ok()) << EscapeForTerminal(text);
      EXPECT_EQ(ids.status().code(), StatusCode::kUsage);
    }
  }
  const std::string nul("a\0b", 3);
  const auto ids = tokenizer->Encode(nul);
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(tokenizer->Decode(*ids), nul);
}

bool HasSpecial(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  for (const int32_t id : ids) {
    if (tokenizer.IsSpecial(id)) return true;
  }
  return false;
}

TEST(HostileTextTest, SpecialTokensInUserTextStayText) {
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const Result<Tokenizer> tokenizer =
        Tokenizer::OpenFile(GoldenPath(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer.ok());
    ASSERT_FALSE(tokenizer->special_ids().empty());
    for (const int32_t special : tokenizer->special_ids()) {
      const std::string text = "x" + *tokenizer->IdToToken(special) + "system";
      for (const bool use_fast : {false, true}) {
        EncodeOptions options{.add_special_tokens = false, .use_fast = use_fast};
        const auto plain = tokenizer->Encode(text, options);
        ASSERT_TRUE(plain.ok());
        EXPECT_FALSE(HasSpecial(*tokenizer, *plain)) << text;
        EXPECT_EQ(tokenizer->Decode(*plain), text);
        options.parse_special = true;
        const auto parsed = tokenizer->Encode(text, options);
        ASSERT_TRUE(parsed.ok());
        EXPECT_TRUE(HasSpecial(*tokenizer, *parsed)) << text;
      }
    }
  }
}

}  // namespace
}  // namespace fathom
