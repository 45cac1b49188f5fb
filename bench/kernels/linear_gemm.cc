// Linear kernels of many rows against the peak of the unit that multiplies: integer products
// against int8, kernels that round operands to bf16 against bf16, all others against fp32.
#include "lab.h"
#include "linear_calls.h"

namespace fathom {
namespace {

constexpr double kWeightBytes = 3e7;

LabRoof PeakOf(const CpuKernel& kernel) {
  const bool integers = IsQuantized(kernel.weight_format.value_or(WeightFormat::kDense)) &&
                        kernel.name.find("_dot_") != std::string::npos;
  if (integers) return LabRoof::kInt8Peak;
  return kernel.compute_epsilon == 0x1p-7 ? LabRoof::kBf16Peak : LabRoof::kFp32Peak;
}

}  // namespace

void RunLinearGemm(Lab& lab) {
  for (const LayerShape& shape : kLayerShapes) {
    if (!lab.WantsShape(shape.name)) continue;
    for (const CpuKernel& kernel : CpuKernels()) {
      const bool many_rows = kernel.op.starts_with("linear") && kernel.max_rows == 0;
      if (!many_rows || !lab.Wants(kernel.op, kernel.name, kernel.features)) continue;
      for (const int64_t rows : lab.RowsOr({64, 512})) {
        if (rows <= 16) continue;
        const LinearCalls calls(kernel, shape, rows, kWeightBytes, lab.max_threads(), 0);
        LabTask task{.family = "gemm", .kernel = kernel.name, .shape = shape.name, .rows = rows};
        task.roof = PeakOf(kernel);
        task.work = calls.flops();
        task.run = [&](const Worker& worker) { calls.Run(worker); };
        lab.Measure(task);
      }
    }
  }
}

}  // namespace fathom
