// GraphBuilder: how an architecture writes its forward pass.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace fathom {

// This process's place among `size` that share each layer (tensor parallelism).
struct Parallel {
  int rank = 0;
  int size = 1;
};

class GraphBuilder {
 public:
  explicit GraphBuilder(Parallel parallel = {}) : parallel_(parallel) {}

  const Parallel& parallel() const { return parallel_; }

  // Layer and name prefix of the nodes that follow ("layers.3.self_attn."); -1 and "" outside.
  void SetScope(int32_t layer, std::string prefix);

  // A step input by name (made at first use): see step_input in graph.h.
  ValueId Input(std::string_view name);
  // A weight by its recipe. The same name again gives the same value.
  ValueId Weight(WeightRecipe recipe);
  ValueId Matrix(std::string_view name, std::string source, int64_t rows, int64_t cols,
                 WeightSplit split = WeightSplit::kNone);
  ValueId Vector(std::string_view name, std::string source, int64_t length,
                 WeightSplit split = WeightSplit::kNone);
  // The group of all layers with this window (0: full attention).
  int Group(int64_t window);
  // Keys or values of the current layer.
  ValueId Cache(std::string_view name, int group, int64_t num_heads, int64_t head_dim);

  // Appends a node; output shapes come from the record's rule. Returns its outputs.
  std::vector<ValueId> Add(std::string_view op, std::string name, std::vector<ValueId> inputs,
                           Attributes attributes = {});
  // The same for a node with one output.
  ValueId Add1(std::string_view op, std::string name, std::vector<ValueId> inputs,
               Attributes attributes = {});

  // Names what enters the first layer, then what leaves each (Graph::hidden_states).
  void HiddenState(ValueId x) { graph_.hidden_states.push_back(x); }

  // The identity at size 1: nothing is added.
  ValueId AllReduce(ValueId x);

  // logits [num_logit_rows, vocab_size]; verifies.
  Result<Graph> Finish(ValueId logits, int64_t num_layers, int64_t vocab_size);
  void set_cache_depends_on_length(bool value) { graph_.cache_depends_on_length = value; }

 private:
  Parallel parallel_;
  Graph graph_;
  int32_t layer_ = -1;
  std::string prefix_;
  Status status_;
};

}  // namespace fathom
