#include "graph/shapes.h"

namespace fathom {
namespace {

// Primes far above any size in a model and far from each other.
constexpr StepSizes kProbe = {.num_tokens = (int64_t{1} << 40) + 15,
                              .num_sequences = (int64_t{1} << 41) + 27,
                              .num_logit_rows = (int64_t{1} << 42) + 15,
                              .max_blocks = (int64_t{1} << 43) + 29};

Dim ReadBack(int64_t size) {
  constexpr int64_t kNear = 16;
  for (const Symbol symbol :
       {Symbol::kNumTokens, Symbol::kNumSequences, Symbol::kNumLogitRows, Symbol::kMaxBlocks}) {
    const int64_t difference = size - kProbe.Evaluate(Dim::Of(symbol));
    if (difference >= 0 && difference < kNear) return Dim::Of(symbol, difference);
  }
  return Dim::Constant(size);
}

}  // namespace

Result<std::vector<std::vector<Dim>>> InferDims(const Graph& graph, const OpRecord& op,
                                                const Attributes& attributes,
                                                const std::vector<ValueId>& inputs) {
  std::vector<Shape> shapes;
  for (const ValueId id : inputs) {
    Shape shape;
    if (id != kAbsent) {
      for (const Dim& dim : graph.values[id].dims) shape.dims[shape.rank++] = kProbe.Evaluate(dim);
    }
    shapes.push_back(shape);
  }
  FATHOM_ASSIGN(const std::vector<Shape> outputs, op.infer_shapes(attributes, shapes));
  std::vector<std::vector<Dim>> dims;
  for (const Shape& shape : outputs) {
    dims.emplace_back();
    for (int i = 0; i < shape.rank; ++i) dims.back().push_back(ReadBack(shape.dims[i]));
  }
  return dims;
}

}  // namespace fathom
