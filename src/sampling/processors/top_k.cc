#include <algorithm>
#include <functional>
#include <vector>

#include "sampling/processor.h"

namespace fathom {

namespace {

int64_t CountKept(const RowContext& context, const ScoreRow& row) {
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

// The k best of what was seen so far in a heap with the least of them on top: most scores are
// compared with it and left alone.
void Partial(const RowContext& context, ScoreRow& row) {
  const int64_t k = CountKept(context, row);
  const auto scores = row.scores();
  std::vector<float> best(scores.begin(), scores.begin() + k);
  std::ranges::make_heap(best, std::greater<>());
  for (const float score : scores.subspan(k)) {
    if (!(score > best.front())) continue;
    std::ranges::pop_heap(best, std::greater<>());
    best.back() = score;
    std::ranges::push_heap(best, std::greater<>());
  }
  row.KeepCompact(AtLeast(best.front(), row));
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
