// linear, linear_group and linear_gated over bf16 kPanel16 weights with AMX, for many rows.
//
// A = activations rounded to bf16, packed as tiles [M / 16][K / 32], a tile = 16 rows x 32 columns, 1 KB
// in one run (so that no two of its lines meet in a cache set). B = 16 lines of a panel: a tile as it
// lies. Two A tiles x two panels give four tiles of sums, which stay in registers over all of K; the
// two panels are reused from L1 for all rows, A comes from L2.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(
    "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c,bmi,bmi2,amx-tile,amx-bf16")
namespace fathom {
namespace {

constexpr size_t kTileBytes = 1024;
constexpr size_t kTilePanels = 2;
constexpr size_t kBlockRows = 32;  // two A tiles
constexpr size_t kSumsStride = kTilePanels * kPanelRows;

size_t DepthTiles(size_t cols) { return (cols + 31) / 32; }
size_t RowTiles(size_t rows) { return (rows + 15) / 16; }

// Row tiles whose activations stay in L2 beside the weights that pass by; even.
size_t TilesAtOnce(size_t rows, size_t cols) {
  const size_t fit = kBf16GemmActivationBytes / (DepthTiles(cols) * kTileBytes) / 2 * 2;
  return std::min(std::max<size_t>(fit, 8), (RowTiles(rows) + 1) / 2 * 2);
}

// Rows [16 tile, 16 tile + 16) of x as tiles along K; rows and columns beyond x are zero.
void PackRowTile(const LinearJob& job, size_t tile, std::byte* out) {
  const size_t depth = DepthTiles(job.cols);
  for (size_t r = 0; r < 16; ++r) {
    const size_t row = tile * 16 + r;
    std::byte* to = out + r * 64;
    if (row >= job.rows) {
      for (size_t k = 0; k < depth; ++k) {
        _mm512_store_si512(to + k * kTileBytes, _mm512_setzero_si512());
      }
      continue;
    }
    const float* x = job.x + row * job.cols;
    for (size_t k = 0; k < depth; ++k) {
      const size_t left = std::min<size_t>(32, job.cols - k * 32);
      const auto mask = static_cast<uint32_t>((uint64_t{1} << left) - 1);
      const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + k * 32);
      const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + k * 32 + 16);
      _mm512_store_si512(to + k * kTileBytes,
                         reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
  }
}

// sums [32, 32] = two row tiles x two panels.
void Multiply2x2(const std::byte* a0, const std::byte* a1, const std::byte* b0, const std::byte* b1,
                 size_t depth, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size_t k = 0; k < depth; ++k) {
    _tile_loadd(4, a0 + k * kTileBytes, 64);
    _tile_loadd(6, b0 + k * kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b1 + k * kTileBytes, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a1 + k * kTileBytes, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  constexpr size_t kBytes = kSumsStride * sizeof(float);
  _tile_stored(0, sums, kBytes);
  _tile_stored(1, sums + 16, kBytes);
  _tile_stored(2, sums + 16 * kSumsStride, kBytes);
  _tile_stored(3, sums + 16 * kSumsStride + 16, kBytes);
}

// sums [32, 16 of 32] = two row tiles x one panel.
void Multiply2x1(const std::byte* a0, const std::byte* a1, const std::byte* b0, size_t depth,
                 float* sums) {
  _tile_zero(0);
  _tile_zero(2);
  for (size_t k = 0; k < depth; ++k) {
    _tile_loadd(4, a0 + k * kTileBytes, 64);
    _tile_loadd(6, b0 + k * kTileBytes, 64);
    _tile_loadd(5, a1 + k * kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
  }
  constexpr size_t kBytes = kSumsStride * sizeof(float);
  _tile_stored(0, sums, kBytes);
  _tile_stored(2, sums + 16 * kSumsStride, kBytes);
}

// Row tiles [first, first + count) of the packed activations against one tile of panels.
void GemmTile(const LinearJob& job, const LinearTile& tile, const std::byte* packed, size_t first,
              size_t count, float* sums) {
  const size_t depth = DepthTiles(job.cols);
  for (size_t m = first; m < first + count; m += 2) {
    const std::byte* a0 = packed + m * depth * kTileBytes;
    const std::byte* a1 = a0 + depth * kTileBytes;
    if (tile.panel_count == kTilePanels) {
      Multiply2x2(a0, a1, tile.panels[0].data, tile.panels[1].data, depth, sums);
    } else {
      Multiply2x1(a0, a1, tile.panels[0].data, depth, sums);
    }
    N_AVX3::StoreLinearTile(tile, sums, kSumsStride, m * 16,
                            std::min(kBlockRows, job.rows - m * 16));
  }
}

template <LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const size_t row_bytes = DepthTiles(job.cols) * kTileBytes;
  const size_t row_tiles = (RowTiles(job.rows) + 1) / 2 * 2;
  const Range mine = Split(row_tiles, worker);
  for (size_t tile = mine.begin; tile < mine.end; ++tile) {
    PackRowTile(job, tile, call.scratch + tile * row_bytes);
  }
  worker.Barrier();
  alignas(64) float sums[kBlockRows * kSumsStride];
  const size_t at_once = TilesAtOnce(job.rows, job.cols);
  const size_t step = job.gated ? 1 : kTilePanels;
  const Range units = Split(job.units, worker, step);
  AmxConfigure();
  for (size_t m = 0; m < row_tiles; m += at_once) {
    const size_t count = std::min(at_once, row_tiles - m);
    for (size_t unit = units.begin; unit < units.end; unit += step) {
      const LinearTile tile = MakeLinearTile(job, unit, std::min(step, units.end - unit));
      GemmTile(job, tile, call.scratch, m, count, sums);
    }
  }
  AmxRelease();
}

size_t GemmScratch(const OpCall& call, int workers) {
  const size_t rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return (RowTiles(rows) + 1) / 2 * 2 * DepthTiles(cols) * kTileBytes;
}

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {

void AddLinearBf16Panel16AmxKernels(CpuKernelTable& table) {
  AddLinearRows(table,
                {.name = "bf16_panel16_gemm",
                 .suffix = "amx",
                 .description = "tiles of 32 x 32 sums, activations packed once",
                 .variant = KernelVariant::kGemm,
                 .dtype = DType::kBF16,
                 .features = {CpuFeature::kAvx2, CpuFeature::kFma, CpuFeature::kF16c,
                              CpuFeature::kBmi1, CpuFeature::kBmi2, CpuFeature::kAvx512f,
                              CpuFeature::kAvx512bw, CpuFeature::kAvx512dq, CpuFeature::kAvx512vl,
                              CpuFeature::kAvx512Bf16, CpuFeature::kAmxTile, CpuFeature::kAmxBf16},
                 .scratch_bytes = GemmScratch,
                 .compute_epsilon = 0x1p-7,
                 .linear = Gemm<LinearOp::kLinear>,
                 .group = Gemm<LinearOp::kGroup>,
                 .gated = Gemm<LinearOp::kGated>});
}

}  // namespace fathom

#endif  // __x86_64__
