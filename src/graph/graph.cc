#include "graph/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "graph/shapes.h"

namespace fathom {
namespace {

Status Broken(const OpNode& node, std::string what) {
  return Status::RunTime(fmt::format("graph: {} ({}): {}", node.name, node.op->name, what));
}

// The ports of a record against a node's inputs: how many, and of which kind.
Status CheckPorts(const Graph& graph, const OpNode& node) {
  const auto& ports = node.op->inputs;
  const bool repeats = !ports.empty() && ports.back().repeated;
  if (node.inputs.size() < ports.size() - (repeats ? 1 : 0) ||
      (!repeats && node.inputs.size() > ports.size())) {
    return Broken(node, fmt::format("{} inputs for {} ports", node.inputs.size(), ports.size()));
  }
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    // Repeated ports stand at the end and alternate from the first that is marked.
    size_t port = i;
    if (i >= ports.size()) {
      const size_t first =
          std::find_if(ports.begin(), ports.end(), [](const Port& p) { return p.repeated; }) -
          ports.begin();
      port = first + (i - first) % (ports.size() - first);
    }
    const ValueId id = node.inputs[i];
    if (id == kAbsent) {
      if (!ports[port].optional) return Broken(node, fmt::format("input {} is absent", i));
      continue;
    }
    const Value& value = graph.values[id];
    const PortKind kind = ports[port].kind;
    const bool fits =
        kind == PortKind::kCache    ? value.kind == ValueKind::kCache
        : kind == PortKind::kIndex  ? value.kind == ValueKind::kInput
        : kind == PortKind::kMatrix ? value.kind == ValueKind::kWeight && value.dims.size() == 2
        : kind == PortKind::kVector ? value.kind == ValueKind::kWeight && value.dims.size() == 1
                                    : value.kind == ValueKind::kActivation;
    if (!fits) return Broken(node, fmt::format("input {} is of the wrong kind", i));
  }
  return Status::Ok();
}

Status CheckShapes(const Graph& graph, const OpNode& node) {
  auto dims = InferDims(graph, *node.op, node.attributes, node.inputs);
  if (!dims.ok()) return Broken(node, dims.status().message());
  if (dims->size() != node.outputs.size()) return Broken(node, "number of outputs");
  for (size_t i = 0; i < dims->size(); ++i) {
    if (graph.values[node.outputs[i]].dims != (*dims)[i]) {
      return Broken(node, fmt::format("shape of output {}", i));
    }
  }
  return Status::Ok();
}

std::string DescribeDims(const std::vector<Dim>& dims) {
  static constexpr std::string_view kNames[] = {"", "num_tokens", "num_sequences", "num_logit_rows",
                                                "max_blocks"};
  std::vector<std::string> parts;
  for (const Dim& dim : dims) {
    const std::string_view symbol = kNames[static_cast<int>(dim.symbol)];
    parts.push_back(symbol.empty()   ? fmt::format("{}", dim.value)
                    : dim.value == 0 ? std::string(symbol)
                                     : fmt::format("{} + {}", symbol, dim.value));
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace

namespace step_input {
std::string BlockTable(int group) { return fmt::format("block_table.{}", group); }
std::string Slots(int group) { return fmt::format("slots.{}", group); }
}  // namespace step_input

std::vector<ValueId> Graph::Results() const {
  std::vector<ValueId> results = {logits};
  results.insert(results.end(), attentions.begin(), attentions.end());
  if (keeps_hidden_states) {
    results.insert(results.end(), hidden_states.begin(), hidden_states.end());
  }
  return results;
}

Status VerifyGraph(const Graph& graph) {
  std::vector<bool> written(graph.values.size(), false);
  std::vector<bool> cache_written(graph.caches.size(), false);
  for (size_t i = 0; i < graph.values.size(); ++i) {
    written[i] = graph.values[i].kind != ValueKind::kActivation;
  }
  for (const OpNode& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      if (id == kAbsent) continue;
      if (id < 0 || id >= static_cast<ValueId>(graph.values.size()))
        return Broken(node, "value id");
      if (!written[id]) return Broken(node, "reads " + graph.values[id].name + " too early");
    }
    FATHOM_TRY(CheckPorts(graph, node));
    FATHOM_TRY(CheckShapes(graph, node));
    for (const int port : node.op->in_place_inputs) {
      cache_written[graph.values[node.inputs[port]].cache] = true;
    }
    for (const ValueId id : node.inputs) {
      if (id == kAbsent || graph.values[id].kind != ValueKind::kCache) continue;
      if (!cache_written[graph.values[id].cache]) return Broken(node, "reads an unwritten cache");
    }
    for (const ValueId id : node.outputs) {
      if (graph.values[id].kind != ValueKind::kActivation || written[id]) {
        return Broken(node, "writes " + graph.values[id].name + " again");
      }
      written[id] = true;
    }
  }
  if (graph.logits == kAbsent || !written[graph.logits]) {
    return Status::RunTime("graph: nothing writes the logits");
  }
  for (const ValueId id : graph.Results()) {
    if (!written[id]) return Status::RunTime("graph: nothing writes " + graph.values[id].name);
  }
  return Status::Ok();
}

std::string DescribeGraph(const Graph& graph) {
  std::string text;
  for (const OpNode& node : graph.nodes) {
    std::vector<std::string_view> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kAbsent ? std::string_view("-") : graph.values[id].name);
    }
    std::vector<std::string> outputs;
    for (const ValueId id : node.outputs) {
      outputs.push_back(graph.values[id].name + " " + DescribeDims(graph.values[id].dims));
    }
    text += fmt::format("{} = {}({}) -> {}\n", node.name, node.op->name, fmt::join(inputs, ", "),
                        fmt::join(outputs, ", "));
  }
  return text;
}

}  // namespace fathom
