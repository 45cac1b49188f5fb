// Greedy ids against a reference whose logits are rounded: where two or more are nearly tied, any
// of them may come.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fathom/engine.h"
#include "tests/engine/golden.h"

namespace fathom {

// True where `id` lies at most `limit` behind the best after `text`, by the same model in float32.
inline bool IsNearBest(Engine& exact, std::span<const int32_t> text, int32_t id, double limit) {
  double behind = 1e30;
  const Status status = exact.Score(text, [&](int64_t, std::span<const float> rows) {
    const auto last = rows.last(static_cast<size_t>(exact.model().vocab_size()));
    behind = *std::ranges::max_element(last) - last[id];
  });
  return status.ok() && behind <= limit;
}

// Walks along prompt.greedy[kind]. An id may differ where the gap to the reference's second is
// below twice the tolerance and ours is the second; or, since more than two tie where logits are
// bf16, where `exact` says so. What follows belongs to another text. tolerance: a share of the
// largest logit.
inline void ExpectGreedyIds(const std::vector<int32_t>& ours, const JsonValue& prompt,
                            const std::string& kind, double tolerance, Engine& exact,
                            const std::string& where) {
  const JsonValue& greedy = *prompt.Find("greedy")->Find(kind);
  const auto theirs = GoldenIds(*greedy.Find("ids"));
  const auto second = GoldenIds(*greedy.Find("second"));
  const auto gaps = GoldenNumbers(*greedy.Find("gaps"));
  const double limit = 2 * tolerance * greedy.Find("max_abs_logit")->as_double();
  ASSERT_EQ(ours.size(), theirs.size()) << where;
  for (size_t at = 0; at < theirs.size(); ++at) {
    if (ours[at] == theirs[at]) continue;
    auto text = GoldenIds(*prompt.Find("ids"));
    text.insert(text.end(), theirs.begin(), theirs.begin() + static_cast<ptrdiff_t>(at));
    EXPECT_TRUE((ours[at] == second[at] && gaps[at] < limit) ||
                IsNearBest(exact, text, ours[at], limit))
        << where << ", token " << at << ": " << ours[at] << " instead of " << theirs[at] << ", gap "
        << gaps[at];
    return;
  }
}

}  // namespace fathom
