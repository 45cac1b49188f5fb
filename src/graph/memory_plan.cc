// Where activations lie. Each value lives from the node that writes it to the last node that reads
// it; values go largest first into the lowest gap that is free over their whole life (the greedy
// order of "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee 2020).
#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "graph/plan.h"

namespace fathom {
namespace {

constexpr int64_t kAlignment = 64;

struct Life {
  ValueId value = 0;
  int64_t size = 0;
  int first = 0;  // node that writes it
  int last = 0;   // last node that touches it
  int64_t offset = -1;
};

int64_t SizeOf(const Value& value, const StepSizes& capacity) {
  int64_t elements = 1;
  for (const Dim& dim : value.dims) elements *= capacity.Evaluate(dim);
  const int64_t bytes = elements * BytesOf(value.dtype);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<Life> LivesOf(const Graph& graph, const StepSizes& capacity) {
  std::vector<Life> lives;
  std::vector<int> index(graph.values.size(), -1);
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    for (const ValueId id : graph.nodes[n].outputs) {
      index[id] = static_cast<int>(lives.size());
      lives.push_back({id, SizeOf(graph.values[id], capacity), n, n});
    }
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id != kAbsent && index[id] >= 0) lives[index[id]].last = n;
    }
  }
  // The caller reads the logits, and what is kept, after the last node.
  for (const ValueId id : graph.Results()) {
    lives[index[id]].last = static_cast<int>(graph.nodes.size());
  }
  return lives;
}

// The lowest offset at which `life` touches no placed value that lives at the same time.
int64_t LowestGap(const Life& life, const std::vector<const Life*>& placed_by_offset) {
  int64_t offset = 0;
  for (const Life* other : placed_by_offset) {
    if (other->last < life.first || other->first > life.last) continue;
    if (offset + life.size <= other->offset) break;
    offset = std::max(offset, other->offset + other->size);
  }
  return offset;
}

}  // namespace

MemoryPlan PlanMemory(const Graph& graph, const StepSizes& capacity, bool reuse) {
  MemoryPlan plan{.offset = std::vector<int64_t>(graph.values.size(), -1), .reuses = reuse};
  std::vector<Life> lives = LivesOf(graph, capacity);
  if (!reuse) {
    for (const Life& life : lives) {
      plan.offset[life.value] = plan.arena_bytes;
      plan.arena_bytes += life.size;
    }
    return plan;
  }
  std::vector<int> order(lives.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return lives[a].size > lives[b].size; });
  std::vector<const Life*> placed;
  for (const int i : order) {
    Life& life = lives[i];
    life.offset = LowestGap(life, placed);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &life,
                         [](const Life* a, const Life* b) { return a->offset < b->offset; }),
        &life);
    plan.offset[life.value] = life.offset;
    plan.arena_bytes = std::max(plan.arena_bytes, life.offset + life.size);
  }
  return plan;
}

}  // namespace fathom
