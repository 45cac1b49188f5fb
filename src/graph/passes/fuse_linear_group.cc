// Linear layers over one input (q, k, v) -> linear_group: x is read, and in bf16 or int8 converted,
// once; the workers share the rows of all the matrices instead of meeting after each.
#include <map>

#include "graph/passes/passes.h"

namespace fathom {

int FuseLinearGroup(Graph& graph) {
  std::map<ValueId, std::vector<int>> by_input;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (graph.nodes[n].op->name == "linear") by_input[graph.nodes[n].inputs[0]].push_back(n);
  }
  std::vector<bool> dead(graph.nodes.size(), false);
  int applied = 0;
  for (const auto& [input, members] : by_input) {
    if (members.size() < 2) continue;
    // The group stands where its first member stood: nothing but x and weights is read.
    OpNode& first = graph.nodes[members[0]];
    std::vector<ValueId> inputs = {input};
    std::vector<ValueId> outputs;
    std::string name;
    for (const int member : members) {
      const OpNode& linear = graph.nodes[member];
      inputs.push_back(linear.inputs[1]);
      inputs.push_back(linear.inputs.size() > 2 ? linear.inputs[2] : kAbsent);
      outputs.push_back(linear.outputs[0]);
      name += (name.empty() ? "" : "+") +
              (name.empty() ? linear.name : linear.name.substr(linear.name.rfind('.') + 1));
      dead[member] = true;
    }
    dead[members[0]] = false;
    first.op = &GetOp("linear_group");
    first.inputs = std::move(inputs);
    first.outputs = std::move(outputs);
    first.name = std::move(name);
    ++applied;
  }
  EraseNodes(graph, dead);
  return applied;
}

}  // namespace fathom
