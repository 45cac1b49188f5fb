#include <algorithm>
#include <functional>
#include <vector>

#include "sampling/processor.h"

namespace fathom {

namespace {

int64_t CountKept(const RowContext& context, ScoreRow& row) {
  return std::min(context.params.top_k, row.size());
}

// TopKLogitsWarper: all scores not below the k-th best, ties at the boundary included.
std::span<const uint8_t> AtLeast(float threshold, ScoreRow& row) {
  const auto mask = row.Mask(row.size(), 0);
  const auto scores = row.scores();
  for (size_t i = 0; i < scores.size(); ++i) mask[i] = !(scores[i] < threshold);
  return mask;
}

void Reference(const RowContext& context, ScoreRow& row) {
  std::vector<float> sorted(row.scores().begin(), row.scores().end());
  std::ranges::sort(sorted, std::greater<>());
  row.KeepDense(AtLeast(sorted[CountKept(context, row) - 1], row));
}

// A dense row is first narrowed to what reaches a bound that the k-th best score is not below; the
// k-th best of those few is then the k-th best of all.
void Partial(const RowContext& context, ScoreRow& row) {
  const int64_t k = CountKept(context, row);
  if (!row.compact()) row.NarrowTo(row.BoundOfKth(k));
  const auto scores = row.scores();
  const auto sorted = row.Scratch(scores.size());
  std::ranges::copy(scores, sorted.begin());
  std::ranges::nth_element(sorted, sorted.begin() + (k - 1), std::greater<>());
  const float threshold = sorted[static_cast<size_t>(k - 1)];
  row.KeepCompact(AtLeast(threshold, row));
}

}  // namespace

const LogitsProcessor& processor_top_k() {
  static const LogitsProcessor record{
      .name = "top_k",
      .formula = "-inf where score < the k-th best score",
      .order = processor_order::kTopK,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.top_k != 0; },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
