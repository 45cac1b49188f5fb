#include <algorithm>

#include "sampling/penalty.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// EncoderRepetitionPenaltyLogitsProcessor, the inverse: it favours what the prompt says. A
// decoder-only model has no encoder, and `generate` gives it the prompt.
void Apply(const RowContext& context, ScoreRow& row) {
  const auto length = std::min<size_t>(context.ids.size(), context.prompt_length);
  Penalize(context.ids.first(length),
           static_cast<float>(1 / context.params.encoder_repetition_penalty), row);
}

}  // namespace

const LogitsProcessor& processor_encoder_repetition_penalty() {
  static const LogitsProcessor record{
      .name = "encoder_repetition_penalty",
      .formula = "score < 0 ? score / p : score * p, for every token of the prompt",
      .order = processor_order::kEncoderRepetitionPenalty,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) { return params.encoder_repetition_penalty != 1.0; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
