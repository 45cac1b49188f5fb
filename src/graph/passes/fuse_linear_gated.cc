// gated_activation(linear(x, gate), linear(x, up)) -> linear_gated(x, gate, up): x is read once,
// the two products meet in registers, and two intermediate activations are never written.
#include "graph/passes/passes.h"

namespace fathom {

int FuseLinearGated(Graph& graph) {
  const GraphUses uses(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  int applied = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    OpNode& node = graph.nodes[n];
    if (node.op->name != "gated_activation") continue;
    const int gate = uses.producer(node.inputs[0]);
    const int up = uses.producer(node.inputs[1]);
    if (gate < 0 || up < 0 || gate == up) continue;
    const OpNode& gate_node = graph.nodes[gate];
    const OpNode& up_node = graph.nodes[up];
    if (gate_node.op->name != "linear" || up_node.op->name != "linear") continue;
    if (gate_node.inputs[0] != up_node.inputs[0]) continue;
    if (!uses.UsedOnce(node.inputs[0]) || !uses.UsedOnce(node.inputs[1])) continue;
    const auto bias = [](const OpNode& linear) {
      return linear.inputs.size() > 2 ? linear.inputs[2] : kAbsent;
    };
    node.inputs = {gate_node.inputs[0], gate_node.inputs[1], bias(gate_node), up_node.inputs[1],
                   bias(up_node)};
    node.op = &GetOp("linear_gated");
    dead[gate] = dead[up] = true;
    ++applied;
  }
  EraseNodes(graph, dead);
  return applied;
}

}  // namespace fathom
