#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "sampling/processor.h"

namespace fathom {

namespace {

constexpr int64_t kTopN = 100;  // TopHLogitsWarper looks at this many tokens only

// The best kTopN entries, best first; among equal ones the lowest id first.
std::vector<int64_t> BestEntries(ScoreRow& row) {
  const auto scores = row.scores();
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const int64_t n = std::min<int64_t>(kTopN, row.size());
  std::partial_sort(order.begin(), order.begin() + n, order.end(), [&](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  order.resize(n);
  return order;
}

// TopHLogitsWarper (Top-H decoding, Potraka et al. 2025): as many of the best as together have the
// share top_h of the entropy.
std::span<const uint8_t> Choose(const RowContext& context, ScoreRow& row) {
  const std::vector<int64_t> best = BestEntries(row);
  const auto scores = row.scores();
  const float max = scores[best[0]];
  double sum = 0;
  for (const int64_t i : best) sum += ExpNegative(scores[i] - max);
  const float normalizer = max + std::log(static_cast<float>(sum));
  std::vector<float> terms;  // -p log p
  double entropy = 0;        // as torch's Categorical has it: of the normalized scores
  for (const int64_t i : best) {
    const float p = ExpNegative(scores[i] - max) / static_cast<float>(sum);
    terms.push_back(-p * std::log(p));  // NaN for p = 0: nothing after it is kept
    if (p > 0) entropy -= (scores[i] - normalizer) * p;
  }
  const float limit = static_cast<float>(entropy) * static_cast<float>(*context.params.top_h);
  const auto mask = row.Mask(row.size(), 0);
  double cumulative = 0;
  for (size_t i = 0; i < best.size(); ++i) {
    cumulative += terms[i];
    if (i == 0 || static_cast<float>(cumulative) <= limit) mask[best[i]] = 1;
  }
  return mask;
}

void Reference(const RowContext& context, ScoreRow& row) { row.KeepDense(Choose(context, row)); }
void Partial(const RowContext& context, ScoreRow& row) {
  if (!row.compact()) row.NarrowTo(row.BoundOfKth(std::min(kTopN, row.size())));
  row.KeepCompact(Choose(context, row));
}

}  // namespace

const LogitsProcessor& processor_top_h() {
  static const LogitsProcessor record{
      .name = "top_h",
      .formula = "the best tokens while their cumulative entropy <= top_h * that of the best 100",
      .order = processor_order::kTopH,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.top_h.has_value(); },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
