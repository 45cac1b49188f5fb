// Plan: what a backend compiles: a graph, the types it runs in, how its caches lie, where
// activations go. Plain data; one plan a size bucket.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace fathom {

// Tokens of a sequence that one cache block holds.
inline constexpr int64_t kCacheBlockSize = 32;

struct WeightPlan {
  WeightFormat format = WeightFormat::kDense;
  DType dtype = DType::kBF16;
  // Stays on disk (row device_map): dense, used where the checkpoint maps it, its pages let go
  // after each use. A backend that cannot use it there holds it in memory.
  bool mapped = false;
};

// Where the activations of a step lie: offsets into one arena (PlanMemory, below).
struct MemoryPlan {
  std::vector<int64_t> offset;  // per value; -1: not an activation
  int64_t arena_bytes = 0;
  bool reuses = false;  // off: every activation has bytes of its own
};

struct Plan {
  std::shared_ptr<const Graph> graph;
  StepSizes capacity;               // of the bucket
  std::vector<WeightPlan> weights;  // per weight of the graph
  DType cache_dtype = DType::kF32;
  int64_t num_blocks = 0;  // of every cache
  MemoryPlan memory;
  bool compiled = true;  // false: the eager arm
  // Row 4, for float32 weights: "highest", "high", "medium".
  std::string float32_matmul_precision = "highest";
  std::string attn_implementation;  // "flash_attention_2", "eager", "sdpa"
};

// Lifetimes -> offsets. reuse = false keeps every activation (the eager arm, `inference_mode` off).
// Offsets are multiples of 64; two values whose lives overlap never overlap in memory. An output
// never shares bytes with an input of the same node.
MemoryPlan PlanMemory(const Graph& graph, const StepSizes& capacity, bool reuse);

}  // namespace fathom
