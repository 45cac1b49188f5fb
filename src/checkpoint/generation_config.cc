#include "checkpoint/generation_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/model_config.h"

namespace fathom {
namespace {

constexpr IntRange kCount = {0, int64_t{1} << 40};
constexpr IntRange kAtLeastOne = {1, int64_t{1} << 40};
constexpr IntRange kId = {0, int64_t{1} << 31};

// Calls visit(name, a.field, b.field) for every field: the one list of them.
template <typename A, typename B, typename Visit>
void ForEachField(A& a, B& b, Visit visit) {
#define FATHOM_FIELD(name) visit(#name, a.name, b.name)
  FATHOM_FIELD(max_length);
  FATHOM_FIELD(max_new_tokens);
  FATHOM_FIELD(min_length);
  FATHOM_FIELD(min_new_tokens);
  FATHOM_FIELD(max_time);
  FATHOM_FIELD(stop_strings);
  FATHOM_FIELD(do_sample);
  FATHOM_FIELD(num_beams);
  FATHOM_FIELD(num_return_sequences);
  FATHOM_FIELD(early_stopping);
  FATHOM_FIELD(length_penalty);
  FATHOM_FIELD(use_cache);
  FATHOM_FIELD(cache_implementation);
  FATHOM_FIELD(disable_compile);
  FATHOM_FIELD(guidance_scale);
  FATHOM_FIELD(sequence_bias);
  FATHOM_FIELD(encoder_repetition_penalty);
  FATHOM_FIELD(repetition_penalty);
  FATHOM_FIELD(no_repeat_ngram_size);
  FATHOM_FIELD(encoder_no_repeat_ngram_size);
  FATHOM_FIELD(bad_words_ids);
  FATHOM_FIELD(forced_bos_token_id);
  FATHOM_FIELD(forced_eos_token_id);
  FATHOM_FIELD(remove_invalid_values);
  FATHOM_FIELD(exponential_decay_length_penalty);
  FATHOM_FIELD(suppress_tokens);
  FATHOM_FIELD(begin_suppress_tokens);
  FATHOM_FIELD(temperature);
  FATHOM_FIELD(top_h);
  FATHOM_FIELD(top_k);
  FATHOM_FIELD(top_p);
  FATHOM_FIELD(min_p);
  FATHOM_FIELD(typical_p);
  FATHOM_FIELD(epsilon_cutoff);
  FATHOM_FIELD(eta_cutoff);
  FATHOM_FIELD(renormalize_logits);
  FATHOM_FIELD(bos_token_id);
  FATHOM_FIELD(eos_token_id);
  FATHOM_FIELD(pad_token_id);
  FATHOM_FIELD(output_attentions);
  FATHOM_FIELD(output_hidden_states);
  FATHOM_FIELD(output_scores);
  FATHOM_FIELD(output_logits);
  FATHOM_FIELD(return_dict_in_generate);
#undef FATHOM_FIELD
}

// Negative special ids stand in published files for "none".
std::optional<std::vector<int64_t>> ReadSpecialIds(ConfigReader& r, std::string_view key) {
  std::optional<std::vector<int64_t>> ids =
      r.IntOrList(key, {std::numeric_limits<int64_t>::min(), kId.high});
  if (!ids) return ids;
  std::erase_if(*ids, [](int64_t id) { return id < 0; });
  if (ids->empty()) return std::nullopt;
  return ids;
}

std::optional<int64_t> ReadSpecialId(ConfigReader& r, std::string_view key) {
  const std::optional<std::vector<int64_t>> ids = ReadSpecialIds(r, key);
  return ids ? std::optional(ids->front()) : std::nullopt;
}

std::optional<std::vector<int64_t>> ReadIds(ConfigReader& r, std::string_view key) {
  return r.IntOrList(key, kId);
}

// One list of ids, not empty.
std::vector<int64_t> ReadIdList(ConfigReader& r, std::string_view key, const JsonValue& value) {
  std::vector<int64_t> ids;
  if (!value.is_array() || value.as_array().empty()) {
    r.Refuse(key, ShownJson(value), "where a non-empty list of ids is required");
    return ids;
  }
  for (const JsonValue& id : value.as_array()) {
    if (!id.is_int() || id.as_int() < kId.low || id.as_int() > kId.high) {
      r.Refuse(key, ShownJson(id), "is no token id");
      return ids;
    }
    ids.push_back(id.as_int());
  }
  return ids;
}

// The items of a list that must not be empty; null pointer where absent or refused.
const JsonArray* ReadItems(ConfigReader& r, std::string_view key) {
  const JsonValue* value = r.Value(key);
  if (value == nullptr) return nullptr;
  if (value->is_array() && !value->as_array().empty()) return &value->as_array();
  r.Refuse(key, ShownJson(*value), "where a non-empty list is required");
  return nullptr;
}

void ReadBadWords(ConfigReader& r, GenerationConfig& c) {
  const JsonArray* items = ReadItems(r, "bad_words_ids");
  if (items == nullptr) return;
  c.bad_words_ids.emplace();
  for (const JsonValue& item : *items) {
    c.bad_words_ids->push_back(ReadIdList(r, "bad_words_ids", item));
  }
}

// [[[ids], bias], ...]
void ReadSequenceBias(ConfigReader& r, GenerationConfig& c) {
  const JsonArray* items = ReadItems(r, "sequence_bias");
  if (items == nullptr) return;
  c.sequence_bias.emplace();
  for (const JsonValue& item : *items) {
    if (!item.is_array() || item.as_array().size() != 2 || !item.as_array()[1].is_number()) {
      r.Refuse("sequence_bias", ShownJson(item), "where [[ids], bias] is required");
      return;
    }
    c.sequence_bias->push_back(
        {ReadIdList(r, "sequence_bias", item.as_array()[0]), item.as_array()[1].as_double()});
  }
}

// [start, factor]
void ReadDecay(ConfigReader& r, GenerationConfig& c) {
  const std::string_view key = "exponential_decay_length_penalty";
  const JsonValue* value = r.Value(key);
  if (value == nullptr) return;
  if (!value->is_array() || value->as_array().size() != 2 || !value->as_array()[0].is_int() ||
      value->as_array()[0].as_int() < 0 || value->as_array()[0].as_int() > kCount.high ||
      !value->as_array()[1].is_number()) {
    r.Refuse(key, ShownJson(*value), "where [start, factor] is required");
    return;
  }
  c.exponential_decay_length_penalty = {value->as_array()[0].as_int(),
                                        value->as_array()[1].as_double()};
}

void ReadEarlyStopping(ConfigReader& r, GenerationConfig& c) {
  const JsonValue* value = r.Value("early_stopping");
  if (value == nullptr) return;
  if (value->is_bool()) {
    c.early_stopping = value->as_bool() ? "true" : "false";
  } else if (value->is_string() && value->as_string() == "never") {
    c.early_stopping = "never";
  } else {
    r.Refuse("early_stopping", ShownJson(*value), "is neither a boolean nor \"never\"");
  }
}

void ReadLengthAndStrategy(ConfigReader& r, GenerationConfig& c) {
  c.max_length = r.OptionalInt("max_length", {}, kCount);
  c.max_new_tokens = r.OptionalInt("max_new_tokens", {}, kAtLeastOne);
  c.min_length = r.OptionalInt("min_length", {}, kCount);
  c.min_new_tokens = r.OptionalInt("min_new_tokens", {}, kCount);
  c.max_time = r.OptionalNumber("max_time", {}, {});
  c.stop_strings = r.StringOrList("stop_strings");
  c.do_sample = r.OptionalBool("do_sample");
  c.num_beams = r.OptionalInt("num_beams", {}, {1, 1 << 16});
  c.num_return_sequences = r.OptionalInt("num_return_sequences", {}, {1, 1 << 16});
  ReadEarlyStopping(r, c);
  c.length_penalty = r.OptionalNumber("length_penalty", {}, {});
  c.use_cache = r.OptionalBool("use_cache");
  c.cache_implementation = r.OptionalString("cache_implementation");
  c.disable_compile = r.OptionalBool("disable_compile");
}

void ReadProcessors(ConfigReader& r, GenerationConfig& c) {
  c.guidance_scale = r.OptionalNumber("guidance_scale", {}, {});
  ReadSequenceBias(r, c);
  c.encoder_repetition_penalty = r.OptionalNumber("encoder_repetition_penalty", {}, {});
  c.repetition_penalty = r.OptionalNumber("repetition_penalty", {}, {});
  c.no_repeat_ngram_size = r.OptionalInt("no_repeat_ngram_size", {}, kCount);
  c.encoder_no_repeat_ngram_size = r.OptionalInt("encoder_no_repeat_ngram_size", {}, kCount);
  ReadBadWords(r, c);
  c.forced_bos_token_id = ReadSpecialId(r, "forced_bos_token_id");
  c.forced_eos_token_id = ReadSpecialIds(r, "forced_eos_token_id");
  c.remove_invalid_values = r.OptionalBool("remove_invalid_values");
  ReadDecay(r, c);
  c.suppress_tokens = ReadIds(r, "suppress_tokens");
  c.begin_suppress_tokens = ReadIds(r, "begin_suppress_tokens");
  c.temperature = r.OptionalNumber("temperature", {}, {});
  c.top_h = r.OptionalNumber("top_h", {}, {});
  c.top_k = r.OptionalInt("top_k", {}, {-kCount.high, kCount.high});
  c.top_p = r.OptionalNumber("top_p", {}, {});
  c.min_p = r.OptionalNumber("min_p", {}, {});
  c.typical_p = r.OptionalNumber("typical_p", {}, {});
  c.epsilon_cutoff = r.OptionalNumber("epsilon_cutoff", {}, {});
  c.eta_cutoff = r.OptionalNumber("eta_cutoff", {}, {});
  c.renormalize_logits = r.OptionalBool("renormalize_logits");
}

// The one place that turns a bad value into a Status.
class Checker {
 public:
  Checker(StatusCode code, std::string_view file) : code_(code), file_(file) {}

  void Refuse(std::string_view field, std::string value, std::string limit,
              std::string remedy = {}) {
    if (!status_.ok()) return;
    // The command line spells it --top-k.
    std::string name(field);
    if (code_ == StatusCode::kUsage) {
      std::replace(name.begin(), name.end(), '_', '-');
      name = "--" + name;
    }
    status_ = Status(code_, {file_, name, std::move(value), std::move(limit), std::move(remedy)});
  }
  void Number(std::string_view field, std::optional<double> value, bool good,
              std::string_view limit, std::string remedy = {}) {
    if (value && !good) {
      Refuse(field, fmt::format("{}", *value), fmt::format("is not {}", limit), std::move(remedy));
    }
  }
  Status status() const { return status_; }

 private:
  StatusCode code_;
  std::string file_;
  Status status_;
};

void CheckSampling(const GenerationConfig& c, Checker& check) {
  const double temperature = c.temperature.value_or(1);
  check.Number("temperature", c.temperature, temperature > 0, "above 0",
               temperature == 0 ? "for greedy decoding leave sampling off (do_sample false)" : "");
  check.Number("top_h", c.top_h, c.top_h > 0 && c.top_h <= 1, "above 0 and at most 1");
  if (c.top_k && *c.top_k < 0) {
    check.Refuse("top_k", fmt::format("{}", *c.top_k), "is negative", "0 switches it off");
  }
  const auto part = [](std::optional<double> value) { return value >= 0 && value <= 1; };
  check.Number("top_p", c.top_p, part(c.top_p), "from 0 to 1");
  check.Number("min_p", c.min_p, part(c.min_p), "from 0 to 1");
  check.Number("typical_p", c.typical_p, c.typical_p > 0 && c.typical_p <= 1,
               "above 0 and at most 1");
  check.Number("epsilon_cutoff", c.epsilon_cutoff, part(c.epsilon_cutoff), "from 0 to 1");
  check.Number("eta_cutoff", c.eta_cutoff, part(c.eta_cutoff), "from 0 to 1");
}

// A token that is both forced and suppressed leaves no token at all.
void CheckForced(const GenerationConfig& c, std::string_view field,
                 const std::vector<int64_t>& forced, Checker& check) {
  if (!c.suppress_tokens || forced.empty()) return;
  const auto& suppressed = *c.suppress_tokens;
  const bool all = std::all_of(forced.begin(), forced.end(), [&](int64_t id) {
    return std::find(suppressed.begin(), suppressed.end(), id) != suppressed.end();
  });
  if (all) check.Refuse(field, fmt::format("{}", forced[0]), "is also in suppress_tokens");
}

// Python's reading of config.json for a GenerationConfig: nulls count as absent, which the readers
// do anyhow, and outputs that are asked for need the dictionary.
Result<GenerationConfig> FromModelConfig(const std::string& path) {
  FATHOM_ASSIGN(const std::string json, ReadTextFile(path, kMaxConfigBytes));
  FATHOM_ASSIGN(const JsonValue object, ParseJson(json, path));
  FATHOM_ASSIGN(GenerationConfig config, GenerationConfig::FromJson(object, path));
  if (const JsonValue* text = object.Find("text_config"); text != nullptr && text->is_object()) {
    FATHOM_ASSIGN(GenerationConfig inner, GenerationConfig::FromJson(*text, path));
    inner.OverlayWith(config);
    config = std::move(inner);
  }
  if (config.output_attentions == true || config.output_hidden_states == true ||
      config.output_scores == true || config.output_logits == true) {
    config.return_dict_in_generate = true;
  }
  return config;
}

}  // namespace

Result<GenerationConfig> GenerationConfig::FromJson(const JsonValue& object,
                                                    const std::string& path) {
  if (!object.is_object()) {
    return Status::BadFile(path, "", ShownJson(object), "where an object is required");
  }
  ConfigReader reader(path, object);
  GenerationConfig config;
  ReadLengthAndStrategy(reader, config);
  ReadProcessors(reader, config);
  config.bos_token_id = ReadSpecialId(reader, "bos_token_id");
  config.eos_token_id = ReadSpecialIds(reader, "eos_token_id");
  config.pad_token_id = ReadSpecialId(reader, "pad_token_id");
  config.output_attentions = reader.OptionalBool("output_attentions");
  config.output_hidden_states = reader.OptionalBool("output_hidden_states");
  config.output_scores = reader.OptionalBool("output_scores");
  config.output_logits = reader.OptionalBool("output_logits");
  config.return_dict_in_generate = reader.OptionalBool("return_dict_in_generate");
  FATHOM_TRY(reader.status());
  return config;
}

Result<GenerationConfig> GenerationConfig::OpenFile(const std::string& path) {
  FATHOM_ASSIGN(const std::string json, ReadTextFile(path, kMaxConfigBytes));
  FATHOM_ASSIGN(const JsonValue object, ParseJson(json, path));
  return FromJson(object, path);
}

Result<GenerationConfig> GenerationConfig::OpenFolder(const std::string& folder) {
  const std::filesystem::path path = folder;
  std::error_code error;
  const std::string file = (path / "generation_config.json").string();
  if (std::filesystem::exists(file, error)) return OpenFile(file);
  return FromModelConfig((path / "config.json").string());
}

void GenerationConfig::OverlayWith(const GenerationConfig& over) {
  ForEachField(*this, over, [](std::string_view, auto& mine, const auto& theirs) {
    if (theirs) mine = theirs;
  });
}

GenerationConfig GenerationConfig::WithDefaults() const {
  // _get_default_generation_params, as far as decoders use them.
  GenerationConfig config;
  config.max_length = 20;
  config.min_length = 0;
  config.do_sample = false;
  config.use_cache = true;
  config.early_stopping = "false";
  config.num_beams = 1;
  config.temperature = 1.0;
  config.top_k = 50;
  config.top_p = 1.0;
  config.typical_p = 1.0;
  config.repetition_penalty = 1.0;
  config.length_penalty = 1.0;
  config.no_repeat_ngram_size = 0;
  config.num_return_sequences = 1;
  config.output_scores = false;
  config.return_dict_in_generate = false;
  config.remove_invalid_values = false;
  config.epsilon_cutoff = 0.0;
  config.eta_cutoff = 0.0;
  config.OverlayWith(*this);
  return config;
}

Status GenerationConfig::Validate(StatusCode code, std::string_view file) const {
  Checker check(code, file);
  check.Number("repetition_penalty", repetition_penalty, repetition_penalty > 0, "above 0");
  if (do_sample == true) CheckSampling(*this, check);
  if (num_return_sequences > 1) {
    const int64_t beams = num_beams.value_or(1);
    if (beams == 1 && do_sample != true) {
      check.Refuse("num_return_sequences", fmt::format("{}", *num_return_sequences),
                   "is more than the 1 that greedy decoding yields");
    } else if (beams > 1 && *num_return_sequences > beams) {
      check.Refuse("num_return_sequences", fmt::format("{}", *num_return_sequences),
                   fmt::format("exceeds num_beams, {}", beams));
    }
  }
  if (forced_bos_token_id) CheckForced(*this, "forced_bos_token_id", {*forced_bos_token_id}, check);
  if (forced_eos_token_id) CheckForced(*this, "forced_eos_token_id", *forced_eos_token_id, check);
  return check.status();
}

}  // namespace fathom
