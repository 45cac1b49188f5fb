#include "backends/cpu/heuristics.h"

#include <algorithm>
#include <array>
#include <limits>

namespace fathom {
namespace {

// The better of two rows that both fit: more of the CPU is faster, always so far.
int FeatureCount(const CpuKernel& kernel) {
  return static_cast<int>(kernel.features.Names().size());
}

const CpuKernel* Better(const CpuKernel* a, const CpuKernel* b) {
  if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
  return FeatureCount(*b) > FeatureCount(*a) ? b : a;
}

bool VariantFits(KernelVariant variant, const OpRecord& op, std::string_view attn_implementation) {
  if (variant == KernelVariant::kEager) {
    return attn_implementation == "eager" || op.name == "attention_with_weights";
  }
  if (variant == KernelVariant::kFlash) return attn_implementation != "eager";
  return true;
}

}  // namespace

std::vector<KernelStage> ChooseKernels(std::span<const CpuKernel> kernels, CpuFeatures allowed,
                                       const OpRecord& op, const OpCall& call,
                                       std::string_view attn_implementation) {
  const CpuKernel* gemv = nullptr;  // the best with a limit on rows
  const CpuKernel* any = nullptr;   // the best without
  for (const CpuKernel& kernel : kernels) {
    if (!allowed.HasAll(kernel.features) || !KernelAccepts(kernel, op, call)) continue;
    if (!VariantFits(kernel.variant, op, attn_implementation)) continue;
    const CpuKernel*& best = kernel.max_rows > 0 ? gemv : any;
    best = Better(best, &kernel);
  }
  std::vector<KernelStage> stages;
  const int64_t rows = call.inputs.empty() ? 0 : call.inputs[0].tensor.shape[0];
  if (gemv != nullptr) stages.push_back({gemv->max_rows, gemv});
  if (gemv == nullptr || gemv->max_rows < rows) {
    stages.push_back({std::numeric_limits<int64_t>::max(), any});
  }
  return stages;
}

std::string DescribeTuning(const KernelStage& stage) {
  std::string text;
  if (stage.tuning != 0) text = "setting " + std::to_string(stage.tuning);
  if (stage.workers == NodeWorkers::kFixed) return text;
  if (!text.empty()) text += ", ";
  return text + (stage.workers == NodeWorkers::kOne ? "one worker" : "all workers");
}

std::vector<KernelStage> StageCandidates(std::span<const CpuKernel> kernels, CpuFeatures allowed,
                                         const OpRecord& op, const OpCall& call,
                                         const KernelStage& fixed, int workers) {
  // Gathers and cache writes are a copy each; tables are made once a step.
  constexpr std::array<std::string_view, 9> kTimed = {
      "linear", "linear_group", "linear_gated",     "attention", "rms_norm",
      "add",    "add_rms_norm", "gated_activation", "activation"};
  std::vector<KernelStage> stages = {fixed};
  if (fixed.kernel == nullptr || std::find(kTimed.begin(), kTimed.end(), op.name) == kTimed.end()) {
    return stages;
  }
  const bool linear = op.name.starts_with("linear");
  const bool gemm = linear && fixed.kernel->max_rows == 0;
  for (const CpuKernel& kernel : kernels) {
    const bool same = &kernel == fixed.kernel;
    if (!same && (!linear || kernel.features.empty())) continue;
    if (!allowed.HasAll(kernel.features) || !KernelAccepts(kernel, op, call)) continue;
    if (kernel.variant != fixed.kernel->variant || kernel.max_rows != fixed.kernel->max_rows ||
        kernel.compute_epsilon != fixed.kernel->compute_epsilon) {
      continue;
    }
    for (int tuning = 0; tuning < kernel.tunings; ++tuning) {
      KernelStage stage{fixed.max_rows, &kernel, tuning};
      if (!same || tuning != 0) stages.push_back(stage);
      if (workers == 1 || gemm) continue;
      for (const NodeWorkers who : {NodeWorkers::kOne, NodeWorkers::kAll}) {
        stage.workers = who;
        stages.push_back(stage);
      }
    }
  }
  return stages;
}

bool RunsOnOneWorker(std::string_view op, int64_t num_tokens) {
  constexpr std::array<std::string_view, 5> kDivided = {"linear", "linear_group", "linear_gated",
                                                        "attention", "attention_with_weights"};
  return num_tokens < kSerialTokens &&
         std::find(kDivided.begin(), kDivided.end(), op) == kDivided.end();
}

}  // namespace fathom
