// Brings the weights of a graph from the checkpoint into a backend, one at a time.
//
// Row low_cpu_mem_usage. On: a weight's pages are read, repacked and let go before the next one
// comes (largest first, so that what is in flight beside what is held stays small); a weight that
// the backend uses where it is mapped costs nothing of its own. Off: all tensors are read into
// memory first, then copied to the backend, which takes about twice the bytes of the file.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "engine/weight_sources.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

// Bytes that the store will own, and that stay mapped in place.
struct WeightForecast {
  int64_t owned_bytes = 0;
  int64_t mapped_bytes = 0;
  int64_t largest_source_bytes = 0;
};

WeightForecast ForecastWeights(const Graph& graph, std::span<const WeightPlan> plans,
                               std::span<const LocatedWeight> located);

// Vectors are held in float32, but rounded to `dtype` first where that is narrower, as a model
// loaded in that type has them. A warning names a weight that holds NaN or infinity; kRunTime where
// memory ends.
Result<std::shared_ptr<const WeightStore>> LoadWeights(
    Backend& backend, const Checkpoint& checkpoint, const Graph& graph,
    std::span<const WeightPlan> plans, std::span<const LocatedWeight> located, DType dtype,
    bool low_memory, NoticeSink* notices);

// True where one of `count` elements at any byte address is NaN or infinite.
bool HasNonFinite(DType dtype, const void* data, int64_t count);

}  // namespace fathom
