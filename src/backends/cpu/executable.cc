#include "backends/cpu/executable.h"

#include <algorithm>
#include <string>
#include <utility>

namespace fathom {

Result<std::unique_ptr<Executable>> CpuExecutable::Create(
    Plan plan, std::shared_ptr<const WeightStore> weights, std::shared_ptr<CacheStore> caches,
    std::shared_ptr<ThreadPool> pool, CpuFeatures features) {
  auto executable = std::make_unique<CpuExecutable>();
  FATHOM_ASSIGN(executable->binding_, StepBinding::Create(plan, *weights, *caches));
  executable->weights_ = std::move(weights);
  executable->caches_ = std::move(caches);
  executable->pool_ = std::move(pool);
  executable->compiled_ = plan.compiled;
  FATHOM_TRY(executable->ChooseAll(plan, features));
  return std::unique_ptr<Executable>(std::move(executable));
}

Status CpuExecutable::ChooseAll(const Plan& plan, CpuFeatures features) {
  const Graph& graph = binding_.graph();
  size_t scratch_bytes = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const OpNode& node = graph.nodes[i];
    const OpCall& call = binding_.call(i);
    Node& mine = nodes_.emplace_back();
    mine.stages = ChooseKernels(CpuKernels(), features, *node.op, call, plan.attn_implementation);
    for (const KernelStage& stage : mine.stages) {
      const CpuKernel* kernel = stage.kernel;
      KernelChoice choice{.node = node.name, .op = std::string(node.op->name)};
      choice.kernel = kernel == nullptr ? "reference" : kernel->name;
      choice.fallback = kernel == nullptr;
      if (kernel != nullptr) {
        choice.instruction_sets = kernel->features.ToString();
        if (kernel->scratch_bytes != nullptr) {
          scratch_bytes = std::max(scratch_bytes, kernel->scratch_bytes(call, pool_->count()));
        }
      }
      choices_.push_back(std::move(choice));
    }
  }
  FATHOM_ASSIGN(scratch_, AlignedBuffer::Allocate(scratch_bytes));
  for (size_t i = 0; i < nodes_.size(); ++i) binding_.SetScratch(i, scratch_.data());
  return Status::Ok();
}

Status CpuExecutable::Launch(const StepSizes& sizes) {
  FATHOM_TRY(binding_.Bind(sizes));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    const OpCall& call = binding_.call(i);
    const int64_t rows = call.inputs.empty() ? 0 : call.inputs[0].tensor.shape[0];
    const auto stage = std::find_if(node.stages.begin(), node.stages.end(),
                                    [&](const KernelStage& s) { return rows <= s.max_rows; });
    node.kernel = stage == node.stages.end() ? nullptr : stage->kernel;
    node.one_worker = node.kernel == nullptr ||
                      RunsOnOneWorker(binding_.graph().nodes[i].op->name, sizes.num_tokens);
  }
  if (compiled_) {
    pool_->Run([this](const Worker& worker) { RunPlanned(worker); });
  } else {
    RunEager();
  }
  return Status::Ok();
}

void CpuExecutable::RunNode(size_t node, const Worker& worker) const {
  const CpuKernel* kernel = nodes_[node].kernel;
  if (kernel == nullptr) {
    binding_.graph().nodes[node].op->reference(binding_.call(node));
  } else {
    kernel->run(binding_.call(node), worker);
  }
}

void CpuExecutable::RunPlanned(const Worker& worker) const {
  size_t i = 0;
  while (i < nodes_.size()) {
    if (!nodes_[i].one_worker) {
      RunNode(i++, worker);
      if (i < nodes_.size() && !nodes_[i].one_worker) worker.Barrier();
      continue;
    }
    // The last worker in runs all the small nodes that follow, then all go on: one barrier.
    size_t end = i;
    while (end < nodes_.size() && nodes_[end].one_worker) ++end;
    worker.BarrierThen([&] {
      for (size_t node = i; node < end; ++node) RunNode(node, Worker{});
    });
    i = end;
  }
}

void CpuExecutable::RunEager() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].one_worker) {
      RunNode(i, Worker{});
    } else {
      pool_->Run([&](const Worker& worker) { RunNode(i, worker); });
    }
  }
}

}  // namespace fathom
