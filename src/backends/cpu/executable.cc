#include "backends/cpu/executable.h"

#include <algorithm>
#include <string>
#include <utility>

namespace fathom {

Result<std::unique_ptr<Executable>> CpuExecutable::Create(
    Plan plan, std::shared_ptr<const WeightStore> weights, std::shared_ptr<CacheStore> caches,
    std::shared_ptr<ThreadPool> pool, CpuFeatures features, std::shared_ptr<Tuner> tuner) {
  auto executable = std::make_unique<CpuExecutable>();
  FATHOM_ASSIGN(executable->binding_, StepBinding::Create(plan, *weights, *caches));
  executable->weights_ = std::move(weights);
  executable->caches_ = std::move(caches);
  executable->pool_ = std::move(pool);
  executable->compiled_ = plan.compiled;
  FATHOM_TRY(executable->ChooseAll(plan, features));
  if (tuner != nullptr) FATHOM_TRY(executable->TuneAll(features, *tuner));
  executable->ListChoices();
  return std::unique_ptr<Executable>(std::move(executable));
}

Status CpuExecutable::ChooseAll(const Plan& plan, CpuFeatures features) {
  const Graph& graph = binding_.graph();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    nodes_.emplace_back().stages = ChooseKernels(CpuKernels(), features, *graph.nodes[i].op,
                                                 binding_.call(i), plan.attn_implementation);
  }
  return AllocateScratch();
}

Status CpuExecutable::AllocateScratch() {
  size_t bytes = 0;
  const auto add = [&](size_t node, const KernelStage& stage) {
    if (stage.kernel == nullptr || stage.kernel->scratch_bytes == nullptr) return;
    bytes = std::max(bytes, stage.kernel->scratch_bytes(binding_.call(node), pool_->count()));
  };
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (const KernelStage& stage : nodes_[i].stages) add(i, stage);
    for (const auto& candidates : nodes_[i].candidates) {
      for (const KernelStage& stage : candidates) add(i, stage);
    }
  }
  FATHOM_ASSIGN(scratch_, AlignedBuffer::Allocate(bytes));
  for (size_t i = 0; i < nodes_.size(); ++i) binding_.SetScratch(i, scratch_.data());
  return Status::Ok();
}

void CpuExecutable::ListChoices() {
  const Graph& graph = binding_.graph();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (const KernelStage& stage : nodes_[i].stages) {
      const CpuKernel* kernel = stage.kernel;
      KernelChoice choice{.node = graph.nodes[i].name, .op = std::string(graph.nodes[i].op->name)};
      choice.kernel = kernel == nullptr ? "reference" : kernel->name;
      choice.fallback = kernel == nullptr;
      if (kernel != nullptr) choice.instruction_sets = kernel->features.ToString();
      choice.tuning = DescribeTuning(stage);
      choices_.push_back(std::move(choice));
    }
  }
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
    node.one_worker = node.kernel == nullptr || IsForOneWorker(*stage, i, sizes.num_tokens);
    if (node.kernel != nullptr) binding_.SetTuning(i, stage->tuning);
  }
  if (compiled_) {
    pool_->Run([this](const Worker& worker) { RunPlanned(worker); });
  } else {
    RunEager();
  }
  return Status::Ok();
}

bool CpuExecutable::IsForOneWorker(const KernelStage& stage, size_t node,
                                   int64_t num_tokens) const {
  if (stage.workers != NodeWorkers::kFixed) return stage.workers == NodeWorkers::kOne;
  return RunsOnOneWorker(binding_.graph().nodes[node].op->name, num_tokens);
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
  const bool advises = binding_.has_mapped() && worker.index == 0;
  while (i < nodes_.size()) {
    if (!nodes_[i].one_worker) {
      if (advises) binding_.PrefetchMapped(i + 1);
      RunNode(i++, worker);
      if (advises) binding_.DropMapped(i - 1);
      if (i < nodes_.size() && !nodes_[i].one_worker) worker.Barrier();
      continue;
    }
    // The last worker in runs all the small nodes that follow, then all go on: one barrier.
    size_t end = i;
    while (end < nodes_.size() && nodes_[end].one_worker) ++end;
    worker.BarrierThen([&] {
      for (size_t node = i; node < end; ++node) {
        RunNode(node, Worker{});
        binding_.DropMapped(node);
      }
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
    binding_.DropMapped(i);
  }
}

}  // namespace fathom
