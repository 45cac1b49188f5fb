// Passes: rewrites of a graph that change how it is computed and never what. `compile` runs them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace fathom {

struct GraphPass {
  std::string_view name;
  std::string_view description;
  // Rewrites in place; returns how many times it applied.
  int (*run)(Graph& graph);
};

// In the order in which they run; the order is meaning and is explained in passes.cc.
std::span<const GraphPass> AllPasses();

struct PassReport {
  std::string name;
  int applied = 0;
  int nodes_before = 0;
  int nodes_after = 0;
};

// Runs all passes but those named in `skipped`, verifying the graph after each.
Result<std::vector<PassReport>> RunPasses(Graph& graph, std::span<const std::string> skipped);

// One fusion a file.
int FuseLinearGated(Graph& graph);       // fuse_linear_gated.cc
int FuseLinearGroup(Graph& graph);       // fuse_linear_group.cc
int FuseAddRmsNorm(Graph& graph);        // fuse_add_rms_norm.cc
int FuseRotaryCacheWrite(Graph& graph);  // fuse_rotary_cache_write.cc

// What the fusions ask of a graph: who writes a value, who reads it.
class GraphUses {
 public:
  explicit GraphUses(const Graph& graph);
  int producer(ValueId value) const { return producer_[value]; }  // node index, -1: none
  const std::vector<int>& consumers(ValueId value) const { return consumers_[value]; }
  // The value is read by exactly one node and is none of the graph's results.
  bool UsedOnce(ValueId value) const { return consumers_[value].size() == 1 && !result_[value]; }

 private:
  std::vector<int> producer_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> result_;
};

// Erases the nodes marked in `dead`.
void EraseNodes(Graph& graph, const std::vector<bool>& dead);

}  // namespace fathom
