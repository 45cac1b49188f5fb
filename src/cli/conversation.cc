#include "cli/conversation.h"

namespace fathom {

Result<Conversation> Conversation::Create(const Model& model) {
  if (model.tokenizer() == nullptr) {
    return Status::BadFile(model.path(), "tokenizer.json", "the folder has no tokenizer", "",
                           "add one, or give token ids with --ids");
  }
  FATHOM_ASSIGN(ChatTemplate chat_template, ChatTemplate::OpenFolder(model.path()));
  return Conversation(*model.tokenizer(), std::move(chat_template),
                      model.options().IsOn("use_fast"));
}

Result<std::vector<int32_t>> Conversation::EncodeRaw(const std::string& text) const {
  return tokenizer_->Encode(text, {.use_fast = use_fast_});
}

Result<std::vector<int32_t>> Conversation::EncodeMessages(const JsonValue& messages) const {
  if (!has_template()) {
    std::string text;
    for (const JsonValue& message : messages.as_array()) {
      if (!text.empty()) text += "\n\n";
      text += message.Find("content")->as_string();
    }
    return EncodeRaw(text);
  }
  FATHOM_ASSIGN(const RenderedChat chat, chat_template_.Render(messages));
  EncodeOptions options{.add_special_tokens = false, .use_fast = use_fast_};
  for (const TextSpan& span : chat.trusted_spans) options.trusted.push_back({span.begin, span.end});
  return tokenizer_->Encode(chat.text, options);
}

JsonValue ChatMessage(std::string_view role, std::string content) {
  return JsonObject{{"role", role}, {"content", std::move(content)}};
}

}  // namespace fathom
