// Token sequences whose last id is to be discouraged or encouraged (sequence_bias, bad_words_ids).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sampling/processor.h"

namespace fathom {

// The ids of `word` before its last one end `ids` (a word of one id: always). A prefix longer than
// the text is skipped, as transformers 5.23 does.
inline bool EndsWithPrefixOf(const std::vector<int32_t>& word, std::span<const int32_t> ids) {
  const size_t prefix = word.size() - 1;
  return prefix <= ids.size() &&
         std::equal(word.begin(), word.end() - 1, ids.end() - static_cast<ptrdiff_t>(prefix));
}

// Of two entries with the same ids the last one counts (the list becomes a dictionary). The biases
// of a token are added up first (single tokens, then the longer ones in order), then added to its
// score.
inline void AddSequenceBiases(const std::vector<TokenBias>& biases, std::span<const int32_t> ids,
                              ScoreRow& row) {
  std::vector<std::pair<int32_t, float>> sums;
  const auto add = [&](const TokenBias& entry) {
    for (auto& [id, sum] : sums) {
      if (id == entry.ids.back()) {
        sum += entry.bias;
        return;
      }
    }
    sums.emplace_back(entry.ids.back(), entry.bias);
  };
  for (const bool single : {true, false}) {
    for (size_t i = 0; i < biases.size(); ++i) {
      if ((biases[i].ids.size() == 1) != single) continue;
      const bool overridden =
          std::any_of(biases.begin() + static_cast<ptrdiff_t>(i) + 1, biases.end(),
                      [&](const TokenBias& later) { return later.ids == biases[i].ids; });
      if (!overridden && EndsWithPrefixOf(biases[i].ids, ids)) add(biases[i]);
    }
  }
  for (const auto& [id, sum] : sums) row.Set(id, row.Get(id) + sum);
}

}  // namespace fathom
