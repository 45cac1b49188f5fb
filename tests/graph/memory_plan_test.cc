#include <gtest/gtest.h>

#include <random>

#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "graph/plan.h"

namespace fathom {
namespace {

// A random graph of additions and norms over [num_tokens, width] values of several widths.
Graph RandomGraph(uint32_t seed) {
  std::mt19937 random(seed);
  GraphBuilder builder;
  std::vector<std::vector<ValueId>> by_width(3);
  for (int i = 0; i < 3; ++i) {
    const int64_t width = 16 << i;
    const ValueId table = builder.Matrix("table" + std::to_string(i), "t", 100, width);
    by_width[i].push_back(builder.Add1(
        "embedding", "e", {builder.Input(step_input::kTokenIds), table}, {{"scale", 1.0}}));
  }
  const auto pick = [&](const std::vector<ValueId>& values) {
    return values[random() % values.size()];
  };
  for (int n = 0; n < 40; ++n) {
    const int from = random() % 3;
    const int64_t width = 16 << from;
    if (random() % 3 == 0) {
      const int to = random() % 3;
      const ValueId weight = builder.Matrix("w" + std::to_string(n), "w", int64_t{16} << to, width);
      by_width[to].push_back(builder.Add1("linear", "l", {pick(by_width[from]), weight, kAbsent}));
    } else {
      by_width[from].push_back(
          builder.Add1("add", "a", {pick(by_width[from]), pick(by_width[from])}));
    }
  }
  auto graph = builder.Finish(by_width[0].back(), 1, 16);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  return *std::move(graph);
}

// First and last node at which each value is alive, found by looking at every node.
std::pair<int, int> LifeOf(const Graph& graph, ValueId value) {
  int first = -1, last = -1;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    for (const ValueId id : graph.nodes[n].outputs) {
      if (id == value) first = last = n;
    }
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id == value && first >= 0) last = n;
    }
  }
  if (value == graph.logits) last = static_cast<int>(graph.nodes.size());
  return {first, last};
}

TEST(MemoryPlan, ValuesThatLiveTogetherNeverOverlap) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const Graph graph = RandomGraph(seed);
    const StepSizes capacity{.num_tokens = 7, .num_sequences = 1, .num_logit_rows = 1};
    const MemoryPlan plan = PlanMemory(graph, capacity, true);
    const MemoryPlan kept = PlanMemory(graph, capacity, false);
    EXPECT_LT(plan.arena_bytes, kept.arena_bytes);
    for (ValueId a = 0; a < static_cast<ValueId>(graph.values.size()); ++a) {
      if (plan.offset[a] < 0) continue;
      const auto size = [&](ValueId v) { return 7 * graph.values[v].dims[1].value * 4; };
      EXPECT_EQ(plan.offset[a] % 64, 0);
      EXPECT_LE(plan.offset[a] + size(a), plan.arena_bytes);
      for (ValueId b = a + 1; b < static_cast<ValueId>(graph.values.size()); ++b) {
        if (plan.offset[b] < 0) continue;
        const auto [a_first, a_last] = LifeOf(graph, a);
        const auto [b_first, b_last] = LifeOf(graph, b);
        const bool apart_in_memory = plan.offset[a] + size(a) <= plan.offset[b] ||
                                     plan.offset[b] + size(b) <= plan.offset[a];
        const bool apart_in_time = a_last < b_first || b_last < a_first;
        EXPECT_TRUE(apart_in_memory || apart_in_time) << "seed " << seed << ": " << a << ", " << b;
        const bool kept_apart = kept.offset[a] + size(a) <= kept.offset[b] ||
                                kept.offset[b] + size(b) <= kept.offset[a];
        EXPECT_TRUE(kept_apart);
      }
    }
  }
}

TEST(VerifyGraph, FindsBrokenGraphs) {
  const Graph good = RandomGraph(1);
  ASSERT_TRUE(VerifyGraph(good).ok());

  Graph reversed = good;
  std::swap(reversed.nodes.front(), reversed.nodes.back());
  EXPECT_FALSE(VerifyGraph(reversed).ok());

  Graph twice = good;
  twice.nodes.push_back(twice.nodes.back());
  EXPECT_FALSE(VerifyGraph(twice).ok());

  Graph shape = good;
  shape.values[shape.nodes.back().outputs[0]].dims[1].value += 1;
  EXPECT_FALSE(VerifyGraph(shape).ok());

  Graph no_logits = good;
  no_logits.logits = kAbsent;
  EXPECT_FALSE(VerifyGraph(no_logits).ok());
}

}  // namespace
}  // namespace fathom
