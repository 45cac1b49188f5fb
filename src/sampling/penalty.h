// What repetition_penalty and encoder_repetition_penalty share.
#pragma once

#include <cstdint>
#include <span>

#include "sampling/processor.h"

namespace fathom {

// Scores of the tokens in `ids`, each once: times the penalty below zero, divided by it above.
inline void Penalize(std::span<const int32_t> ids, float penalty, ScoreRow& row) {
  const auto done = row.Marks();
  for (const int32_t id : ids) {
    if (!row.Has(id) || done[id]) continue;
    done[id] = 1;
    const float score = row.Get(id);
    row.Set(id, score < 0 ? score * penalty : score / penalty);
  }
  for (const int32_t id : ids) {
    if (row.Has(id)) done[id] = 0;
  }
}

}  // namespace fathom
