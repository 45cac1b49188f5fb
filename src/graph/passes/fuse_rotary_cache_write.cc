// q' = rotary(q), k' = rotary(k), cache_write(k', v) -> rotary_cache_write: the rotated key goes
// straight into the cache, in the cache's type.
#include <algorithm>

#include "graph/passes/passes.h"

namespace fathom {
namespace {

bool SameRotation(const OpNode& a, const OpNode& b) {
  return a.inputs[1] == b.inputs[1] &&
         a.attributes.Int("head_dim") == b.attributes.Int("head_dim") &&
         a.attributes.Int("interleaved", 0) == b.attributes.Int("interleaved", 0);
}

// The rotation of q whose result meets this key cache in an attention, or -1.
int FindQueryRotary(const Graph& graph, const GraphUses& uses, const OpNode& key_rotary,
                    ValueId key_cache, int write) {
  for (const int reader : uses.consumers(key_cache)) {
    const OpNode& attention = graph.nodes[reader];
    if (!IsAttention(*attention.op) || reader < write) continue;
    const int rotary = uses.producer(attention.inputs[0]);
    if (rotary < 0 || graph.nodes[rotary].op->name != "rotary") continue;
    const auto& readers = uses.consumers(graph.nodes[rotary].outputs[0]);
    const bool read_later =
        std::all_of(readers.begin(), readers.end(), [&](int n) { return n > write; });
    if (read_later && SameRotation(graph.nodes[rotary], key_rotary)) return rotary;
  }
  return -1;
}

}  // namespace

int FuseRotaryCacheWrite(Graph& graph) {
  const GraphUses uses(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  int applied = 0;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    OpNode& write = graph.nodes[n];
    if (write.op->name != "cache_write") continue;
    const int key = uses.producer(write.inputs[0]);
    if (key < 0 || graph.nodes[key].op->name != "rotary" || !uses.UsedOnce(write.inputs[0]))
      continue;
    const int query = FindQueryRotary(graph, uses, graph.nodes[key], write.inputs[3], n);
    if (query < 0) continue;
    const OpNode& q = graph.nodes[query];
    const OpNode& k = graph.nodes[key];
    write.inputs = {q.inputs[0],     k.inputs[0],     write.inputs[1], k.inputs[1],
                    write.inputs[2], write.inputs[3], write.inputs[4]};
    write.outputs = {q.outputs[0]};
    write.attributes = k.attributes;
    write.op = &GetOp("rotary_cache_write");
    write.name = k.name + "+" + write.name.substr(write.name.rfind('.') + 1);
    dead[query] = dead[key] = true;
    ++applied;
  }
  EraseNodes(graph, dead);
  return applied;
}

}  // namespace fathom
