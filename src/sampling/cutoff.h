// What epsilon_cutoff and eta_cutoff share.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "sampling/processor.h"

namespace fathom {

// A score that is certainly below every one with exp(score - best) >= share, whatever is rounded.
inline float BoundOfShare(float best, double share) {
  const double bound = double{best} + std::log(share);
  return static_cast<float>(bound - 1e-4 - 1e-6 * (std::abs(double{best}) + std::abs(bound)));
}

// Entries with p >= cutoff, and every entry tied with the best.
inline std::span<const uint8_t> ChooseAboveCutoff(float cutoff, ScoreRow& row) {
  const auto scores = row.scores();
  const auto probs = row.Softmax();
  const float best = row.Max();
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < scores.size(); ++i) mask[i] = !(probs[i] < cutoff && scores[i] < best);
  return mask;
}

// The same without a look at most entries: the sum is of all of them, but only those near the limit
// or above it are taken out of the row and compared.
inline void KeepAboveCutoff(float cutoff, ScoreRow& row) {
  if (row.compact() || !(cutoff > 1e-20f)) return row.KeepCompact(ChooseAboveCutoff(cutoff, row));
  const double sum = row.SumOfExponentials();
  const float best = row.Max();
  const auto divisor = static_cast<float>(sum);
  row.NarrowTo(std::min(best, BoundOfShare(best, double{cutoff} * sum)));
  const auto scores = row.scores();
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    mask[i] = !(ExpNegative(scores[i] - best) / divisor < cutoff && scores[i] < best);
  }
  row.KeepCompact(mask);
}

}  // namespace fathom
