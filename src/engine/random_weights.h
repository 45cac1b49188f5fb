// Random weights for a graph: benchmarks of published shapes without their files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backends/backend.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

// Matrices near-normal with variance 1 / in_features, vectors near 1: activations and logits keep
// the size that they have in a trained model. The same seed gives the same weights. One weight at a
// time.
Result<std::shared_ptr<const WeightStore>> LoadRandomWeights(Backend& backend, const Graph& graph,
                                                             std::span<const WeightPlan> plans,
                                                             uint64_t seed);

// Elements of one weight of the recipe's logical shape, as LoadRandomWeights has them (it gives
// weight i the seed + i).
void FillRandomWeight(const WeightRecipe& recipe, uint64_t seed, uint16_t* out);

}  // namespace fathom
