// A plan compiled for the cpu backend: its kernels chosen, its scratch allocated. A step is one run
// of the thread pool: every worker walks the nodes and meets the others at a barrier behind each.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "backends/common/step_binding.h"
#include "backends/cpu/heuristics.h"
#include "backends/cpu/tuner.h"
#include "base/arena.h"
#include "base/thread_pool.h"

namespace fathom {

class CpuExecutable final : public Executable {
 public:
  // `features`: what kernels may use of the CPU. `tuner` (null: none) times the choices.
  static Result<std::unique_ptr<Executable>> Create(
      Plan plan, std::shared_ptr<const WeightStore> weights, std::shared_ptr<CacheStore> caches,
      std::shared_ptr<ThreadPool> pool, CpuFeatures features, std::shared_ptr<Tuner> tuner);

  const StepSizes& capacity() const override { return binding_.capacity(); }
  std::span<int32_t> Input(std::string_view name) override { return binding_.Input(name); }
  Status Launch(const StepSizes& sizes) override;
  Status Wait() override { return Status::Ok(); }
  Tensor Logits() override { return binding_.logits(); }
  Tensor Kept(ValueId id) override { return binding_.value(id); }
  std::span<const KernelChoice> kernels() const override { return choices_; }
  int64_t arena_bytes() const override {
    return binding_.arena_bytes() + static_cast<int64_t>(scratch_.size());
  }

 private:
  struct Node {
    std::vector<KernelStage> stages;
    std::vector<std::vector<KernelStage>> candidates;  // of each stage, while tuning
    // Of the current step: null: the reference.
    const CpuKernel* kernel = nullptr;
    bool one_worker = false;
  };

  Status ChooseAll(const Plan& plan, CpuFeatures features);
  Status AllocateScratch();
  // Replaces the fixed choices by what the tuner finds fastest.
  Status TuneAll(CpuFeatures features, Tuner& tuner);
  void ListChoices();
  bool IsForOneWorker(const KernelStage& stage, size_t node, int64_t num_tokens) const;
  friend class StageTiming;
  void RunNode(size_t node, const Worker& worker) const;
  // The planned arm: all nodes in one run.
  void RunPlanned(const Worker& worker) const;
  // The eager arm: a run of the pool for each node.
  void RunEager();

  std::shared_ptr<const WeightStore> weights_;
  std::shared_ptr<CacheStore> caches_;
  std::shared_ptr<ThreadPool> pool_;
  bool compiled_ = true;
  StepBinding binding_;
  AlignedBuffer scratch_;
  std::vector<Node> nodes_;
  std::vector<KernelChoice> choices_;
};

}  // namespace fathom
