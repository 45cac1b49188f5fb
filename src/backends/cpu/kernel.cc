#include "backends/cpu/kernel.h"

namespace fathom {

CpuKernel& CpuKernelTable::Add(const char* base, const char* suffix, const char* description,
                               const char* op, CpuFeatures features,
                               void (*run)(const OpCall&, const Worker&)) {
  CpuKernel& row = rows_.emplace_back();
  row.name = std::string(base) + "_" + suffix;
  row.description = description;
  row.op = op;
  row.features = features;
  row.run = run;
  return row;
}

std::span<const CpuKernel> CpuKernels() {
  static const CpuKernelTable table = [] {
    CpuKernelTable rows;
    AddElementwiseKernels(rows);
    AddNormKernels(rows);
    AddRotaryKernels(rows);
    AddLookupKernels(rows);
    AddLinearDenseKernels(rows);
#if defined(__x86_64__)
    AddLinearQuantizedGemmAvx512Kernels(rows);
    AddLinearQuantizedGemvAvx512Kernels(rows);
#endif
    // Of rows that need the same of the CPU the first is taken: integer products before others.
    AddLinearQuantizedKernels(rows);
    AddLinearPanel16Kernels(rows);
    AddAttentionKernels(rows);
    AddAttentionEagerKernels(rows);
#if defined(__x86_64__)
    AddLinearBf16Panel16Avx512Kernels(rows);
    AddLinearGemmAmxKernels(rows);
    AddAttentionBf16Kernels(rows);
#endif
    return rows;
  }();
  return table.rows();
}

bool KernelAccepts(const CpuKernel& kernel, const OpRecord& op, const OpCall& call) {
  if (kernel.op != op.name) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const Operand& operand = call.inputs[i];
    if (operand.weight != nullptr) {
      if (kernel.weight_format && *kernel.weight_format != operand.weight->format) return false;
      if (kernel.weight_dtype && *kernel.weight_dtype != operand.weight->dtype) return false;
    }
    const Port* port = FindPort(op.inputs, i);
    if (port != nullptr && port->kind == PortKind::kCache && kernel.cache_dtype &&
        *kernel.cache_dtype != operand.tensor.dtype) {
      return false;
    }
  }
  return kernel.accepts == nullptr || kernel.accepts(call);
}

}  // namespace fathom
