#include "text/chat_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTemplateFile = size_t{1} << 20;

// The names under which messages carry reasoning; the first is the one that templates read
// (chat_template_utils.py, _REASONING_FIELDS).
constexpr std::string_view kReasoningFields[] = {"reasoning_content", "thinking", "reasoning"};

// transformers' names of special tokens (SPECIAL_TOKENS_ATTRIBUTES), in its order.
constexpr std::string_view kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

// Parameters of apply_chat_template and functions of the template's environment: not for kwargs.
constexpr std::string_view kReserved[] = {"messages",
                                          "conversation",
                                          "conversations",
                                          "tools",
                                          "documents",
                                          "chat_template",
                                          "add_generation_prompt",
                                          "continue_final_message",
                                          "tokenize",
                                          "padding",
                                          "truncation",
                                          "max_length",
                                          "return_tensors",
                                          "return_dict",
                                          "return_assistant_tokens_mask",
                                          "tokenizer_kwargs",
                                          "sanitize_control_tokens",
                                          "range",
                                          "dict",
                                          "lipsum",
                                          "cycler",
                                          "joiner",
                                          "namespace",
                                          "raise_exception",
                                          "strftime_now",
                                          "self",
                                          "loop",
                                          "caller"};

template <typename List>
bool IsOneOf(std::string_view name, const List& list) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool FileExists(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// A token is a string, or an AddedToken object with its "content".
const std::string* TokenText(const JsonValue& value) {
  if (value.is_string()) return &value.as_string();
  const JsonValue* content = value.Find("content");
  return content != nullptr && content->is_string() ? &content->as_string() : nullptr;
}

bool IsTokenName(std::string_view name) {
  return name.size() > 6 && name.substr(name.size() - 6) == "_token";
}

Status WrongShape(std::string_view what, const JsonValue& value, std::string_view wanted) {
  return Status::Usage(std::string(what),
                       fmt::format("is a JSON {}, not {}", value.TypeName(), wanted));
}

Status CheckObjects(const JsonValue& list, std::string_view what) {
  if (!list.is_array()) return WrongShape(what, list, "an array of objects");
  const JsonArray& items = list.as_array();
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_object()) {
      return WrongShape(fmt::format("{}[{}]", what, i), items[i], "an object");
    }
  }
  return Status::Ok();
}

// apply_chat_template drops the keys that are null; _alias_reasoning_fields gives reasoning to
// templates that know it by another name.
JsonValue PrepareMessage(const JsonValue& message) {
  JsonObject kept;
  for (const auto& [key, value] : message.as_object()) {
    if (!value.is_null()) kept.emplace_back(key, value);
  }
  JsonValue prepared(std::move(kept));
  for (const std::string_view field : kReasoningFields) {
    const JsonValue* found = prepared.Find(field);
    if (found == nullptr) continue;
    const JsonValue reasoning = *found;
    JsonObject aliased;
    if (prepared.Find("thinking") == nullptr) aliased.emplace_back("thinking", reasoning);
    for (auto& member : prepared.as_object()) aliased.push_back(std::move(member));
    prepared = JsonValue(std::move(aliased));
    prepared.Set("reasoning_content", reasoning);
    break;
  }
  return prepared;
}

}  // namespace

Status ChatTemplate::AddTemplate(std::string name, std::string_view source,
                                 const std::string& file) {
  FATHOM_ASSIGN(jinja::Template parsed, jinja::Template::Parse(source, file));
  templates_.insert_or_assign(std::move(name), std::move(parsed));
  return Status::Ok();
}

Status ChatTemplate::ReadTokenizerConfig(const JsonValue& config, const std::string& file) {
  const JsonValue* source = config.Find("chat_template");
  if (source == nullptr || source->is_null()) return Status::Ok();
  if (source->is_string()) return AddTemplate("default", source->as_string(), file);
  if (!source->is_array()) {
    return Status::BadFile(file, "chat_template", fmt::format("a JSON {}", source->TypeName()),
                           "is neither a string nor a list of named templates");
  }
  for (const JsonValue& entry : source->as_array()) {
    const JsonValue* name = entry.Find("name");
    const JsonValue* body = entry.Find("template");
    if (name == nullptr || body == nullptr || !name->is_string() || !body->is_string()) {
      return Status::BadFile(file, "chat_template", "an entry",
                             "lacks a \"name\" or a \"template\" that is a string");
    }
    FATHOM_TRY(AddTemplate(name->as_string(), body->as_string(), file));
  }
  return Status::Ok();
}

void ChatTemplate::SetSpecialToken(std::string name, std::string token) {
  for (auto& [known, value] : special_tokens_) {
    if (known == name) {
      value = std::move(token);
      return;
    }
  }
  special_tokens_.emplace_back(std::move(name), std::move(token));
}

// The special tokens that transformers' special_tokens_map would show: the named ones, tokens of
// the model's own (any *_token), and extra_special_tokens where it names them.
Status ChatTemplate::ReadSpecialTokens(const JsonValue& config, const std::string& folder) {
  const auto read = [&](const JsonValue& source) {
    for (const auto& [key, value] : source.as_object()) {
      const std::string* token = TokenText(value);
      if (token != nullptr && IsTokenName(key)) SetSpecialToken(key, *token);
    }
    const JsonValue* extra = source.Find("extra_special_tokens");
    if (extra == nullptr || !extra->is_object()) return;
    for (const auto& [key, value] : extra->as_object()) {
      if (const std::string* token = TokenText(value)) SetSpecialToken(key, *token);
    }
  };
  if (config.is_object()) read(config);
  // The older file counts only where the config does not list its added tokens.
  const std::string map_file = folder + "/special_tokens_map.json";
  if (config.Find("added_tokens_decoder") == nullptr && FileExists(map_file)) {
    FATHOM_ASSIGN(const JsonValue map, ParseJsonFile(map_file));
    if (!map.is_object()) return Status::BadFile(map_file, "", "is no JSON object");
    read(map);
  }
  return Status::Ok();
}

Result<ChatTemplate> ChatTemplate::OpenFolder(const std::string& folder) {
  ChatTemplate result;
  const std::string main_file = folder + "/chat_template.jinja";
  if (FileExists(main_file)) {
    FATHOM_ASSIGN(const std::string source, ReadTextFile(main_file, kMaxTemplateFile));
    FATHOM_TRY(result.AddTemplate("default", source, main_file));
  }
  std::error_code error;
  std::vector<fs::path> more;
  for (fs::directory_iterator it(folder + "/additional_chat_templates", error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".jinja" && FileExists(it->path().string())) {
      more.push_back(it->path());
    }
  }
  for (const fs::path& path : more) {
    FATHOM_ASSIGN(const std::string source, ReadTextFile(path.string(), kMaxTemplateFile));
    FATHOM_TRY(result.AddTemplate(path.stem().string(), source, path.string()));
  }
  const std::string config_file = folder + "/tokenizer_config.json";
  JsonValue config;
  if (FileExists(config_file)) {
    FATHOM_ASSIGN(config, ParseJsonFile(config_file));
    if (!config.is_object()) return Status::BadFile(config_file, "", "is no JSON object");
    if (!result.has_template()) FATHOM_TRY(result.ReadTokenizerConfig(config, config_file));
  }
  const std::string processor_file = folder + "/chat_template.json";
  if (!result.has_template() && FileExists(processor_file)) {
    FATHOM_ASSIGN(const JsonValue processor, ParseJsonFile(processor_file));
    FATHOM_TRY(result.ReadTokenizerConfig(processor, processor_file));
  }
  FATHOM_TRY(result.ReadSpecialTokens(config, folder));
  return result;
}

Result<ChatTemplate> ChatTemplate::FromSource(
    std::string_view source, std::vector<std::pair<std::string, std::string>> special_tokens) {
  ChatTemplate result;
  FATHOM_TRY(result.AddTemplate("default", source, "chat template"));
  result.special_tokens_ = std::move(special_tokens);
  return result;
}

std::vector<std::string> ChatTemplate::template_names() const {
  std::vector<std::string> names;
  for (const auto& [name, parsed] : templates_) names.push_back(name);
  return names;
}

Result<const jinja::Template*> ChatTemplate::Choose(const ChatOptions& options) const {
  const auto find = [&](const std::string& name) -> const jinja::Template* {
    const auto it = templates_.find(name);
    return it == templates_.end() ? nullptr : &it->second;
  };
  if (!has_template()) {
    return Status::RunTime("the model has no chat template", "pass the prompt as raw text");
  }
  if (!options.template_name.empty()) {
    if (const jinja::Template* named = find(options.template_name)) return named;
    return Status::Usage("template name",
                         fmt::format("\"{}\" is not one of the model's templates: {}",
                                     options.template_name, fmt::join(template_names(), ", ")));
  }
  const bool tools = options.tools != nullptr && !options.tools->is_null();
  if (const jinja::Template* tool_use = tools ? find("tool_use") : nullptr) return tool_use;
  if (const jinja::Template* usual = find("default")) return usual;
  return Status::RunTime(
      fmt::format("the model has several chat templates and none is the default: {}",
                  fmt::join(template_names(), ", ")),
      "name the one to use");
}

Status ChatTemplate::CheckKwargs(const JsonValue& kwargs) const {
  if (!kwargs.is_object()) return WrongShape("chat template kwargs", kwargs, "an object");
  for (const auto& [name, value] : kwargs.as_object()) {
    const bool token = std::any_of(special_tokens_.begin(), special_tokens_.end(),
                                   [&](const auto& known) { return known.first == name; });
    if (token || IsOneOf(name, kReserved) || IsOneOf(name, kSpecialTokens)) {
      return Status::Usage("chat template kwargs",
                           fmt::format("\"{}\" is a variable that cannot be replaced", name));
    }
  }
  return Status::Ok();
}

Result<RenderedChat> ChatTemplate::Render(const JsonValue& messages,
                                          const ChatOptions& options) const {
  FATHOM_ASSIGN(const jinja::Template* chosen, Choose(options));
  FATHOM_TRY(CheckObjects(messages, "messages"));
  if (messages.as_array().empty()) return Status::Usage("messages", "is empty: give one at least");
  const JsonValue none;
  const auto given = [&](const JsonValue* value) { return value != nullptr ? value : &none; };
  const JsonValue* tools = given(options.tools);
  const JsonValue* documents = given(options.documents);
  if (!tools->is_null()) FATHOM_TRY(CheckObjects(*tools, "tools"));
  if (!documents->is_null()) FATHOM_TRY(CheckObjects(*documents, "documents"));
  const JsonValue* kwargs = given(options.kwargs);
  if (!kwargs->is_null()) FATHOM_TRY(CheckKwargs(*kwargs));

  JsonValue prepared{JsonArray()};
  for (const JsonValue& message : messages.as_array()) prepared.Append(PrepareMessage(message));
  const JsonValue add_generation_prompt(options.add_generation_prompt);
  using Trust = jinja::Variable::Trust;
  std::vector<jinja::Variable> variables;
  std::vector<JsonValue> tokens;
  tokens.reserve(special_tokens_.size());  // the variables point into it
  for (const auto& [name, token] : special_tokens_) {
    tokens.emplace_back(token);
    variables.push_back({name, &tokens.back(), Trust::kAll});
  }
  if (kwargs->is_object()) {
    for (const auto& [name, value] : kwargs->as_object()) variables.push_back({name, &value});
  }
  variables.push_back({"messages", &prepared, Trust::kRoles});
  variables.push_back({"tools", tools});
  variables.push_back({"documents", documents});
  variables.push_back({"add_generation_prompt", &add_generation_prompt});
  FATHOM_ASSIGN(jinja::RenderedText rendered, chosen->Render(variables));
  return RenderedChat{std::move(rendered.text), std::move(rendered.trusted)};
}

}  // namespace fathom
