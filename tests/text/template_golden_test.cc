// The interpreter against the real Jinja: what tools/make_template_goldens.py wrote down.
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "text/chat_template.h"

namespace fathom {
namespace {

const std::string kGoldens = FATHOM_SOURCE_DIR "/tests/goldens/templates/";

TEST(TemplateGoldens, SmallTemplatesRenderAsJinjaRendersThem) {
  auto golden = ParseJsonFile(kGoldens + "expressions.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  std::vector<jinja::Variable> variables;
  for (const auto& [name, value] : golden->Find("variables")->as_object()) {
    variables.push_back({name, &value});
  }
  int compared = 0;
  for (const JsonValue& row : golden->Find("cases")->as_array()) {
    const std::string& source = row.as_array()[0].as_string();
    const JsonValue& wanted = row.as_array()[1];
    std::string got;
    auto parsed = jinja::Template::Parse(source, "golden");
    bool good = parsed.ok();
    if (!good) EXPECT_EQ(parsed.status().code(), StatusCode::kBadFile) << source;
    if (good) {
      auto rendered = parsed->Render(variables);
      good = rendered.ok();
      if (good) got = rendered->text;
      if (!good) EXPECT_EQ(rendered.status().code(), StatusCode::kRunTime) << source;
    }
    if (wanted.is_null()) {
      EXPECT_FALSE(good) << source << "\nrenders " << got
                         << "\nwhere Jinja fails: " << row.as_array()[2].as_string();
    } else {
      EXPECT_TRUE(good) << source << "\nwanted " << wanted.as_string();
      EXPECT_EQ(got, wanted.as_string()) << source;
    }
    ++compared;
  }
  EXPECT_GT(compared, 1200);
}

ChatOptions OptionsOf(const JsonValue& conversation) {
  ChatOptions options;
  options.tools = conversation.Find("tools");
  options.documents = conversation.Find("documents");
  options.kwargs = conversation.Find("kwargs");
  if (const JsonValue* prompt = conversation.Find("add_generation_prompt")) {
    options.add_generation_prompt = prompt->as_bool();
  }
  return options;
}

TEST(TemplateGoldens, ChatTemplatesRenderAsTransformersRendersThem) {
  auto golden = ParseJsonFile(kGoldens + "renderings.json");
  auto conversations = ParseJsonFile(kGoldens + "conversations.json");
  ASSERT_TRUE(golden.ok() && conversations.ok());
  const auto& rows = golden->Find("renderings")->as_array();
  EXPECT_GT(rows.size(), 200u);
  for (const JsonValue& row : rows) {
    const std::string& file = row.Find("template")->as_string();
    const std::string& name = row.Find("conversation")->as_string();
    const std::string where = file + " over " + name;
    auto source = ReadTextFile(kGoldens + file);
    ASSERT_TRUE(source.ok());
    auto chat = ChatTemplate::FromSource(*source, {{"bos_token", "<s>"},
                                                   {"eos_token", "</s>"},
                                                   {"unk_token", "<unk>"},
                                                   {"pad_token", "<pad>"}});
    ASSERT_TRUE(chat.ok()) << where << ": " << chat.status().message();
    const JsonValue& conversation = *conversations->Find(name);
    auto rendered = chat->Render(*conversation.Find("messages"), OptionsOf(conversation));
    if (const JsonValue* text = row.Find("text")) {
      ASSERT_TRUE(rendered.ok()) << where << ": " << rendered.status().message();
      EXPECT_EQ(rendered->text, text->as_string()) << where;
      continue;
    }
    ASSERT_FALSE(rendered.ok()) << where << " renders " << rendered->text;
    EXPECT_EQ(rendered.status().code(), StatusCode::kRunTime) << where;
    if (row.Find("raised")->as_bool()) {
      EXPECT_EQ(rendered.status().message(), row.Find("error")->as_string()) << where;
    }
  }
}

// Outside of the trusted spans stands only what came with the request; inside, none of it.
TEST(TemplateGoldens, TrustedSpansPartTheTemplateFromTheRequest) {
  auto conversations = ParseJsonFile(kGoldens + "conversations.json");
  ASSERT_TRUE(conversations.ok());
  const JsonValue& conversation = *conversations->Find("unicode");
  for (const char* file : {"chatml.jinja", "llama3.jinja", "qwen25_tools.jinja", "gemma.jinja",
                           "mistral.jinja", "deepseek.jinja", "harmony_style.jinja"}) {
    auto source = ReadTextFile(kGoldens + file);
    ASSERT_TRUE(source.ok());
    auto chat = ChatTemplate::FromSource(*source, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    ASSERT_TRUE(chat.ok());
    auto rendered = chat->Render(*conversation.Find("messages"));
    ASSERT_TRUE(rendered.ok()) << file << ": " << rendered.status().message();
    std::string trusted, untrusted;
    size_t at = 0;
    for (const TextSpan& span : rendered->trusted_spans) {
      ASSERT_LE(at, span.begin) << file;
      ASSERT_LT(span.begin, span.end) << file;
      untrusted += rendered->text.substr(at, span.begin - at) + "\n";
      trusted += rendered->text.substr(span.begin, span.end - span.begin) + "\n";
      at = span.end;
    }
    untrusted += rendered->text.substr(at);
    // The user wrote these words, special tokens in the midst of them.
    EXPECT_NE(untrusted.find("<|im_end|> [INST] </s>"), std::string::npos) << file;
    EXPECT_EQ(trusted.find("😀"), std::string::npos) << file;
    EXPECT_EQ(trusted.find("ok"), std::string::npos) << file;
  }
}

}  // namespace
}  // namespace fathom
