#include <cmath>

#include "sampling/processor.h"

namespace fathom {

namespace {

// ExponentialDecayLengthPenalty: eos becomes likelier with each token beyond the start.
void Apply(const RowContext& context, ScoreRow& row) {
  const auto [start, factor] = *context.params.exponential_decay_length_penalty;
  const int64_t beyond = static_cast<int64_t>(context.ids.size()) - (start + context.prompt_length);
  if (beyond <= 0) return;
  const auto growth = static_cast<float>(std::pow(factor, static_cast<double>(beyond)) - 1);
  for (const int32_t id : context.params.eos_token_id) {
    if (!row.Has(id)) continue;
    const float score = row.Get(id);
    if (std::isfinite(score)) row.Set(id, score + std::abs(score) * growth);
  }
}

}  // namespace

const LogitsProcessor& processor_exponential_decay_length_penalty() {
  static const LogitsProcessor record{
      .name = "exponential_decay_length_penalty",
      .formula = "eos += |eos| * (factor^n - 1), n tokens beyond the start",
      .order = processor_order::kExponentialDecayLength,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) {
            return params.exponential_decay_length_penalty.has_value();
          },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
