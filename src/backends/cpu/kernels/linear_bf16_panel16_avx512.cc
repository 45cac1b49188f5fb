// linear, linear_group and linear_gated over bf16 kPanel16 weights with vdpbf16ps: activations
// rounded to bf16, pairs of columns broadcast, float32 sums.
//
// A line of a panel (16 rows x a pair of columns) is the instruction's operand as it lies. GEMV (M
// <= 16): one panel after the other (linear_stream.h), each line multiplied by M broadcast pairs.
// GEMM: activations packed [block of 12 rows][pair of columns][12], kDepth columns of two panels in
// L1, 12 x 2 vectors of sums in registers.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_split.h"
#include "backends/cpu/kernels/linear_stream.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS)
namespace fathom {
namespace {

constexpr size_t kGemvRows = 16;
constexpr size_t kTileRows = 12;
constexpr size_t kTilePanels = 2;
constexpr size_t kDepthLines = 256;  // pairs of columns a round of the GEMM: 32 KB of two panels
constexpr size_t kPaddedLines = 16;  // a panel is padded to as many

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

// sums[m][16 p + r] (+)= sum over lines of x[line][m] . panel[p][line][r], bf16 pairs.
template <size_t kM, size_t kP>
void SumPanels(const std::byte* const* panels, const uint32_t* x, size_t lines, float* sums,
               size_t sums_stride, bool carry) {
  __m512 acc[kM][kP];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t p = 0; p < kP; ++p) {
      acc[m][p] = carry ? _mm512_loadu_ps(sums + m * sums_stride + p * 16) : _mm512_setzero_ps();
    }
  }
  for (size_t line = 0; line < lines; ++line) {
    __m512bh w[kP];
    for (size_t p = 0; p < kP; ++p) {
      w[p] = reinterpret_cast<__m512bh>(_mm512_load_si512(panels[p] + line * 64));
    }
    for (size_t m = 0; m < kM; ++m) {
      const __m512bh pair = Broadcast(x + line * kM + m);
      for (size_t p = 0; p < kP; ++p) acc[m][p] = _mm512_dpbf16_ps(acc[m][p], w[p], pair);
    }
  }
  for (size_t m = 0; m < kM; ++m) {
    for (size_t p = 0; p < kP; ++p) _mm512_storeu_ps(sums + m * sums_stride + p * 16, acc[m][p]);
  }
}

// --- GEMV
// -----------------------------------------------------------------------------------------

// sums[m][r] = sum over lines of x[line][m] . panel[line][r].
template <size_t kM>
void StreamPanel(const LinearPanel& panel, const PanelStream& stream, const uint32_t* x,
                 size_t lines, float* sums, size_t sums_stride) {
  // A few rows alone would wait for their own sums in each line.
  constexpr size_t kChains = kM == 1 ? 4 : kM <= 3 ? 2 : 1;
  __m512 acc[kM][kChains];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t c = 0; c < kChains; ++c) acc[m][c] = _mm512_setzero_ps();
  }
  const std::byte* end = panel.data + lines * 64;
  for (const std::byte* at = panel.data; at < end; at += kPaddedLines * 64) {
    stream.Ask(at, kPaddedLines * 64);
    for (size_t i = 0; i < kPaddedLines; ++i) {
      const auto w = reinterpret_cast<__m512bh>(_mm512_load_si512(at + i * 64));
      for (size_t m = 0; m < kM; ++m) {
        __m512& sum = acc[m][i % kChains];
        sum = _mm512_dpbf16_ps(sum, w, Broadcast(x + i * kM + m));
      }
    }
    x += kPaddedLines * kM;
  }
  for (size_t m = 0; m < kM; ++m) {
    for (size_t c = kChains / 2; c > 0; c /= 2) {
      for (size_t i = 0; i < c; ++i) acc[m][i] = _mm512_add_ps(acc[m][i], acc[m][i + c]);
    }
    _mm512_storeu_ps(sums + m * sums_stride, acc[m][0]);
  }
}

using PanelSum = void (*)(const LinearPanel& panel, const PanelStream& stream, const uint32_t* x,
                          size_t lines, float* sums, size_t sums_stride);

// StreamPanel for so many rows.
template <size_t kM = kGemvRows>
PanelSum PanelSumOf(size_t rows) {
  if constexpr (kM > 1) {
    if (rows < kM) return PanelSumOf<kM - 1>(rows);
  }
  return StreamPanel<kM>;
}

template <LinearOp kOp>
void Gemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  // Each worker converts for itself: cheaper than a barrier.
  uint32_t* x = reinterpret_cast<uint32_t*>(call.scratch) +
                static_cast<size_t>(worker.index) * kGemvRows * LinesOf(job.cols);
  PackRows(job.x, job.rows, job.cols, x);
  const size_t lines = LinesOf(job.cols);
  const PanelSum sum_panel = PanelSumOf(job.rows);
  static_assert(kGemvRows <= kStreamRows);
  alignas(64) float sums[kStreamSums];
  StreamUnits(
      job, Split(job.units, worker), static_cast<StreamAsk>(call.tuning), sums,
      [&](const LinearPanel& panel, const PanelStream& stream, float* to, size_t stride) {
        sum_panel(panel, stream, x, lines, to, stride);
      },
      [&](const LinearTile& tile, const float* from, size_t stride) {
        N_AVX3::StoreLinearTile(tile, from, stride, 0, job.rows);
      });
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
    SumPanels<kM, kTilePanels>(panels, x, lines, sums, stride, carry);
  } else {
    SumPanels<kM, 1>(panels, x, lines, sums, stride, carry);
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
                .tunings = kStreamTunings,
                .linear = Gemv<LinearOp::kLinear>,
                .group = Gemv<LinearOp::kGroup>,
                .gated = Gemv<LinearOp::kGated>};
  AddLinearRows(table, row);
  AddSplitRows<GemvScratch, Gemv<LinearOp::kLinear>, Gemv<LinearOp::kGroup>,
               Gemv<LinearOp::kGated>>(table, row, "bf16x3_panel16_dot_gemv");
  row.tunings = 1;
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
