#include "graph/passes/passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fathom {
namespace {

constexpr std::array kPasses = {
    // Gate and up go first: what they leave are the groups that share an input for other reasons.
    GraphPass{"fuse_linear_gated", "gate and up projections with the activation between them",
              FuseLinearGated},
    GraphPass{"fuse_linear_group", "linear layers that read the same input (q, k, v)",
              FuseLinearGroup},
    GraphPass{"fuse_add_rms_norm", "residual addition with the norm that follows it",
              FuseAddRmsNorm},
    GraphPass{"fuse_rotary_cache_write", "rotation of q and k with the write into the cache",
              FuseRotaryCacheWrite},
};

}  // namespace

std::span<const GraphPass> AllPasses() { return kPasses; }

Result<std::vector<PassReport>> RunPasses(Graph& graph, std::span<const std::string> skipped) {
  std::vector<PassReport> reports;
  for (const GraphPass& pass : kPasses) {
    if (std::find(skipped.begin(), skipped.end(), pass.name) != skipped.end()) continue;
    PassReport report{.name = std::string(pass.name),
                      .nodes_before = static_cast<int>(graph.nodes.size())};
    report.applied = pass.run(graph);
    report.nodes_after = static_cast<int>(graph.nodes.size());
    const Status status = VerifyGraph(graph);
    if (!status.ok()) {
      return Status::RunTime(fmt::format("pass {}: {}", pass.name, status.message()));
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

GraphUses::GraphUses(const Graph& graph)
    : producer_(graph.values.size(), -1),
      consumers_(graph.values.size()),
      result_(graph.values.size(), false) {
  for (const ValueId id : graph.Results()) {
    if (id != kAbsent) result_[id] = true;
  }
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    for (const ValueId id : graph.nodes[n].outputs) producer_[id] = n;
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id == kAbsent) continue;
      if (consumers_[id].empty() || consumers_[id].back() != n) consumers_[id].push_back(n);
    }
  }
}

void EraseNodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<OpNode> kept;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!dead[n]) kept.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(kept);
}

}  // namespace fathom
