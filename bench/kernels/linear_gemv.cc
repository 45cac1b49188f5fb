// Linear kernels of 1 to 16 rows against the read stream: the weights come from memory. The row
// "loads" is the same bytes in the same order with nothing done to them, a barrier behind each
// matrix: what a kernel could reach.
#include "lab.h"
#include "linear_calls.h"

namespace fathom {
namespace {

void RunKernel(Lab& lab, const CpuKernel& kernel, const LayerShape& shape) {
  for (const int64_t rows : lab.RowsOr({1, 4, 8, 16})) {
    if (rows > 16 || (kernel.max_rows > 0 && rows > kernel.max_rows)) continue;
    for (int tuning = 0; tuning < (rows == 1 ? kernel.tunings : 1); ++tuning) {
      const LinearCalls calls(kernel, shape, rows, lab.options().stream_bytes, lab.max_threads(),
                              tuning);
      LabTask task{.family = "gemv", .kernel = kernel.name, .shape = shape.name, .rows = rows};
      task.work = calls.weight_bytes();
      task.tuning = tuning;
      task.run = [&](const Worker& worker) { calls.Run(worker); };
      lab.Measure(task);
      if (rows != 1 || tuning != 0) continue;
      task.kernel = "loads of " + kernel.name;
      task.run = [&](const Worker& worker) { calls.Load(worker); };
      lab.Measure(task);
    }
  }
}

}  // namespace

void RunLinearGemv(Lab& lab) {
  for (const LayerShape& shape : kLayerShapes) {
    if (!lab.WantsShape(shape.name)) continue;
    for (const CpuKernel& kernel : CpuKernels()) {
      const bool few_rows = kernel.variant != KernelVariant::kGemm;
      if (!kernel.op.starts_with("linear") || !few_rows) continue;
      if (lab.Wants(kernel.op, kernel.name, kernel.features)) RunKernel(lab, kernel, shape);
    }
  }
}

}  // namespace fathom
