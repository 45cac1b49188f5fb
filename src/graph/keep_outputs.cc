#include "graph/keep_outputs.h"

#include <utility>

#include "graph/shapes.h"

namespace fathom {
namespace {

// The only node that reads a value, or null.
OpNode* OnlyReader(Graph& graph, ValueId value) {
  OpNode* reader = nullptr;
  for (OpNode& node : graph.nodes) {
    for (const ValueId input : node.inputs) {
      if (input != value) continue;
      if (reader != nullptr) return nullptr;
      reader = &node;
    }
  }
  return reader;
}

}  // namespace

Status KeepAttentions(Graph& graph) {
  for (OpNode& node : graph.nodes) {
    if (node.op->name != "attention") continue;
    node.op = &GetOp("attention_with_weights");
    FATHOM_ASSIGN(auto dims, InferDims(graph, *node.op, node.attributes, node.inputs));
    const auto weights = static_cast<ValueId>(graph.values.size());
    graph.values.push_back({.name = node.name + ":weights", .dims = std::move(dims[1])});
    node.outputs.push_back(weights);
    graph.attentions.push_back(weights);
  }
  return VerifyGraph(graph);
}

Status KeepHiddenStates(Graph& graph) {
  OpNode* gather =
      graph.hidden_states.empty() ? nullptr : OnlyReader(graph, graph.hidden_states.back());
  OpNode* norm = gather == nullptr ? nullptr : OnlyReader(graph, gather->outputs[0]);
  if (norm == nullptr || gather->op->name != "gather_rows" || norm->op->name != "rms_norm") {
    return Status::RunTime("this architecture cannot return its hidden states");
  }
  // x -> gather -> norm becomes x -> norm -> gather: the nodes change places, and each writes the
  // value that it wrote before, with the other's number of rows.
  const ValueId x = gather->inputs[0];
  const ValueId rows = gather->outputs[0];
  const ValueId result = norm->outputs[0];
  norm->inputs[0] = x;
  norm->outputs[0] = rows;
  gather->inputs[0] = rows;
  gather->outputs[0] = result;
  graph.values[rows].dims = graph.values[x].dims;
  std::swap(graph.values[rows].name, graph.values[result].name);
  std::swap(*gather, *norm);
  graph.hidden_states.back() = rows;
  graph.keeps_hidden_states = true;
  return VerifyGraph(graph);
}

}  // namespace fathom
