#include <limits>

#include "sampling/processor.h"

namespace fathom {

namespace {

// InfNanRemoveLogitsProcessor.
void Apply(const RowContext& context, ScoreRow& row) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kMax = std::numeric_limits<float>::max();
  for (float& score : row.scores()) {
    if (score != score) {
      score = 0;
    } else if (score == kInfinity) {
      score = kMax;
    } else if (score == -kInfinity) {
      score = -kMax;
    }
  }
}

}  // namespace

const LogitsProcessor& processor_remove_invalid_values() {
  static const LogitsProcessor record{
      .name = "remove_invalid_values",
      .formula = "NaN -> 0, inf -> largest float, -inf -> smallest",
      .order = processor_order::kRemoveInvalid,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return params.remove_invalid_values; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
