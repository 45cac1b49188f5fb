#include <algorithm>

#include "sampling/processor.h"

namespace fathom {

namespace {

// MinPLogitsWarper (Nguyen et al. 2024); the best token is never below its own share.
std::span<const uint8_t> Choose(const RowContext& context, ScoreRow& row) {
  const auto probs = row.Softmax();
  const float limit = static_cast<float>(*context.params.min_p) * *std::ranges::max_element(probs);
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < probs.size(); ++i) mask[i] = !(probs[i] < limit);
  return mask;
}

void Reference(const RowContext& context, ScoreRow& row) { row.KeepDense(Choose(context, row)); }
void Partial(const RowContext& context, ScoreRow& row) { row.KeepCompact(Choose(context, row)); }

}  // namespace

const LogitsProcessor& processor_min_p() {
  static const LogitsProcessor record{
      .name = "min_p",
      .formula = "-inf where p < min_p * max p",
      .order = processor_order::kMinP,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.min_p.has_value(); },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
