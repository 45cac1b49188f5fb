#include "text/auto_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "text/auto_tokenizer_table.h"
#include "text/known_patterns.h"

namespace fathom {
namespace {

constexpr std::string_view kBackend = "TokenizersBackend";

std::string_view StringAt(const JsonValue& json, std::string_view name) {
  const JsonValue* value = json.Find(name);
  return value != nullptr && value->is_string() ? std::string_view(value->as_string())
                                                : std::string_view();
}

std::string_view WithoutFast(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  return name;
}

const ModelTypeRow* FindModelType(std::string_view model_type) {
  const ModelTypeRow* end = kModelTypes + kModelTypesCount;
  const auto* row = std::find_if(kModelTypes, end,
                                 [&](const ModelTypeRow& r) { return r.model_type == model_type; });
  return row == end ? nullptr : row;
}

const TokenizerClassRow* FindClass(std::string_view name) {
  const TokenizerClassRow* end = kTokenizerClasses + kTokenizerClassesCount;
  const auto* row = std::find_if(kTokenizerClasses, end,
                                 [&](const TokenizerClassRow& r) { return r.name == name; });
  return row == end ? nullptr : row;
}

// tokenizer_class_from_name: a name that nothing knows loads as TokenizersBackend, as PythonBackend
// does.
std::string ResolveClass(std::string_view name) {
  const TokenizerClassRow* row = FindClass(name);
  if (row == nullptr || row->resolved == "PythonBackend") return std::string(kBackend);
  return std::string(row->resolved);
}

bool HasAutoMap(const JsonValue& tokenizer_config) {
  const JsonValue* map = tokenizer_config.Find("auto_map");
  if (map == nullptr) return false;
  if (map->is_array()) return true;
  const JsonValue* entry = map->Find("AutoTokenizer");
  return entry != nullptr && !entry->is_null();
}

// One named special token while it is being worked out: a string, or a full token.
struct NamedToken {
  std::string name;
  AddedToken token;
  bool is_full = false;  // given with its flags (an AddedToken of Python), not as a plain string
};

AddedToken SpecialFromString(std::string content) {
  return {.content = std::move(content), .normalized = false, .special = true};
}

constexpr std::string_view kNamedAttributes[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                 "pad_token", "cls_token", "mask_token"};

bool IsNamedAttribute(std::string_view key) {
  return std::find(std::begin(kNamedAttributes), std::end(kNamedAttributes), key) !=
         std::end(kNamedAttributes);
}

// What tokenizer_config.json and its older companions say about tokens.
class TokenSettings {
 public:
  Status Read(const FolderFiles& files, const TokenizerJson& json);
  // A named token that the class sets where the files say nothing at all (null says something).
  void SetDefault(std::string_view name, std::string_view content);

  // Tokens by their id in the files, ascending: only the order counts.
  const std::map<int64_t, AddedToken>& by_index() const { return by_index_; }
  // bos, eos, ..., then the model's own ones; plain strings replaced by full tokens of that
  // content.
  std::vector<NamedToken> Named() const;
  const std::vector<NamedToken>& extra() const { return extra_; }

 private:
  Status ReadConfig(const JsonValue& config);
  Status ReadAddedTokensDecoder(const JsonValue& decoder);
  Status ReadSpecialTokensMap(const JsonValue& map);
  Status ReadAddedTokensFile(const JsonValue& file);
  Status ReadNamed(const std::string& key, const JsonValue& value, bool typed);
  Status ReadExtraList(const JsonValue& list, bool typed);
  void AddByIndex(int64_t index, AddedToken token);

  std::map<std::string, NamedToken, std::less<>> named_;  // of kNamedAttributes
  std::vector<std::string> set_to_null_;
  // The model's own "..._token": those with flags or out of special_tokens_map.json come first, the
  // strings of tokenizer_config.json and its extra_special_tokens object last.
  std::vector<NamedToken> first_model_tokens_;
  std::vector<NamedToken> last_model_tokens_;
  std::vector<NamedToken> extra_;
  std::map<int64_t, AddedToken> by_index_;
  std::map<std::string, AddedToken, std::less<>> by_content_;
};

// In tokenizer_config.json a full token carries "__type" (convert_added_tokens); special_tokens_map
// has none, and every full token there is special.
Result<AddedToken> ReadFullToken(const JsonValue& value, bool typed, const std::string& field) {
  const JsonValue* type = value.Find("__type");
  if (typed && (type == nullptr || !(*type == JsonValue("AddedToken")))) {
    return Status::BadFile("", field, "is neither a string nor an AddedToken");
  }
  FATHOM_ASSIGN(AddedToken token, ReadAddedToken(value, field));
  if (!typed) {
    token.special = true;
    if (value.Find("normalized") == nullptr) token.normalized = false;
  }
  return token;
}

Status TokenSettings::ReadNamed(const std::string& key, const JsonValue& value, bool typed) {
  NamedToken named{key, {}, false};
  if (value.is_string()) {
    named.token = SpecialFromString(value.as_string());
  } else if (value.is_object()) {
    FATHOM_ASSIGN(named.token, ReadFullToken(value, typed, key));
    named.is_full = true;
  } else if (value.is_null()) {
    set_to_null_.push_back(key);
    named_.erase(key);
    return Status::Ok();
  } else {
    return Status::BadFile("", key, fmt::format("is a {}", value.TypeName()),
                           "and must be a string or an AddedToken");
  }
  if (IsNamedAttribute(key)) {
    named_[key] = std::move(named);
  } else {
    const bool first = named.is_full || !typed;
    (first ? first_model_tokens_ : last_model_tokens_).push_back(std::move(named));
  }
  return Status::Ok();
}

Status TokenSettings::ReadExtraList(const JsonValue& list, bool typed) {
  for (const JsonValue& item : list.as_array()) {
    NamedToken extra{"extra_special_tokens", {}, item.is_object()};
    if (item.is_string()) {
      extra.token = SpecialFromString(item.as_string());
    } else {
      FATHOM_ASSIGN(extra.token, ReadFullToken(item, typed, "extra_special_tokens"));
    }
    extra_.push_back(std::move(extra));
  }
  return Status::Ok();
}

Status TokenSettings::ReadConfig(const JsonValue& config) {
  if (!config.is_object()) return Status::Ok();
  const JsonValue* extra = config.Find("extra_special_tokens");
  const bool has_extra = extra != nullptr && ((extra->is_array() && !extra->as_array().empty()) ||
                                              (extra->is_object() && !extra->as_object().empty()));
  if (!has_extra && config.Find("additional_special_tokens") != nullptr) {
    extra = config.Find("additional_special_tokens");
  }
  for (const auto& [key, value] : config.as_object()) {
    const bool model_token = key.ends_with("_token") && (value.is_string() || value.is_object());
    // add_bos_token and the like are booleans; dropped where there is a tokenizer.json.
    if (IsNamedAttribute(key) || (model_token && (value.is_string() || value.Find("__type")))) {
      FATHOM_TRY(ReadNamed(key, value, true));
    }
  }
  if (extra != nullptr && extra->is_array()) FATHOM_TRY(ReadExtraList(*extra, true));
  if (extra != nullptr && extra->is_object()) {
    for (const auto& [key, value] : extra->as_object()) {
      NamedToken named{key, {}, value.is_object()};
      if (value.is_string()) {
        named.token = SpecialFromString(value.as_string());
      } else {
        FATHOM_ASSIGN(named.token, ReadFullToken(value, true, key));
      }
      last_model_tokens_.push_back(std::move(named));
    }
  }
  return Status::Ok();
}

void TokenSettings::AddByIndex(int64_t index, AddedToken token) {
  by_content_[token.content] = token;
  by_index_[index] = std::move(token);
}

Status TokenSettings::ReadAddedTokensDecoder(const JsonValue& decoder) {
  if (!decoder.is_object()) return Status::BadFile("", "added_tokens_decoder", "is no object");
  for (const auto& [key, value] : decoder.as_object()) {
    const std::string field = fmt::format("added_tokens_decoder[\"{}\"]", key);
    int64_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size()) {
      return Status::BadFile("", field, "is not named by an id");
    }
    FATHOM_ASSIGN(AddedToken token, ReadAddedToken(value, field));
    AddByIndex(index, std::move(token));
  }
  return Status::Ok();
}

Status TokenSettings::ReadSpecialTokensMap(const JsonValue& map) {
  if (!map.is_object()) return Status::Ok();
  for (const auto& [key, value] : map.as_object()) {
    const bool is_list = key == "extra_special_tokens" || key == "additional_special_tokens";
    if (is_list && value.is_array()) {
      // A list that is there twice adds nothing new: equal tokens are added once.
      FATHOM_TRY(ReadExtraList(value, false));
    } else if (IsNamedAttribute(key) || (key.ends_with("_token") && !value.is_null())) {
      FATHOM_TRY(ReadNamed(key, value, false));
    }
  }
  return Status::Ok();
}

Status TokenSettings::ReadAddedTokensFile(const JsonValue& file) {
  if (!file.is_object()) return Status::Ok();
  const auto is_special = [&](const std::string& content) {
    const auto named = [&](const auto& item) { return item.second.token.content == content; };
    const auto extra = [&](const NamedToken& item) { return item.token.content == content; };
    return std::any_of(named_.begin(), named_.end(), named) ||
           std::any_of(extra_.begin(), extra_.end(), extra);
  };
  for (const auto& [content, index] : file.as_object()) {
    if (!index.is_int()) {
      return Status::BadFile("", fmt::format("added_tokens.json[\"{}\"]", content),
                             fmt::format("is a {}", index.TypeName()), "and must be an integer");
    }
    const bool special = is_special(content);
    AddByIndex(index.as_int(), {.content = content, .normalized = !special, .special = special});
  }
  return Status::Ok();
}

Status TokenSettings::Read(const FolderFiles& files, const TokenizerJson& json) {
  FATHOM_TRY(ReadConfig(files.tokenizer_config).WithFile("tokenizer_config.json"));
  const JsonValue* decoder = files.tokenizer_config.Find("added_tokens_decoder");
  if (decoder != nullptr) {
    return ReadAddedTokensDecoder(*decoder).WithFile("tokenizer_config.json");
  }
  FATHOM_TRY(ReadSpecialTokensMap(files.special_tokens_map).WithFile("special_tokens_map.json"));
  FATHOM_TRY(ReadAddedTokensFile(files.added_tokens).WithFile("added_tokens.json"));
  const JsonValue* list = json.fields.Find("added_tokens");
  if (list == nullptr || !list->is_array()) return Status::Ok();
  FATHOM_ASSIGN(std::vector<AddedToken> tokens, ReadAddedTokens(json.fields));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const JsonValue* id = list->as_array()[i].Find("id");
    if (id == nullptr || !id->is_int()) {
      return Status::BadFile("", fmt::format("added_tokens[{}].id", i), "is missing or no integer");
    }
    AddByIndex(id->as_int(), std::move(tokens[i]));
  }
  return Status::Ok();
}

void TokenSettings::SetDefault(std::string_view name, std::string_view content) {
  const bool said = named_.contains(name) ||
                    std::find(set_to_null_.begin(), set_to_null_.end(), name) != set_to_null_.end();
  if (said) return;
  named_.emplace(name,
                 NamedToken{std::string(name), SpecialFromString(std::string(content)), false});
}

std::vector<NamedToken> TokenSettings::Named() const {
  std::vector<NamedToken> result;
  for (const std::string_view name : kNamedAttributes) {
    const auto found = named_.find(name);
    if (found == named_.end()) continue;
    NamedToken named = found->second;
    const auto full = by_content_.find(named.token.content);
    if (full != by_content_.end()) {
      named.token = full->second;
      named.is_full = true;
    }
    result.push_back(std::move(named));
  }
  result.insert(result.end(), first_model_tokens_.begin(), first_model_tokens_.end());
  result.insert(result.end(), last_model_tokens_.begin(), last_model_tokens_.end());
  return result;
}

// TokenizersBackend.__init__: what is added beside `known`, the tokens that the backend has
// already.
std::vector<AddedToken> TokensToAdd(const TokenSettings& settings,
                                    const std::vector<NamedToken>& named,
                                    const std::vector<AddedToken>& known) {
  // A later token of the same content replaced an earlier one.
  std::map<std::string_view, const AddedToken*> known_by_content;
  for (const AddedToken& token : known) known_by_content[token.content] = &token;
  std::vector<AddedToken> to_add;
  std::vector<std::string_view> encoder;
  for (const auto& item : known_by_content) encoder.push_back(item.first);
  for (const auto& [index, token] : settings.by_index()) {
    const auto same = known_by_content.find(token.content);
    if (same != known_by_content.end() && *same->second == token) continue;
    to_add.push_back(token);
    encoder.push_back(token.content);
  }
  const auto missing = [&](const NamedToken& item) {
    return std::find(encoder.begin(), encoder.end(), item.token.content) == encoder.end() &&
           std::find(to_add.begin(), to_add.end(), item.token) == to_add.end();
  };
  for (const NamedToken& item : named) {
    if (missing(item)) to_add.push_back(item.token);
  }
  for (const NamedToken& item : settings.extra()) {
    if (missing(item)) to_add.push_back(item.token);
  }
  for (AddedToken& token : to_add) {
    const auto is_named = [&](const NamedToken& item) {
      return item.token.content == token.content;
    };
    if (std::any_of(named.begin(), named.end(), is_named)) token.special = true;
  }
  return to_add;
}

JsonValue ByteLevelJson(bool add_prefix_space, bool use_regex) {
  JsonValue json;
  json.Set("type", "ByteLevel");
  json.Set("add_prefix_space", add_prefix_space);
  json.Set("trim_offsets", true);
  json.Set("use_regex", use_regex);
  return json;
}

bool AddPrefixSpace(const JsonValue& tokenizer_config) {
  const JsonValue* value = tokenizer_config.Find("add_prefix_space");
  return value != nullptr && value->is_bool() && value->as_bool();
}

// The classes that build their own pipeline around the file's vocabulary and merges.
struct RebuiltClass {
  std::string_view name;
  // Replaces the pipeline in `json` and sets the class's default tokens.
  void (*rebuild)(const JsonValue& tokenizer_config, TokenizerJson& json, TokenSettings& settings);
  bool adds_specials_again;  // plainly, without the flags that the files give
};

void ResetModel(TokenizerJson& json) {
  json.model.fields = JsonValue(JsonObject());
  json.model.fields.Set("type", "BPE");
  json.fields.Set("normalizer", nullptr);
  JsonValue decoder = ByteLevelJson(true, true);
  json.fields.Set("decoder", std::move(decoder));
}

void RebuildGpt2(const JsonValue& config, TokenizerJson& json, TokenSettings& settings) {
  ResetModel(json);
  json.fields.Set("pre_tokenizer", ByteLevelJson(AddPrefixSpace(config), true));
  for (const std::string_view name : {"unk_token", "bos_token", "eos_token"}) {
    settings.SetDefault(name, "<|endoftext|>");
  }
}

void RebuildQwen2(const JsonValue& config, TokenizerJson& json, TokenSettings& settings) {
  ResetModel(json);
  JsonValue normalizer;
  normalizer.Set("type", "NFC");
  json.fields.Set("normalizer", std::move(normalizer));
  JsonValue pattern, split, sequence, parts;
  pattern.Set("Regex", kQwen2Pattern);
  split.Set("type", "Split");
  split.Set("pattern", std::move(pattern));
  split.Set("behavior", "Isolated");
  split.Set("invert", false);
  parts.Append(std::move(split));
  parts.Append(ByteLevelJson(AddPrefixSpace(config), false));
  sequence.Set("type", "Sequence");
  sequence.Set("pretokenizers", std::move(parts));
  json.fields.Set("pre_tokenizer", std::move(sequence));
  for (const std::string_view name : {"unk_token", "eos_token", "pad_token"}) {
    settings.SetDefault(name, "<|endoftext|>");
  }
}

constexpr RebuiltClass kRebuiltClasses[] = {{"GPT2Tokenizer", RebuildGpt2, false},
                                            {"Qwen2Tokenizer", RebuildQwen2, true}};

const RebuiltClass* FindRebuilt(std::string_view name) {
  const auto* row = std::find_if(std::begin(kRebuiltClasses), std::end(kRebuiltClasses),
                                 [&](const RebuiltClass& r) { return r.name == name; });
  return row == std::end(kRebuiltClasses) ? nullptr : row;
}

}  // namespace

std::string ChooseTokenizerClass(const FolderFiles& files, std::string_view tokenizer_json_text) {
  const std::string_view model_type = StringAt(files.config, "model_type");
  const ModelTypeRow* row = FindModelType(model_type);
  const bool wrong_hub_class = row != nullptr && row->hub_class_is_wrong;
  const std::string_view registered = row == nullptr ? "" : WithoutFast(row->class_name);
  const std::string_view configured = StringAt(files.tokenizer_config, "tokenizer_class");
  const std::string_view hub =
      !configured.empty() ? configured : StringAt(files.config, "tokenizer_class");
  const bool has_auto_map = HasAutoMap(files.tokenizer_config);

  // Files of the Llama 3 kind that name the class of Llama 2.
  if (!has_auto_map && WithoutFast(hub) == "LlamaTokenizer" &&
      registered != "MistralCommonBackend" && !wrong_hub_class &&
      tokenizer_json_text.find("\"ByteLevel\"") != std::string_view::npos) {
    return std::string(kBackend);
  }
  // The folder's class against the one that belongs to the model type.
  if (!has_auto_map && !hub.empty() && row != nullptr && registered != WithoutFast(hub)) {
    const bool registered_is_general = registered == kBackend || registered == "PythonBackend" ||
                                       registered == "PreTrainedTokenizer" ||
                                       registered == "MistralCommonBackend";
    if (registered_is_general) return std::string(kBackend);
    return ResolveClass(wrong_hub_class ? registered : hub);
  }
  if (!configured.empty()) return ResolveClass(WithoutFast(configured));
  if (!hub.empty()) return ResolveClass(hub);
  // MistralCommonBackend needs a library of its own and gives way to the general class.
  if (row != nullptr && registered != "MistralCommonBackend") return ResolveClass(registered);
  return std::string(kBackend);
}

Result<AutoTokenizerPlan> PlanAutoTokenizer(const FolderFiles& files,
                                            std::string_view tokenizer_json_text,
                                            TokenizerJson& json) {
  AutoTokenizerPlan plan;
  plan.class_name = ChooseTokenizerClass(files, tokenizer_json_text);
  TokenSettings settings;
  FATHOM_TRY(settings.Read(files, json));
  FATHOM_ASSIGN(std::vector<AddedToken> known, ReadAddedTokens(json.fields));
  const RebuiltClass* rebuilt = FindRebuilt(plan.class_name);
  const TokenizerClassRow* row = FindClass(plan.class_name);
  if (rebuilt != nullptr) {
    rebuilt->rebuild(files.tokenizer_config, json, settings);
    known.clear();
  } else if (row != nullptr && !row->loads_file_as_is) {
    return Status::BadFile("tokenizer_config.json", "tokenizer_class",
                           fmt::format("\"{}\"", plan.class_name), "is not supported yet",
                           "give the tokenizer.json itself to take the file at its word");
  }
  const std::vector<NamedToken> named = settings.Named();
  std::vector<AddedToken> to_add = TokensToAdd(settings, named, known);
  plan.added_batches.push_back(std::move(known));
  plan.added_batches.push_back(std::move(to_add));
  if (rebuilt != nullptr && rebuilt->adds_specials_again) {
    std::vector<AddedToken>& again = plan.added_batches.emplace_back();
    for (const NamedToken& item : named) again.push_back(SpecialFromString(item.token.content));
    for (const NamedToken& item : settings.extra()) {
      again.push_back(SpecialFromString(item.token.content));
    }
  }
  for (const NamedToken& item : named) {
    plan.special_tokens.emplace_back(item.name, item.token.content);
  }
  return plan;
}

}  // namespace fathom
