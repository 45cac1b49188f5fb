#include <algorithm>

#include "sampling/cutoff.h"
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

// p < min_p * max p does not hang on the sum of the exponentials, but for what is rounded: only
// where an entry stands that near to the limit is the whole row added up.
void Partial(const RowContext& context, ScoreRow& row) {
  const auto share = static_cast<float>(*context.params.min_p);
  if (row.compact() || !(share > 1e-20f)) return row.KeepCompact(Choose(context, row));
  const float best = row.Max();
  row.NarrowTo(std::min(best, BoundOfShare(best, share)));
  const auto scores = row.scores();
  const auto mask = row.Mask(row.size(), 0);
  bool near = false;
  for (size_t i = 0; i < scores.size(); ++i) {
    const float ratio = ExpNegative(scores[i] - best) / share;
    near |= std::abs(ratio - 1) < 1e-6f;
    mask[i] = ratio >= 1;
  }
  if (near) {
    row.Widen();
    return row.KeepCompact(Choose(context, row));
  }
  row.KeepCompact(mask);
}

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
