#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "sampling/nucleus.h"
#include "sampling/processor.h"
#include "sampling/select.h"

namespace fathom {

namespace {

// TopPLogitsWarper (Holtzman et al. 2019): scores in ascending order are removed while their
// cumulative probability is <= 1 - top_p; the best one stays. Among equal scores the highest ids go
// first. The cumulative sum is exact (select.h), so both arms agree.
struct Limit {
  explicit Limit(double top_p) : value(static_cast<float>(1 - top_p)) {}
  bool operator()(uint64_t weight) const { return WeightToFloat(weight) > value; }  // kept
  float value;
};

void Reference(const RowContext& context, ScoreRow& row) {
  const Limit kept(context.params.top_p);
  const auto probs = row.Softmax();
  const auto scores = row.scores();
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a > b;
  });
  const auto mask = row.Mask(row.size(), 0);
  uint64_t cumulative = 0;
  for (const int64_t i : order) {
    cumulative += ProbabilityWeight(probs[i]);
    mask[i] = kept(cumulative);
  }
  mask[order.back()] = 1;
  row.KeepDense(mask);
}

// Few entries: in order, each as one number (score, then the id backwards).
constexpr int64_t kFew = 256;
void PartialOfFew(const Limit& kept, ScoreRow& row) {
  const auto scores = row.scores();
  const auto probs = row.Softmax();
  std::array<std::pair<uint64_t, uint32_t>, kFew> order;
  const size_t size = scores.size();
  for (size_t i = 0; i < size; ++i) {
    const uint64_t key = uint64_t{OrderedKey(scores[i])} << 32 | ~static_cast<uint32_t>(i);
    order[i] = {key, static_cast<uint32_t>(i)};
  }
  std::sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(size));
  const auto mask = row.Mask(row.size(), 0);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < size; ++i) {
    cumulative += ProbabilityWeight(probs[order[i].second]);
    mask[order[i].second] = kept(cumulative);
  }
  mask[order[size - 1].second] = 1;
  row.KeepCompact(mask);
}

void Partial(const RowContext& context, ScoreRow& row) {
  const Limit kept(context.params.top_p);
  if (row.size() <= kFew) return PartialOfFew(kept, row);
  if (!row.compact() && NarrowToNucleus(kept.value, row)) return;
  const auto probs = row.Softmax();
  const auto scores = row.scores();
  std::vector<uint32_t> keys(scores.size());
  std::ranges::transform(scores, keys.begin(), OrderedKey);
  const auto weight = [&](size_t i) { return ProbabilityWeight(probs[i]); };
  const Boundary boundary = SelectBoundary(std::span<const uint32_t>(keys), weight, kept);
  const auto mask = row.Mask(row.size(), 0);
  int64_t last = -1;  // of the boundary's ties the lowest id stays last
  uint64_t cumulative = boundary.weight_before;
  for (int64_t i = row.size() - 1; i >= 0; --i) {
    mask[i] = keys[i] > boundary.key;
    if (keys[i] != boundary.key) continue;
    cumulative += weight(i);
    mask[i] = kept(cumulative);
    last = i;
  }
  if (!boundary.found) mask[last] = 1;
  row.KeepCompact(mask);
}

}  // namespace

const LogitsProcessor& processor_top_p() {
  static const LogitsProcessor record{
      .name = "top_p",
      .formula = "ascending scores go while their cumulative probability <= 1 - top_p",
      .order = processor_order::kTopP,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.top_p < 1.0; },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
