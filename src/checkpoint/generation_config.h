// GenerationConfig: how text is generated: generation_config.json, in the terms of transformers'
// GenerationConfig (generation/configuration_utils.py) and of the processors that `generate` makes
// of it (generation/utils.py, _get_logits_processor).
//
// A field that a file does not set, or sets to null, is nullopt: then the next source counts, in
// the order command line, generation_config.json, defaults (OverlayWith, WithDefaults).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"

namespace fathom {

// A sequence of ids and what is added to the logit of its last one.
struct SequenceBias {
  std::vector<int64_t> ids;  // not empty
  double bias = 0;
  friend bool operator==(const SequenceBias&, const SequenceBias&) = default;
};

struct ExponentialDecay {
  int64_t start = 0;  // new tokens until it sets in
  double factor = 1;
  friend bool operator==(const ExponentialDecay&, const ExponentialDecay&) = default;
};

struct GenerationConfig {
  // Length, in tokens.
  std::optional<int64_t> max_length;
  std::optional<int64_t> max_new_tokens;
  std::optional<int64_t> min_length;
  std::optional<int64_t> min_new_tokens;
  std::optional<double> max_time;  // seconds
  std::optional<std::vector<std::string>> stop_strings;

  // Strategy.
  std::optional<bool> do_sample;
  std::optional<int64_t> num_beams;
  std::optional<int64_t> num_return_sequences;
  std::optional<std::string> early_stopping;  // "true", "false", "never"
  std::optional<double> length_penalty;
  std::optional<bool> use_cache;
  std::optional<std::string> cache_implementation;
  std::optional<bool> disable_compile;

  // Processors of the logits.
  std::optional<double> guidance_scale;
  std::optional<std::vector<SequenceBias>> sequence_bias;
  std::optional<double>
      encoder_repetition_penalty;  // `generate` takes the prompt as encoder's input
  std::optional<double> repetition_penalty;
  std::optional<int64_t> no_repeat_ngram_size;
  std::optional<int64_t> encoder_no_repeat_ngram_size;
  std::optional<std::vector<std::vector<int64_t>>> bad_words_ids;
  std::optional<int64_t> forced_bos_token_id;
  std::optional<std::vector<int64_t>> forced_eos_token_id;
  std::optional<bool> remove_invalid_values;
  std::optional<ExponentialDecay> exponential_decay_length_penalty;
  std::optional<std::vector<int64_t>> suppress_tokens;
  std::optional<std::vector<int64_t>> begin_suppress_tokens;
  std::optional<double> temperature;
  std::optional<double> top_h;
  std::optional<int64_t> top_k;  // 0: off
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> typical_p;
  std::optional<double> epsilon_cutoff;
  std::optional<double> eta_cutoff;
  std::optional<bool> renormalize_logits;

  // Special tokens. Negative ids of a file are dropped.
  std::optional<int64_t> bos_token_id;
  std::optional<std::vector<int64_t>> eos_token_id;
  std::optional<int64_t> pad_token_id;

  // What `generate` returns besides the ids.
  std::optional<bool> output_attentions;
  std::optional<bool> output_hidden_states;
  std::optional<bool> output_scores;
  std::optional<bool> output_logits;
  std::optional<bool> return_dict_in_generate;

  friend bool operator==(const GenerationConfig&, const GenerationConfig&) = default;

  // Reads generation_config.json of a model folder. Where there is none: derived from config.json,
  // as transformers does (from_model_config: the fields that stand in the file itself, then those
  // of its text_config; not the defaults of the configuration class).
  static Result<GenerationConfig> OpenFolder(const std::string& folder);
  // Reads a file of this kind under any name.
  static Result<GenerationConfig> OpenFile(const std::string& path);
  // From JSON; `path` is for messages. Types and what no setting allows are checked here; what
  // depends on do_sample is left to Validate, for a caller may yet set it.
  static Result<GenerationConfig> FromJson(const JsonValue& object, const std::string& path);

  // The fields that `over` has set replace those here.
  void OverlayWith(const GenerationConfig& over);
  // What is unset gets the global default of `generate`: max_length 20, do_sample false,
  // temperature 1, top_k 50, top_p 1, typical_p 1, repetition_penalty 1, use_cache true ...
  GenerationConfig WithDefaults() const;

  // Whether the processors take these values, as `generate` checks them when it makes them: with
  // do_sample temperature > 0 (0 gets a hint to greedy), top_k >= 0, 0 <= top_p <= 1 ... . `code`
  // and `file` go into the Status: kBadFile and the path, or kUsage for the command line.
  Status Validate(StatusCode code = StatusCode::kBadFile, std::string_view file = {}) const;
};

}  // namespace fathom
