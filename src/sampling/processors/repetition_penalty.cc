#include "sampling/penalty.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// RepetitionPenaltyLogitsProcessor: once a distinct token, the prompt's included.
void Apply(const RowContext& context, ScoreRow& row) {
  Penalize(context.ids, static_cast<float>(context.params.repetition_penalty), row);
}

}  // namespace

const LogitsProcessor& processor_repetition_penalty() {
  static const LogitsProcessor record{
      .name = "repetition_penalty",
      .formula = "score < 0 ? score * p : score / p, for every token seen",
      .order = processor_order::kRepetitionPenalty,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return params.repetition_penalty != 1.0; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
