// linear, linear_group and linear_gated on AMX for many rows: the rows of the table. What they run:
// linear_gemm.h, linear_gemm_amx-inl.h.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_gemm.h"
#include "backends/cpu/kernels/linear_quantized_block.h"
#include "backends/cpu/kernels/linear_split.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS ",amx-tile,amx-bf16,amx-int8")
namespace fathom {
namespace {

#include "backends/cpu/kernels/linear_gemm_amx-inl.h"

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {
namespace {

template <class Kernel, LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  BlockedGemm(Kernel::kKernel, kOp, call, worker);
}
template <class Kernel>
size_t GemmScratch(const OpCall& call, int workers) {
  return BlockedGemmScratch(Kernel::kKernel, call, workers);
}

template <class Kernel>
LinearRow RowOf(const char* name, const char* description) {
  LinearRow row{.name = name, .suffix = "amx", .description = description};
  row.variant = KernelVariant::kGemm;
  row.scratch_bytes = GemmScratch<Kernel>;
  row.linear = Gemm<Kernel, LinearOp::kLinear>;
  row.group = Gemm<Kernel, LinearOp::kGroup>;
  row.gated = Gemm<Kernel, LinearOp::kGated>;
  return row;
}

template <class Format>
void AddIntegers(CpuKernelTable& table, const char* name) {
  LinearRow row = RowOf<AmxIntegers<AmxTiles, Format>>(
      name, "int8 of one scale a block of columns, tiles of 32 x 32 integer sums");
  row.format = Format::kFormat;
  row.dtype = Format::kDType;
  row.features = kAmxInt8Features;
  row.compute_epsilon = BlockEpsilon(kAmxMostCols);
  AddLinearRows(table, row);
}

}  // namespace

void AddLinearGemmAmxKernels(CpuKernelTable& table) {
  using Bf16 = AmxBf16<AmxTiles>;
  LinearRow row = RowOf<Bf16>("bf16_panel16_gemm", "tiles of 32 x 32 sums, blocked for L1 and L2");
  row.dtype = DType::kBF16;
  row.features = kAmxBf16Features;
  row.compute_epsilon = 0x1p-7;
  AddLinearRows(table, row);
  AddSplitRows<GemmScratch<Bf16>, Gemm<Bf16, LinearOp::kLinear>, Gemm<Bf16, LinearOp::kGroup>,
               Gemm<Bf16, LinearOp::kGated>>(table, row, "bf16x3_panel16_gemm");
  AddIntegers<Int8Block>(table, "int8_panel16_dot_gemm");
  AddIntegers<Int4Block>(table, "int4_panel16_dot_gemm");
}

}  // namespace fathom

#endif  // __x86_64__
