// StepBinding: the memory of one executable: step inputs, activations, and the operands of every
// node.
//
// All is allocated once, at the plan's capacity. Bind sets the true sizes of a step: it rewrites
// the shapes of the operands that depend on them and allocates nothing.
//
//   FATHOM_ASSIGN(StepBinding binding, StepBinding::Create(plan, *weights, *caches));
//   binding.Input("token_ids")[0] = 17;
//   FATHOM_TRY(binding.Bind(sizes));
//   for (size_t i = 0; i < binding.node_count(); ++i) Run(graph.nodes[i], binding.call(i));
//
// Every tensor lies dense at the step's true sizes: block_table.g has rows of sizes.max_blocks
// entries.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "base/arena.h"
#include "fathom/status.h"
#include "graph/plan.h"
#include "ops/op.h"

namespace fathom {

class StepBinding {
 public:
  StepBinding() = default;

  // Weights must be uploaded; they and the caches outlive the binding. A plan without memory
  // offsets gives every activation bytes of its own.
  static Result<StepBinding> Create(const Plan& plan, const WeightStore& weights,
                                    const CacheStore& caches);

  const Graph& graph() const { return *graph_; }
  const StepSizes& capacity() const { return capacity_; }
  const StepSizes& sizes() const { return sizes_; }  // of the last Bind

  // The whole buffer of a step input; empty where the graph has no such input.
  std::span<int32_t> Input(std::string_view name);

  // kRunTime where a size is negative, or beyond the capacity.
  Status Bind(const StepSizes& sizes);

  size_t node_count() const { return calls_.size(); }
  // Operands of node i at the sizes of the last Bind. The scratch is null until SetScratch.
  const OpCall& call(size_t node) const { return calls_[node]; }
  void SetScratch(size_t node, std::byte* scratch) { calls_[node].scratch = scratch; }
  void SetTuning(size_t node, int tuning) { calls_[node].tuning = tuning; }
  // Shape of a value at its largest.
  Shape CapacityShape(ValueId value) const;

  // A value as a tensor at the sizes of the last Bind (not a matrix: see call).
  const Tensor& value(ValueId id) const { return values_[id].tensor; }
  const Tensor& logits() const { return value(graph_->logits); }
  // Around node i, on one thread: the pages of the weights that stay on disk are asked for while
  // the node before runs, and let go behind it. Others may still read them: they come back.
  void PrefetchMapped(size_t node) const;
  void DropMapped(size_t node) const;
  bool has_mapped() const { return !mapped_.empty(); }
  bool IsMapped(size_t node) const { return node < mapped_.size() && !mapped_[node].empty(); }

  // Bytes of activations and step inputs.
  int64_t arena_bytes() const { return arena_bytes_; }

 private:
  Status BindValue(ValueId id, const Plan& plan, const WeightStore& weights,
                   const CacheStore& caches);
  Status AllocateInput(ValueId id);
  void MakeCalls();
  void FindMapped(const Plan& plan, const WeightStore& weights);

  // One operand that a step reshapes.
  struct Sized {
    ValueId value = kAbsent;
    size_t operand = 0;
  };

  std::shared_ptr<const Graph> graph_;
  StepSizes capacity_;
  StepSizes sizes_;
  MemoryPlan memory_;
  AlignedBuffer arena_;
  std::vector<AlignedBuffer> inputs_;  // of the step
  std::vector<Operand> values_;        // per value of the graph
  std::vector<ValueId> sized_values_;  // those with a symbolic dim
  std::vector<Operand> operands_;      // of all nodes: inputs, then outputs, node by node
  std::vector<Sized> sized_operands_;
  std::vector<OpCall> calls_;
  int64_t arena_bytes_ = 0;
  // Per node, where any weight stays on disk; else empty.
  std::vector<std::vector<const Weight*>> mapped_;
};

}  // namespace fathom
