// Symbolic shapes from the records' numeric rules.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace fathom {

// Dims of the outputs of `op` over `inputs`. The rule runs on sizes at which each symbol is a
// number that nothing else equals, and the answer is read back.
Result<std::vector<std::vector<Dim>>> InferDims(const Graph& graph, const OpRecord& op,
                                                const Attributes& attributes,
                                                const std::vector<ValueId>& inputs);

}  // namespace fathom
