#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "sampling/processor.h"
#include "sampling/select.h"

namespace fathom {

namespace {

// TypicalLogitsWarper (Meister et al. 2022): the tokens whose surprise is nearest to the entropy,
// until they hold the mass typical_p. Ties with the last one stay.
struct Limit {
  explicit Limit(double mass) : value(static_cast<float>(mass)) {}
  bool operator()(uint64_t weight) const { return !(WeightToFloat(weight) < value); }
  float value;
};

// |-log p - entropy| of every entry.
std::vector<float> Distances(ScoreRow& row) {
  const float normalizer = row.LogSumExp();
  const double entropy = row.Entropy(normalizer);
  const auto scores = row.scores();
  std::vector<float> distances(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    distances[i] = std::abs(-(scores[i] - normalizer) - static_cast<float>(entropy));
  }
  return distances;
}

std::span<const uint8_t> UpTo(float threshold, const std::vector<float>& distances, ScoreRow& row) {
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < distances.size(); ++i) mask[i] = !(distances[i] > threshold);
  return mask;
}

void Reference(const RowContext& context, ScoreRow& row) {
  const Limit reached(context.params.typical_p);
  const std::vector<float> distances = Distances(row);
  const auto probs = row.Softmax();
  std::vector<int64_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int64_t i) { return distances[i]; });
  uint64_t cumulative = 0;
  float threshold = distances[order.back()];
  for (const int64_t i : order) {
    cumulative += ProbabilityWeight(probs[i]);
    if (!reached(cumulative)) continue;
    threshold = distances[i];
    break;
  }
  row.KeepDense(UpTo(threshold, distances, row));
}

void Partial(const RowContext& context, ScoreRow& row) {
  const Limit reached(context.params.typical_p);
  const std::vector<float> distances = Distances(row);
  const auto probs = row.Softmax();
  std::vector<uint32_t> keys(distances.size());
  std::ranges::transform(distances, keys.begin(), OrderedKey);
  const Boundary boundary = SelectBoundary(
      std::span<const uint32_t>(keys), [&](size_t i) { return ProbabilityWeight(probs[i]); },
      reached);
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < keys.size(); ++i) mask[i] = keys[i] <= boundary.key;
  row.KeepCompact(mask);
}

}  // namespace

const LogitsProcessor& processor_typical_p() {
  static const LogitsProcessor record{
      .name = "typical_p",
      .formula = "the tokens of least |-log p - entropy| that hold the mass typical_p",
      .order = processor_order::kTypicalP,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.typical_p < 1.0; },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
