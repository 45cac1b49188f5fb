#include "graph/builder.h"

#include <fmt/format.h>

#include <optional>

#include "base/check.h"
#include "graph/plan.h"
#include "graph/shapes.h"

namespace fathom {
namespace {

// Dims of a step input by its name: see step_input in graph.h.
std::optional<std::vector<Dim>> InputDims(std::string_view name) {
  if (name == step_input::kTokenIds || name == step_input::kPositions ||
      name == step_input::kRopeLengths || name.starts_with("slots.")) {
    return std::vector{Dim::Of(Symbol::kNumTokens)};
  }
  if (name == step_input::kSequenceStart) return std::vector{Dim::Of(Symbol::kNumSequences, 1)};
  if (name == step_input::kCacheOffset) return std::vector{Dim::Of(Symbol::kNumSequences)};
  if (name == step_input::kLogitRows) return std::vector{Dim::Of(Symbol::kNumLogitRows)};
  if (name.starts_with("block_table.")) {
    return std::vector{Dim::Of(Symbol::kNumSequences), Dim::Of(Symbol::kMaxBlocks)};
  }
  return std::nullopt;
}

}  // namespace

void GraphBuilder::SetScope(int32_t layer, std::string prefix) {
  layer_ = layer;
  prefix_ = std::move(prefix);
}

ValueId GraphBuilder::Input(std::string_view name) {
  for (size_t i = 0; i < graph_.values.size(); ++i) {
    const Value& value = graph_.values[i];
    if (value.kind == ValueKind::kInput && value.name == name) return static_cast<ValueId>(i);
  }
  const auto dims = InputDims(name);
  FATHOM_CHECK(dims.has_value());
  graph_.values.push_back(
      {.name = std::string(name), .kind = ValueKind::kInput, .dtype = DType::kI32, .dims = *dims});
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

ValueId GraphBuilder::Weight(WeightRecipe recipe) {
  for (size_t i = 0; i < graph_.values.size(); ++i) {
    const Value& value = graph_.values[i];
    if (value.kind == ValueKind::kWeight && value.name == recipe.name)
      return static_cast<ValueId>(i);
  }
  std::vector<Dim> dims = {Dim::Constant(recipe.rows)};
  if (recipe.role != WeightRole::kVector) dims.push_back(Dim::Constant(recipe.cols));
  graph_.values.push_back({.name = recipe.name,
                           .kind = ValueKind::kWeight,
                           .dims = std::move(dims),
                           .weight = static_cast<int32_t>(graph_.weights.size())});
  graph_.weights.push_back(std::move(recipe));
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

ValueId GraphBuilder::Matrix(std::string_view name, std::string source, int64_t rows, int64_t cols,
                             WeightSplit split) {
  return Weight({.name = prefix_ + std::string(name),
                 .role = WeightRole::kMatrix,
                 .sources = {std::move(source)},
                 .rows = rows,
                 .cols = cols,
                 .split = split});
}

ValueId GraphBuilder::Vector(std::string_view name, std::string source, int64_t length,
                             WeightSplit split) {
  return Weight({.name = prefix_ + std::string(name),
                 .role = WeightRole::kVector,
                 .sources = {std::move(source)},
                 .rows = length,
                 .split = split});
}

int GraphBuilder::Group(int64_t window) {
  for (size_t i = 0; i < graph_.groups.size(); ++i) {
    if (graph_.groups[i].window == window) return static_cast<int>(i);
  }
  graph_.groups.push_back({.window = window});
  return static_cast<int>(graph_.groups.size()) - 1;
}

ValueId GraphBuilder::Cache(std::string_view name, int group, int64_t num_heads, int64_t head_dim) {
  const std::string full = prefix_ + std::string(name);
  graph_.values.push_back({.name = full,
                           .kind = ValueKind::kCache,
                           .dims = {Dim::Constant(kAnyBlocks), Dim::Constant(num_heads),
                                    Dim::Constant(kCacheBlockSize), Dim::Constant(head_dim)},
                           .cache = static_cast<int32_t>(graph_.caches.size())});
  graph_.caches.push_back({full, layer_, group, num_heads, head_dim});
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

std::vector<ValueId> GraphBuilder::Add(std::string_view op, std::string name,
                                       std::vector<ValueId> inputs, Attributes attributes) {
  OpNode node{.op = &GetOp(op),
              .inputs = std::move(inputs),
              .attributes = std::move(attributes),
              .layer = layer_,
              .name = prefix_ + name};
  auto dims = InferDims(graph_, *node.op, node.attributes, node.inputs);
  if (!dims.ok()) {
    // The first failure is kept for Finish; the graph goes on with values of no size.
    if (status_.ok()) {
      status_ = Status::RunTime(fmt::format("graph: {}: {}", node.name, dims.status().message()));
    }
    dims = std::vector<std::vector<Dim>>(node.op->outputs.size());
  }
  for (size_t i = 0; i < dims->size(); ++i) {
    node.outputs.push_back(static_cast<ValueId>(graph_.values.size()));
    graph_.values.push_back(
        {.name = dims->size() == 1 ? node.name : fmt::format("{}:{}", node.name, i),
         .dims = std::move((*dims)[i])});
  }
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().outputs;
}

ValueId GraphBuilder::Add1(std::string_view op, std::string name, std::vector<ValueId> inputs,
                           Attributes attributes) {
  const auto outputs = Add(op, std::move(name), std::move(inputs), std::move(attributes));
  FATHOM_CHECK(outputs.size() == 1);
  return outputs[0];
}

ValueId GraphBuilder::AllReduce(ValueId x) {
  return parallel_.size == 1 ? x : Add1("all_reduce", "all_reduce", {x});
}

Result<Graph> GraphBuilder::Finish(ValueId logits, int64_t num_layers, int64_t vocab_size) {
  FATHOM_TRY(status_);
  graph_.logits = logits;
  graph_.num_layers = num_layers;
  graph_.vocab_size = vocab_size;
  FATHOM_TRY(VerifyGraph(graph_));
  return std::move(graph_);
}

}  // namespace fathom
