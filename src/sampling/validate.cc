// The values that transformers' processors refuse when they are made
// (generation/logits_process.py), told as usage errors. Whole numbers are taken where Python wants
// a float.
#include <fmt/format.h>

#include <cmath>

#include "fathom/sampling.h"

namespace fathom {

namespace {

Status Refuse(std::string_view field, std::string value, std::string_view wanted,
              std::string_view remedy = {}) {
  return Status::Usage(std::string(field), fmt::format("{} is not {}", value, wanted),
                       std::string(remedy));
}

// NaN fails every comparison, so each check says what it wants.
Status CheckNumbers(const SamplingParams& params) {
  const auto number = [](double value) { return fmt::format("{}", value); };
  if (!(params.repetition_penalty > 0) || std::isinf(params.repetition_penalty)) {
    return Refuse("repetition_penalty", number(params.repetition_penalty), "a number above 0");
  }
  if (!(params.encoder_repetition_penalty > 0) || std::isinf(params.encoder_repetition_penalty)) {
    return Refuse("encoder_repetition_penalty", number(params.encoder_repetition_penalty),
                  "a number above 0");
  }
  if (params.do_sample && params.temperature == 0) {
    return Refuse("temperature", "0", "above 0", "greedy decoding is do_sample = false");
  }
  if (params.do_sample && (!(params.temperature > 0) || std::isinf(params.temperature))) {
    return Refuse("temperature", number(params.temperature), "a number above 0");
  }
  if (params.no_repeat_ngram_size < 0) {
    return Refuse("no_repeat_ngram_size", fmt::format("{}", params.no_repeat_ngram_size),
                  "0 or more");
  }
  if (params.encoder_no_repeat_ngram_size < 0) {
    return Refuse("encoder_no_repeat_ngram_size",
                  fmt::format("{}", params.encoder_no_repeat_ngram_size), "0 or more");
  }
  if (params.min_length < 0) {
    return Refuse("min_length", fmt::format("{}", params.min_length), "0 or more");
  }
  if (params.min_new_tokens.value_or(0) < 0) {
    return Refuse("min_new_tokens", fmt::format("{}", *params.min_new_tokens), "0 or more");
  }
  if (params.exponential_decay_length_penalty.has_value() &&
      !std::isfinite(params.exponential_decay_length_penalty->second)) {
    return Refuse("exponential_decay_length_penalty",
                  number(params.exponential_decay_length_penalty->second), "a finite factor");
  }
  return Status::Ok();
}

Status CheckSamplingNumbers(const SamplingParams& params) {
  const auto number = [](double value) { return fmt::format("{}", value); };
  if (params.top_h.has_value() && !(*params.top_h > 0 && *params.top_h <= 1)) {
    return Refuse("top_h", number(*params.top_h), "above 0 and at most 1");
  }
  if (params.top_k < 0) {
    return Refuse("top_k", fmt::format("{}", params.top_k), "0 (off) or more");
  }
  if (!(params.top_p >= 0)) return Refuse("top_p", number(params.top_p), "between 0 and 1");
  if (params.min_p.has_value() && !(*params.min_p >= 0 && *params.min_p <= 1)) {
    return Refuse("min_p", number(*params.min_p), "between 0 and 1");
  }
  if (!(params.typical_p > 0)) {
    return Refuse("typical_p", number(params.typical_p), "above 0 and at most 1");
  }
  if (std::isnan(params.epsilon_cutoff)) {
    return Refuse("epsilon_cutoff", "nan", "between 0 and 1");
  }
  if (std::isnan(params.eta_cutoff)) return Refuse("eta_cutoff", "nan", "between 0 and 1");
  return Status::Ok();
}

Status CheckIds(std::string_view field, const std::vector<int32_t>& ids, int64_t vocab_size) {
  if (ids.empty()) return Refuse(field, "an empty list", "a list of token ids");
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size) {
      return Refuse(field, fmt::format("token id {}", id), fmt::format("below {}", vocab_size));
    }
  }
  return Status::Ok();
}

}  // namespace

Status ValidateSampling(const SamplingParams& params, int64_t vocab_size) {
  FATHOM_TRY(CheckNumbers(params));
  if (params.do_sample) FATHOM_TRY(CheckSamplingNumbers(params));
  for (const TokenBias& entry : params.sequence_bias) {
    FATHOM_TRY(CheckIds("sequence_bias", entry.ids, vocab_size));
    if (std::isnan(entry.bias)) return Refuse("sequence_bias", "nan", "a number");
  }
  for (const auto& word : params.bad_words_ids) {
    FATHOM_TRY(CheckIds("bad_words_ids", word, vocab_size));
  }
  if (params.forced_bos_token_id.has_value()) {
    FATHOM_TRY(CheckIds("forced_bos_token_id", {*params.forced_bos_token_id}, vocab_size));
  }
  if (!params.forced_eos_token_id.empty()) {
    FATHOM_TRY(CheckIds("forced_eos_token_id", params.forced_eos_token_id, vocab_size));
  }
  return Status::Ok();
}

}  // namespace fathom
