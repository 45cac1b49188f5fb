// A logits processor: one record, one file of src/sampling/processors. What it computes is that of
// transformers' class of the same purpose (generation/logits_process.py); when it runs and in which
// order is that of `_get_logits_processor` (generation/utils.py).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fathom/sampling.h"
#include "sampling/score_row.h"

namespace fathom {

struct LogitsProcessor {
  std::string_view name;  // the field of GenerationConfig that switches it on
  std::string_view formula;
  int order;           // place in the chain; see processor_order below
  bool only_sampling;  // runs only with do_sample
  bool (*applies)(const SamplingParams& params);
  // The plain form: dense rows, a full sort where an order is needed.
  void (*reference)(const RowContext& context, ScoreRow& row);
  // The same result by partial selection; null where there is nothing to select.
  void (*partial)(const RowContext& context, ScoreRow& row) = nullptr;
};

// The order has meaning: it is that of `generate`, and the one list of it is here.
namespace processor_order {
enum : int {
  kSequenceBias,
  kEncoderRepetitionPenalty,
  kRepetitionPenalty,
  kNoRepeatNgram,
  kEncoderNoRepeatNgram,
  kBadWords,
  kMinLength,
  kMinNewTokens,
  kForcedBos,
  kForcedEos,
  kRemoveInvalid,
  kExponentialDecayLength,
  kSuppress,
  kBeginSuppress,
  kTemperature,
  kTopH,
  kTopK,
  kTopP,
  kMinP,
  kTypicalP,
  kEpsilonCutoff,
  kEtaCutoff,
  kRenormalize,
};
}  // namespace processor_order

// All records, in no particular order: written by the build.
std::span<const LogitsProcessor* const> AllLogitsProcessors();
// All records by `order`.
std::span<const LogitsProcessor* const> OrderedLogitsProcessors();

// Those that run for `params`, in order: asked once a request.
std::vector<const LogitsProcessor*> ActiveProcessors(const SamplingParams& params);

}  // namespace fathom
