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

bool VariantFits(KernelVariant variant, std::string_view attn_implementation) {
  if (variant == KernelVariant::kEager) return attn_implementation == "eager";
  if (variant == KernelVariant::kFlash) return attn_implementation != "eager";
  return true;
}

}  // namespace

bool SplitsGemmByRows(size_t rows, int workers) {
  return rows >= 128 * static_cast<size_t>(workers);
}

std::vector<KernelStage> ChooseKernels(std::span<const CpuKernel> kernels, CpuFeatures allowed,
                                       const OpRecord& op, const OpCall& call,
                                       std::string_view attn_implementation) {
  const CpuKernel* gemv = nullptr;  // the best with a limit on rows
  const CpuKernel* any = nullptr;   // the best without
  for (const CpuKernel& kernel : kernels) {
    if (!allowed.HasAll(kernel.features) || !KernelAccepts(kernel, op, call)) continue;
    if (!VariantFits(kernel.variant, attn_implementation)) continue;
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

bool RunsOnOneWorker(std::string_view op, int64_t num_tokens) {
  constexpr std::array<std::string_view, 4> kDivided = {"linear", "linear_group", "linear_gated",
                                                        "attention"};
  return num_tokens < kSerialTokens &&
         std::find(kDivided.begin(), kDivided.end(), op) == kDivided.end();
}

}  // namespace fathom
