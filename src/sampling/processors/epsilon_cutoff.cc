#include "sampling/cutoff.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// EpsilonLogitsWarper (Hewitt et al. 2022).
float Cutoff(const RowContext& context, ScoreRow&) {
  return static_cast<float>(context.params.epsilon_cutoff);
}

void Reference(const RowContext& context, ScoreRow& row) {
  row.KeepDense(ChooseAboveCutoff(Cutoff(context, row), row));
}
void Partial(const RowContext& context, ScoreRow& row) {
  KeepAboveCutoff(Cutoff(context, row), row);
}

}  // namespace

const LogitsProcessor& processor_epsilon_cutoff() {
  static const LogitsProcessor record{
      .name = "epsilon_cutoff",
      .formula = "-inf where p < epsilon, the best and its ties spared",
      .order = processor_order::kEpsilonCutoff,
      .only_sampling = true,
      .applies =
          [](const SamplingParams& params) {
            return params.epsilon_cutoff > 0 && params.epsilon_cutoff < 1;
          },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
