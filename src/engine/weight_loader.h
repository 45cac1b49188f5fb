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

// Whether the backend needs no memory for a weight: it lies in the checkpoint as it runs.
bool UsedInPlace(const WeightRecipe& recipe, const WeightPlan& plan, const LocatedWeight& located);

WeightForecast ForecastWeights(const Graph& graph, std::span<const WeightPlan> plans,
                               std::span<const LocatedWeight> located);

// What weights are made from, and for whom. Vectors are held in float32, but rounded to `dtype`
// first where that is narrower, as a model loaded in that type has them.
struct WeightLoadInput {
  Backend& backend;
  const Checkpoint& checkpoint;
  const Graph& graph;
  std::span<const WeightPlan> plans;
  std::span<const LocatedWeight> located;
  DType dtype;
  NoticeSink* notices;
};

class WeightLoader {
 public:
  explicit WeightLoader(const WeightLoadInput& input);

  // The arms of the row. A warning names a weight that holds NaN or infinity; kRunTime where
  // memory ends.
  Status LoadOneByOne();
  Status LoadAllThenCopy();

  // One weight from the mapped checkpoint; returns whether all of it is finite. `look` false: that
  // is known, and what is used in place is not read.
  Result<bool> LoadOne(size_t i, bool look);
  void WarnNotFinite(size_t i) const;

  WeightStore& store() { return *store_; }
  std::shared_ptr<const WeightStore> TakeStore() { return std::move(store_); }

 private:
  Status Upload(size_t i, std::span<const WeightSource> sources, bool in_place);

  WeightLoadInput input_;
  std::unique_ptr<WeightStore> store_;
};

// True where one of `count` elements at any byte address is NaN or infinite.
bool HasNonFinite(DType dtype, const void* data, int64_t count);

}  // namespace fathom
