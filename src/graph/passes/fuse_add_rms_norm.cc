// rms_norm(add(a, b)) -> add_rms_norm: the sum is written once and normalized while it is in cache.
#include "graph/passes/passes.h"

namespace fathom {

int FuseAddRmsNorm(Graph& graph) {
  const GraphUses uses(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  int applied = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const OpNode& norm = graph.nodes[n];
    if (norm.op->name != "rms_norm" || norm.attributes.Has("head_dim")) continue;
    const int producer = uses.producer(norm.inputs[0]);
    if (producer < 0 || graph.nodes[producer].op->name != "add") continue;
    // The fused node stands where the addition stood: the norm reads nothing later than the sum.
    OpNode& add = graph.nodes[producer];
    add.op = &GetOp("add_rms_norm");
    add.inputs.push_back(norm.inputs[1]);
    add.outputs.push_back(norm.outputs[0]);
    add.attributes = norm.attributes;
    add.name += "+" + norm.name.substr(norm.name.rfind('.') + 1);
    dead[n] = true;
    ++applied;
  }
  EraseNodes(graph, dead);
  return applied;
}

}  // namespace fathom
