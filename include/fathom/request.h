// Request: what is asked of an engine for one prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/sampling.h"

namespace fathom {

// When a beam search ends: with num_beams finished texts (kTrue), once no running beam is likely to
// beat the worst of them (kFalse), or cannot (kNever).
enum class EarlyStopping { kFalse, kTrue, kNever };
// "true", "never"; anything else is kFalse.
EarlyStopping ParseEarlyStopping(std::string_view name);

struct Request {
  std::vector<int32_t> prompt_ids;  // at least one, each below the vocabulary's size

  SamplingParams sampling;

  // How long. Where none of the three is given: 20 new tokens, capped by max_position_embeddings,
  // as `generate`. until_context goes on until eos or the context (max_new_tokens wins over it).
  std::optional<int64_t> max_new_tokens;
  std::optional<int64_t> max_length;  // prompt included; max_new_tokens wins
  bool until_context = false;

  // The text ends before the first of these; needs a tokenizer. The ids keep all tokens.
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;

  uint64_t seed = 0;
  int num_return_sequences = 1;  // > 1 needs do_sample or as many beams; the prompt runs once
  // > 1: beam search. Its texts come whole, when all are done, best first.
  int num_beams = 1;
  double length_penalty = 1;  // exponent of the length by which a text's score is divided
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  bool use_cache = true;  // false: the whole prefix is recomputed for every token

  // Specials are left out of the text (ids always keep them).
  bool skip_special_tokens = true;
  // False: no text is made, for callers that want ids alone.
  bool want_text = true;
};

}  // namespace fathom
