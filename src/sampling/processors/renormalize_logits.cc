#include "sampling/processor.h"

namespace fathom {

namespace {

// LogitNormalization: log_softmax, always last.
void Apply(const RowContext& context, ScoreRow& row) {
  const float normalizer = row.LogSumExp();
  for (float& score : row.scores()) score -= normalizer;
}

}  // namespace

const LogitsProcessor& processor_renormalize_logits() {
  static const LogitsProcessor record{
      .name = "renormalize_logits",
      .formula = "score - log(sum(exp(score)))",
      .order = processor_order::kRenormalize,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return params.renormalize_logits; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
