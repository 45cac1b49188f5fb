// Sampling: from one row of logits to the tokens that may follow and their probabilities.
//
// Names, order, conditions and defaults are those of transformers' GenerationConfig and
// `_get_logits_processor` (generation/utils.py, 5.23). One record a processor: src/sampling.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// The ids of a token sequence and what is added to the score of its last id (sequence_bias).
struct TokenBias {
  std::vector<int32_t> ids;
  float bias = 0;
};

// The defaults are the global ones of `generate`; an empty optional is Python's None.
struct SamplingParams {
  bool do_sample = false;

  // Always applied, in this order.
  std::vector<TokenBias> sequence_bias;
  double encoder_repetition_penalty = 1.0;  // > 0; the prompt is the encoder's input
  double repetition_penalty = 1.0;          // > 0; the prompt's tokens count too
  int64_t no_repeat_ngram_size = 0;
  int64_t encoder_no_repeat_ngram_size = 0;  // n-grams of the prompt
  std::vector<std::vector<int32_t>> bad_words_ids;
  int64_t min_length = 0;                 // prompt included
  std::optional<int64_t> min_new_tokens;  // given, it replaces min_length
  std::optional<int32_t> forced_bos_token_id;
  std::vector<int32_t> forced_eos_token_id;
  bool remove_invalid_values = false;
  // (tokens generated before it sets in, factor a token)
  std::optional<std::pair<int64_t, double>> exponential_decay_length_penalty;
  std::vector<int32_t> suppress_tokens;
  std::vector<int32_t> begin_suppress_tokens;

  // Only with do_sample, in this order.
  double temperature = 1.0;     // > 0
  std::optional<double> top_h;  // (0, 1]
  int64_t top_k = 50;           // 0: off; the default counts only with do_sample
  double top_p = 1.0;           // [0, 1]; 1: off
  std::optional<double> min_p;  // [0, 1]
  double typical_p = 1.0;       // (0, 1]; 1: off
  double epsilon_cutoff = 0;    // off outside (0, 1)
  double eta_cutoff = 0;        // off outside (0, 1)

  bool renormalize_logits = false;

  // What the processors above need to know of the model and the request.
  std::vector<int32_t> eos_token_id;  // several may end a text
  std::optional<int64_t> max_length;  // prompt included; for forced_eos_token_id
};

// Row 8 (`top_k`): kPartial selects what is kept, kFullSort sorts the vocabulary. Both keep the
// same tokens with the same probabilities.
enum class SamplingArm { kPartial, kFullSort };

// The tokens whose score is not -inf after all processors, ids ascending, and softmax over them
// (float32; the sum is 1 up to rounding).
struct TokenDistribution {
  std::vector<int32_t> ids;
  std::vector<float> probs;
};

// A generation_config.json as `generate` would run it for a prompt of this length (max_length for
// forced_eos_token_id hangs on it). kBadFile as the model's own.
Result<SamplingParams> ReadSamplingParams(const std::string& path, int64_t prompt_length);

// Values that transformers refuses (kUsage naming the field), checked once a request.
// Token ids must be below vocab_size where the processor indexes by them.
Status ValidateSampling(const SamplingParams& params, int64_t vocab_size);

// Runs the processors that `params` asks for over `logits` [vocab_size]. `ids` is the prompt and
// what was generated so far, of which the first `prompt_length` are the prompt. kRunTime where the
// logits hold NaN or an infinity (unless remove_invalid_values), or where nothing is left to
// choose.
Result<TokenDistribution> ComputeDistribution(std::span<const float> logits,
                                              const SamplingParams& params,
                                              std::span<const int32_t> ids, int64_t prompt_length,
                                              SamplingArm arm = SamplingArm::kPartial);

// A uniform draw in [0, 1) that depends on nothing but its arguments (Philox 4x32-10, Salmon et al.
// 2011): batching, chunking and speculation never change a text. `position` is the index of the
// drawn token in its sequence, prompt included.
double UniformDraw(uint64_t seed, uint64_t sequence, uint64_t position);

// The first token, in ascending id order, at which the cumulative probability exceeds u.
int32_t PickToken(const TokenDistribution& distribution, double u);

}  // namespace fathom
