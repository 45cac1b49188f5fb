// linear, linear_group and linear_gated over bf16 kPanel16 weights with vdpbf16ps: activations
// rounded to bf16, pairs of columns broadcast, float32 sums.
//
// A line of a panel (16 rows x a pair of columns) is the instruction's operand as it lies. GEMV (M
// <= 16): several panels streamed side by side, each line multiplied by M broadcast pairs. GEMM:
// activations packed [block of 12 rows][pair of columns][12], kDepth columns of two panels in L1,
// 12 x 2 vectors of sums in registers.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_split.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS)
namespace fathom {
namespace {

constexpr size_t kGemvRows = 16;
constexpr size_t kTileRows = 12;
constexpr size_t kTilePanels = 2;
constexpr size_t kDepthLines = 256;    // pairs of columns a round of the GEMM: 32 KB of two panels
constexpr size_t kPrefetchLines = 64;  // 4 KB

// Panels streamed at once for M rows: all sums stay in registers.
constexpr size_t StreamsFor(size_t rows) { return rows <= 6 ? 4 : rows <= 12 ? 2 : 1; }

size_t LinesOf(size_t cols) { return (cols + 31) / 32 * 16; }  // with the padding, which is zero

// Rows of x, `count` of them and `cols` apart, as bf16 pairs [lines][count].
void PackRows(const float* x, size_t count, size_t cols, uint32_t* packed) {
  const size_t lines = LinesOf(cols);
  for (size_t m = 0; m < count; ++m) {
    const float* row = x + m * cols;
    for (size_t line = 0; line < lines; line += 16) {
      const size_t k = 2 * line;
      const size_t left = cols > k ? std::min<size_t>(32, cols - k) : 0;
      const auto mask = static_cast<uint32_t>((uint64_t{1} << left) - 1);
      const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + k);
      const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), row + k + 16);
      const auto pairs = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
      if (count == 1) {
        _mm512_storeu_si512(packed + line, pairs);
        continue;
      }
      alignas(64) uint32_t values[16];
      _mm512_store_si512(values, pairs);
      for (size_t i = 0; i < 16; ++i) packed[(line + i) * count + m] = values[i];
    }
  }
}

inline __m512bh Broadcast(const uint32_t* pair) {
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(*pair)));
}

// sums[m][16 p + r] (+)= sum over lines of x[line][m] . panel[p][line][r], bf16 pairs. next[p]:
// what is prefetched behind the panel's end; null: nothing is prefetched.
template <size_t kM, size_t kP>
void SumPanels(const std::byte* const* panels, const std::byte* const* next, const uint32_t* x,
               size_t lines, float* sums, size_t sums_stride, bool carry) {
  __m512 acc[kM][kP];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t p = 0; p < kP; ++p) {
      acc[m][p] = carry ? _mm512_loadu_ps(sums + m * sums_stride + p * 16) : _mm512_setzero_ps();
    }
  }
  const auto run = [&](size_t begin, size_t end, const std::byte* const* ahead, size_t ahead_line) {
    for (size_t line = begin; line < end; ++line) {
      __m512bh w[kP];
      for (size_t p = 0; p < kP; ++p) {
        if (ahead != nullptr) {
          _mm_prefetch(ahead[p] + (ahead_line + line - begin) * 64, _MM_HINT_T1);
        }
        w[p] = reinterpret_cast<__m512bh>(_mm512_load_si512(panels[p] + line * 64));
      }
      for (size_t m = 0; m < kM; ++m) {
        const __m512bh pair = Broadcast(x + line * kM + m);
        for (size_t p = 0; p < kP; ++p) acc[m][p] = _mm512_dpbf16_ps(acc[m][p], w[p], pair);
      }
    }
  };
  if (next == nullptr) {
    run(0, lines, nullptr, 0);
  } else {
    const size_t turn = lines > kPrefetchLines ? lines - kPrefetchLines : 0;
    run(0, turn, panels, kPrefetchLines);
    run(turn, lines, next, 0);
  }
  for (size_t m = 0; m < kM; ++m) {
    for (size_t p = 0; p < kP; ++p) _mm512_storeu_ps(sums + m * sums_stride + p * 16, acc[m][p]);
  }
}

// --- GEMV
// -----------------------------------------------------------------------------------------

template <size_t kM>
void StreamTiles(const LinearJob& job, const uint32_t* x, Range units) {
  constexpr size_t kP = StreamsFor(kM);
  const size_t step = job.gated ? std::max<size_t>(1, kP / 2) : kP;
  alignas(64) float sums[kM * kMaxTilePanels * kPanelRows];
  const size_t lines = LinesOf(job.cols);
  const std::byte* panels[kMaxTilePanels];
  const std::byte* next[kMaxTilePanels];
  LinearTile tile = MakeLinearTile(job, units.begin, std::min(step, units.size()));
  for (size_t unit = units.begin; unit < units.end; unit += step) {
    const size_t following = std::min(unit + step, units.end);
    const LinearTile after =
        following == units.end
            ? tile
            : MakeLinearTile(job, following, std::min(step, units.end - following));
    for (size_t p = 0; p < tile.panel_count; ++p) {
      panels[p] = tile.panels[p].data;
      next[p] = after.panels[std::min(p, after.panel_count - 1)].data;
    }
    const size_t stride = tile.panel_count * kPanelRows;
    if (tile.panel_count == kP) {
      SumPanels<kM, kP>(panels, next, x, lines, sums, stride, false);
    } else {
      for (size_t p = 0; p < tile.panel_count; ++p) {
        SumPanels<kM, 1>(panels + p, next + p, x, lines, sums + p * kPanelRows, stride, false);
      }
    }
    N_AVX3::StoreLinearTile(tile, sums, stride, 0, kM);
    tile = after;
  }
}

template <size_t kM>
void StreamRows(const LinearJob& job, const uint32_t* x, Range units) {
  if constexpr (kM > 1) {
    if (job.rows < kM) return StreamRows<kM - 1>(job, x, units);
  }
  StreamTiles<kM>(job, x, units);
}

template <LinearOp kOp>
void Gemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  const Range units = Split(job.units, worker);
  if (units.empty() || job.rows == 0) return;
  // Each worker converts for itself: cheaper than a barrier.
  uint32_t* x = reinterpret_cast<uint32_t*>(call.scratch) +
                static_cast<size_t>(worker.index) * kGemvRows * LinesOf(job.cols);
  PackRows(job.x, job.rows, job.cols, x);
  StreamRows<kGemvRows>(job, x, units);
}

size_t GemvScratch(const OpCall& call, int workers) {
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * kGemvRows * LinesOf(cols) * sizeof(uint32_t);
}

// --- GEMM
// -----------------------------------------------------------------------------------------

// Rows whose packed activations stay in L2 beside the weights that pass by.
size_t RowsAtOnce(size_t rows, size_t cols) {
  const size_t fit = kBf16GemmActivationBytes / (LinesOf(cols) * 4) / kTileRows * kTileRows;
  return std::min(std::max(fit, 4 * kTileRows), rows);
}

template <size_t kM>
void SumRows(size_t rows, size_t panel_count, const std::byte* const* panels, const uint32_t* x,
             size_t lines, float* sums, size_t stride, bool carry) {
  if constexpr (kM > 1) {
    if (rows < kM) {
      return SumRows<kM - 1>(rows, panel_count, panels, x, lines, sums, stride, carry);
    }
  }
  if (panel_count == kTilePanels) {
    SumPanels<kM, kTilePanels>(panels, nullptr, x, lines, sums, stride, carry);
  } else {
    SumPanels<kM, 1>(panels, nullptr, x, lines, sums, stride, carry);
  }
}

void GemmTile(const LinearJob& job, const LinearTile& tile, const uint32_t* packed, size_t first,
              size_t rows, float* sums) {
  const size_t stride = tile.panel_count * kPanelRows;
  const size_t all_lines = LinesOf(job.cols);
  const std::byte* panels[kMaxTilePanels];
  for (size_t line = 0; line < all_lines; line += kDepthLines) {
    const size_t lines = std::min(kDepthLines, all_lines - line);
    for (size_t p = 0; p < tile.panel_count; ++p) panels[p] = tile.panels[p].data + line * 64;
    for (size_t m = 0; m < rows; m += kTileRows) {
      const size_t count = std::min(kTileRows, rows - m);
      const uint32_t* x = packed + (first + m) * all_lines + line * count;
      SumRows<kTileRows>(count, tile.panel_count, panels, x, lines, sums + m * stride, stride,
                         line != 0);
    }
  }
  N_AVX3::StoreLinearTile(tile, sums, stride, first, rows);
}

template <LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  uint32_t* packed = reinterpret_cast<uint32_t*>(call.scratch);
  const size_t lines = LinesOf(job.cols);
  const Range rows = Split(job.rows, worker, kTileRows);
  for (size_t m = rows.begin; m < rows.end; m += kTileRows) {
    PackRows(job.x + m * job.cols, std::min(kTileRows, rows.end - m), job.cols, packed + m * lines);
  }
  worker.Barrier();
  const size_t at_once = RowsAtOnce(job.rows, job.cols);
  float* sums = reinterpret_cast<float*>(packed + job.rows * lines) +
                static_cast<size_t>(worker.index) * at_once * kTilePanels * kPanelRows;
  const size_t step = job.gated ? 1 : kTilePanels;
  const Range units = Split(job.units, worker, step);
  for (size_t m = 0; m < job.rows; m += at_once) {
    const size_t count = std::min(at_once, job.rows - m);
    for (size_t unit = units.begin; unit < units.end; unit += step) {
      const LinearTile tile = MakeLinearTile(job, unit, std::min(step, units.end - unit));
      GemmTile(job, tile, packed, m, count, sums);
    }
  }
}

size_t GemmScratch(const OpCall& call, int workers) {
  const size_t rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  const size_t sums = static_cast<size_t>(workers) * RowsAtOnce(rows, cols) * kTilePanels * 16;
  return rows * LinesOf(cols) * sizeof(uint32_t) + sums * sizeof(float);
}

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {

void AddLinearBf16Panel16Avx512Kernels(CpuKernelTable& table) {
  LinearRow row{.name = "bf16_panel16_dot_gemv",
                .suffix = "avx512",
                .description = "panels streamed through vdpbf16ps",
                .variant = KernelVariant::kGemv,
                .dtype = DType::kBF16,
                .features = kAvx512Bf16Features,
                .max_rows = kGemvRows,
                .scratch_bytes = GemvScratch,
                .compute_epsilon = 0x1p-7,
                .linear = Gemv<LinearOp::kLinear>,
                .group = Gemv<LinearOp::kGroup>,
                .gated = Gemv<LinearOp::kGated>};
  AddLinearRows(table, row);
  AddSplitRows<GemvScratch, Gemv<LinearOp::kLinear>, Gemv<LinearOp::kGroup>,
               Gemv<LinearOp::kGated>>(table, row, "bf16x3_panel16_dot_gemv");
  row.name = "bf16_panel16_dot_gemm";
  row.description = "register tiles of vdpbf16ps";
  row.variant = KernelVariant::kGemm;
  row.max_rows = 0;
  row.scratch_bytes = GemmScratch;
  row.linear = Gemm<LinearOp::kLinear>;
  row.group = Gemm<LinearOp::kGroup>;
  row.gated = Gemm<LinearOp::kGated>;
  AddLinearRows(table, row);
  AddSplitRows<GemmScratch, Gemm<LinearOp::kLinear>, Gemm<LinearOp::kGroup>,
               Gemm<LinearOp::kGated>>(table, row, "bf16x3_panel16_dot_gemm");
}

}  // namespace fathom

#endif  // __x86_64__
