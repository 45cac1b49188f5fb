// OutputPieces: what a graph keeps (attentions, hidden states), copied out of each step and joined
// to what transformers' generate returns for one new token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "fathom/engine.h"
#include "graph/graph.h"
#include "tensor/tensor.h"

namespace fathom {

// Tokens [offset, offset + count) of a sequence, as one step ran them.
struct OutputPiece {
  int64_t offset = 0;
  int64_t count = 0;
  std::vector<std::vector<float>> attentions;     // per layer [count, num_heads, offset + count]
  std::vector<std::vector<float>> hidden_states;  // per state [count, hidden_size]
  int64_t num_heads = 0;
};

using OutputPieces = std::vector<OutputPiece>;

// Which tokens of a step belong to the sequence.
struct StepTokens {
  int64_t first = 0;  // in the step
  int64_t count = 0;
  int64_t offset = 0;  // tokens of the sequence before them
};

OutputPiece CopyOutputs(const Graph& graph, const std::function<Tensor(ValueId)>& read,
                        const StepTokens& tokens);

// Window of each attention that the graph keeps; 0: none.
std::vector<int64_t> AttentionWindows(const Graph& graph);

// The pieces follow each other; there is at least one.
StepOutputs JoinOutputs(std::span<const int64_t> windows, std::span<const OutputPiece> pieces);

}  // namespace fathom
