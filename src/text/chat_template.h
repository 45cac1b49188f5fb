// The chat template of a model folder: which file holds it, and messages rendered with it.
//
// Files and their order are transformers' (PreTrainedTokenizerBase.from_pretrained and
// get_chat_template): chat_template.jinja and additional_chat_templates/NAME.jinja together replace
// what tokenizer_config.json says under "chat_template" (one template, or a list of {name,
// template}); chat_template.json, the file of older processors, is read where there is nothing
// else. Messages are prepared as apply_chat_template and render_jinja_template prepare them: keys
// whose value is null are dropped, reasoning is found under all of its names.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"
#include "text/template/template.h"

namespace fathom {

using jinja::TextSpan;

struct RenderedChat {
  std::string text;
  // The bytes of `text` that the template itself wrote, special tokens included; the rest came with
  // the request. A tokenizer reads special tokens in these spans alone. A message's role is trusted
  // where it is a plain word: templates build tokens of it ('<|' + role + '|>').
  std::vector<TextSpan> trusted_spans;
};

struct ChatOptions {
  const JsonValue* tools = nullptr;      // an array of objects; null or JSON null: none
  const JsonValue* documents = nullptr;  // the same
  bool add_generation_prompt = true;
  const JsonValue* kwargs =
      nullptr;                // an object: more variables for the template (enable_thinking ...)
  std::string template_name;  // of the named templates; empty: the default one
};

class ChatTemplate {
 public:
  // A folder without a template is fine: see has_template. kBadFile where a file is broken, or a
  // template that Jinja would refuse to compile.
  static Result<ChatTemplate> OpenFolder(const std::string& folder);
  // One template, with the special tokens that it may name (bos_token ...).
  static Result<ChatTemplate> FromSource(
      std::string_view source, std::vector<std::pair<std::string, std::string>> special_tokens);

  bool has_template() const { return !templates_.empty(); }
  std::vector<std::string> template_names() const;

  // kUsage for messages, tools or kwargs of the wrong shape and for kwargs that would replace a
  // variable of ours; kRunTime where the template refuses (its raise_exception message is the
  // status's value), fails or goes over its budget, and where there is no template.
  Result<RenderedChat> Render(const JsonValue& messages, const ChatOptions& options = {}) const;

  // bos_token, eos_token ..., as the template sees them.
  const std::vector<std::pair<std::string, std::string>>& special_tokens() const {
    return special_tokens_;
  }

 private:
  Status AddTemplate(std::string name, std::string_view source, const std::string& file);
  Status ReadTokenizerConfig(const JsonValue& config, const std::string& file);
  void SetSpecialToken(std::string name, std::string token);
  Status ReadSpecialTokens(const JsonValue& config, const std::string& folder);
  Result<const jinja::Template*> Choose(const ChatOptions& options) const;
  Status CheckKwargs(const JsonValue& kwargs) const;

  std::map<std::string, jinja::Template> templates_;
  std::vector<std::pair<std::string, std::string>> special_tokens_;
};

}  // namespace fathom
