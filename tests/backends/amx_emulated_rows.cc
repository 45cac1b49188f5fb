#include "tests/backends/amx_emulated_rows.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_gemm.h"
#include "backends/cpu/kernels/linear_quantized_block.h"
#include "backends/cpu/kernels/target_region.h"
#include "tests/backends/amx_emulation.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS)
namespace fathom {
namespace {

#include "backends/cpu/kernels/linear_gemm_amx-inl.h"

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {
namespace {

template <class Kernel>
size_t Scratch(const OpCall& call, int workers) {
  return BlockedGemmScratch(Kernel::kKernel, call, workers);
}

// Tiles may touch the scratch and the weights, nothing else.
template <class Kernel, LinearOp kOp>
void Run(const OpCall& call, const Worker& worker) {
  EmulatedTiles::Reset();
  EmulatedTiles::Allow(call.scratch, Scratch<Kernel>(call, worker.count));
  for (const Operand& input : call.inputs) {
    if (input.weight == nullptr) continue;
    EmulatedTiles::Allow(input.weight->data, static_cast<size_t>(input.weight->size_bytes));
  }
  BlockedGemm(Kernel::kKernel, kOp, call, worker);
}

template <class Kernel>
LinearRow RowOf(const char* name) {
  LinearRow row{.name = name, .suffix = "amx_emulated", .description = "emulated tiles"};
  row.variant = KernelVariant::kGemm;
  row.scratch_bytes = Scratch<Kernel>;
  row.linear = Run<Kernel, LinearOp::kLinear>;
  row.group = Run<Kernel, LinearOp::kGroup>;
  row.gated = Run<Kernel, LinearOp::kGated>;
  return row;
}

template <class Format>
void AddIntegers(CpuKernelTable& table, const char* name) {
  LinearRow row = RowOf<AmxIntegers<EmulatedTiles, Format>>(name);
  row.format = Format::kFormat;
  row.dtype = Format::kDType;
  row.features = kAvx512VnniFeatures;
  row.compute_epsilon = BlockEpsilon(kAmxMostCols);
  AddLinearRows(table, row);
}

}  // namespace

const CpuKernelTable& EmulatedAmxRows() {
  static const CpuKernelTable table = [] {
    CpuKernelTable rows;
    LinearRow row = RowOf<AmxBf16<EmulatedTiles>>("bf16_panel16_gemm");
    row.dtype = DType::kBF16;
    row.features = kAvx512Bf16Features;
    row.compute_epsilon = 0x1p-7;
    AddLinearRows(rows, row);
    AddIntegers<Int8Block>(rows, "int8_panel16_dot_gemm");
    AddIntegers<Int4Block>(rows, "int4_panel16_dot_gemm");
    return rows;
  }();
  return table;
}

}  // namespace fathom

#else

namespace fathom {

const CpuKernelTable& EmulatedAmxRows() {
  static const CpuKernelTable table;
  return table;
}

}  // namespace fathom

#endif  // __x86_64__
