// What a file of packed weights holds and whose it is: decided from the graph, the plan and the
// checkpoint alone, so that nothing in the file says where its bytes are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "engine/weight_sources.h"
#include "graph/plan.h"
#include "tensor/weight.h"

namespace fathom {

struct CachedWeight {
  int index = 0;        // in Graph::weights
  Weight weight;        // as a backend holds it; data null
  uint64_t offset = 0;  // in the file
};

struct WeightCacheLayout {
  // Everything that the bytes hang on, in lines of text; stands in the file and must be equal.
  std::string key;
  std::string file_name;  // NAME-DTYPE-PATH-FILES-KEY.weights, the last three hashes
  std::vector<CachedWeight> weights;
  uint64_t file_bytes = 0;
};

// Those weights that a backend makes in memory of its own. `dtype` is what vectors are rounded to.
// `weights` is empty where all are used in the checkpoint's mapping, or the sizes overflow.
WeightCacheLayout LayOutWeightCache(const Checkpoint& checkpoint, const Graph& graph,
                                    std::span<const WeightPlan> plans,
                                    std::span<const LocatedWeight> located, DType dtype,
                                    std::string_view dtype_name, std::string_view backend);

// A file is written in such pieces.
inline constexpr uint64_t kWeightCachePiece = uint64_t{2} << 20;

// Where a table of `count` sums stands behind a key of `key_bytes`.
inline constexpr uint64_t kWeightCacheHeaderBytes = 64;
uint64_t WeightCacheTableOffset(uint64_t key_bytes);

}  // namespace fathom
