// From what a person wrote to the ids of a prompt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "fathom/model.h"
#include "fathom/text.h"
#include "text/chat_template.h"

namespace fathom {

// A tokenizer and a chat template, of one model. Messages are {"role": ..., "content": ...}.
class Conversation {
 public:
  // kBadFile where the model has no tokenizer: it can run with --ids alone.
  static Result<Conversation> Create(const Model& model);

  bool has_template() const { return chat_template_.has_template(); }

  // The text itself continued: what the post-processor adds (bos) is added; special tokens inside
  // the text stay plain.
  Result<std::vector<int32_t>> EncodeRaw(const std::string& text) const;

  // Messages through the chat template; special tokens count only where the template wrote them. A
  // model without a template gets the turns joined plainly, a blank line between them.
  Result<std::vector<int32_t>> EncodeMessages(const JsonValue& messages) const;

 private:
  Conversation(const Tokenizer& tokenizer, ChatTemplate chat_template, bool use_fast)
      : tokenizer_(&tokenizer), chat_template_(std::move(chat_template)), use_fast_(use_fast) {}

  const Tokenizer* tokenizer_;  // of the model, which outlives this
  ChatTemplate chat_template_;
  bool use_fast_;
};

JsonValue ChatMessage(std::string_view role, std::string content);

}  // namespace fathom
