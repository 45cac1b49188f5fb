#include "engine/generation_settings.h"

#include <algorithm>
#include <limits>

namespace fathom {

namespace {

constexpr int64_t kDefaultNewTokens = 20;

std::vector<int32_t> Ids(const std::optional<std::vector<int64_t>>& ids) {
  std::vector<int32_t> out;
  for (const int64_t id : ids.value_or(std::vector<int64_t>{})) {
    if (id >= 0 && id <= std::numeric_limits<int32_t>::max()) {
      out.push_back(static_cast<int32_t>(id));
    }
  }
  return out;
}

void SetProcessors(const GenerationConfig& config, SamplingParams& params) {
  for (const SequenceBias& entry : config.sequence_bias.value_or(std::vector<SequenceBias>{})) {
    params.sequence_bias.push_back({Ids(entry.ids), static_cast<float>(entry.bias)});
  }
  params.encoder_repetition_penalty = config.encoder_repetition_penalty.value_or(1);
  params.repetition_penalty = *config.repetition_penalty;
  params.no_repeat_ngram_size = *config.no_repeat_ngram_size;
  params.encoder_no_repeat_ngram_size = config.encoder_no_repeat_ngram_size.value_or(0);
  for (const auto& word : config.bad_words_ids.value_or(std::vector<std::vector<int64_t>>{})) {
    params.bad_words_ids.push_back(Ids(word));
  }
  params.min_length = *config.min_length;
  params.min_new_tokens = config.min_new_tokens;
  if (config.forced_bos_token_id.has_value()) {
    params.forced_bos_token_id = static_cast<int32_t>(*config.forced_bos_token_id);
  }
  params.forced_eos_token_id = Ids(config.forced_eos_token_id);
  params.remove_invalid_values = *config.remove_invalid_values;
  if (config.exponential_decay_length_penalty.has_value()) {
    params.exponential_decay_length_penalty = {config.exponential_decay_length_penalty->start,
                                               config.exponential_decay_length_penalty->factor};
  }
  params.suppress_tokens = Ids(config.suppress_tokens);
  params.begin_suppress_tokens = Ids(config.begin_suppress_tokens);
  params.renormalize_logits = config.renormalize_logits.value_or(false);
}

}  // namespace

SamplingParams SamplingParamsFrom(const GenerationConfig& config) {
  const GenerationConfig full = config.WithDefaults();
  SamplingParams params;
  params.do_sample = *full.do_sample;
  SetProcessors(full, params);
  params.temperature = *full.temperature;
  params.top_h = full.top_h;
  params.top_k = *full.top_k;
  params.top_p = *full.top_p;
  params.min_p = full.min_p;
  params.typical_p = *full.typical_p;
  params.epsilon_cutoff = *full.epsilon_cutoff;
  params.eta_cutoff = *full.eta_cutoff;
  params.eos_token_id = Ids(full.eos_token_id);
  return params;
}

EarlyStopping ParseEarlyStopping(std::string_view name) {
  if (name == "true") return EarlyStopping::kTrue;
  return name == "never" ? EarlyStopping::kNever : EarlyStopping::kFalse;
}

Request RequestFrom(const GenerationConfig& config) {
  Request request;
  request.sampling = SamplingParamsFrom(config);
  request.max_new_tokens = config.max_new_tokens;
  request.max_length = config.max_length;
  request.stop_strings = config.stop_strings.value_or(std::vector<std::string>{});
  request.num_return_sequences = static_cast<int>(config.num_return_sequences.value_or(1));
  request.num_beams = static_cast<int>(config.num_beams.value_or(1));
  request.length_penalty = config.length_penalty.value_or(1);
  request.early_stopping = ParseEarlyStopping(config.early_stopping.value_or("false"));
  request.use_cache = config.use_cache.value_or(true);
  return request;
}

int64_t LengthLimit(const Request& request, int64_t max_positions, int64_t context_length) {
  const auto prompt = static_cast<int64_t>(request.prompt_ids.size());
  int64_t limit = prompt + kDefaultNewTokens;
  if (request.max_new_tokens.has_value()) {
    limit = prompt + std::min(*request.max_new_tokens, context_length);
  } else if (request.until_context) {
    limit = context_length;
  } else if (request.max_length.has_value()) {
    limit = *request.max_length;
  } else if (max_positions > 0) {
    limit = std::min(limit, max_positions);
  }
  return std::min(limit, context_length);
}

Result<SamplingParams> ReadSamplingParams(const std::string& path, int64_t prompt_length) {
  FATHOM_ASSIGN(const GenerationConfig config, GenerationConfig::OpenFile(path));
  FATHOM_TRY(config.Validate(StatusCode::kBadFile, path));
  Request request = RequestFrom(config);
  request.prompt_ids.resize(static_cast<size_t>(std::max<int64_t>(prompt_length, 0)));
  constexpr int64_t kUnlimited = int64_t{1} << 62;
  request.sampling.max_length = LengthLimit(request, 0, kUnlimited);
  return request.sampling;
}

}  // namespace fathom
