// What epsilon_cutoff and eta_cutoff share.
#pragma once

#include <span>

#include "sampling/processor.h"

namespace fathom {

// Entries with p >= cutoff, and every entry tied with the best.
inline std::span<const uint8_t> ChooseAboveCutoff(float cutoff, ScoreRow& row) {
  const auto probs = row.Softmax();
  const auto scores = row.scores();
  const float best = row.Max();
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < scores.size(); ++i) mask[i] = !(probs[i] < cutoff && scores[i] < best);
  return mask;
}

}  // namespace fathom
