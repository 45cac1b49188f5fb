// Register tiles in float32 over panels of 16 rows, once a target of Highway: what the GEMMs of all
// formats share, and the GEMVs that multiply in float32.
//
// GEMM: A = activations packed [block of kTileRows][K][kTileRows]; for each tile of panels and each
// kDepth columns: the panels' part as float32 (other types are unpacked once, then serve all rows)
// in L1, A from L2, kTileRows x panels of sums in registers, carried from depth to depth in
// scratch.
//
// A class Panels says how a panel is unpacked:
//   static const std::byte* Lines(const LinearPanel& panel, size_t k);   // F32 in place, or null
//   static void Unpack(const LinearPanel& panel, size_t first, size_t cols, float* out);
#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"

#if defined(FATHOM_LINEAR_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_LINEAR_TILES_INL_H_
#undef FATHOM_LINEAR_TILES_INL_H_
#else
#define FATHOM_LINEAR_TILES_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

constexpr size_t kVecs = kPanelRows / kLanes;  // vectors of a panel's 16 rows

// Tiles as large as the registers allow.
#if HWY_TARGET == HWY_AVX3
constexpr size_t kTileRows = 12, kTilePanels = 2, kStreams = 4;
#elif HWY_TARGET == HWY_AVX2
constexpr size_t kTileRows = 6, kTilePanels = 1, kStreams = 4;
#elif HWY_TARGET == HWY_NEON
constexpr size_t kTileRows = 6, kTilePanels = 1, kStreams = 4;
#else
constexpr size_t kTileRows = 2, kTilePanels = 1, kStreams = 2;
#endif
constexpr size_t kGemvRows = 4;
constexpr size_t kDepth = 256;
constexpr size_t kPrefetchLines = 64;  // 4 KB

// Panels streamed at once for M rows: all sums stay in registers.
constexpr size_t StreamsFor(size_t rows) {
  const size_t registers = kLanes == 16 ? 16 : 8;
  size_t streams = kStreams;
  while (streams > 1 && rows * streams * kVecs > registers) streams /= 2;
  return streams;
}

// Bytes of a panel's line group that holds two columns (16-bit types) or one.
template <class Element>
constexpr size_t ColsPerLine() {
  return Element::kDType == DType::kF32 ? 1 : 2;
}

// Vector v of one line: rows [v * kLanes, ...) of its column(s).
template <class Element>
HWY_INLINE void LoadLine(const std::byte* line, size_t v, VF* even, VF* odd) {
  const U32 du;
  const auto bits = hn::Load(du, reinterpret_cast<const uint32_t*>(line) + v * kLanes);
  if constexpr (Element::kDType == DType::kF32) {
    *even = hn::BitCast(F32(), bits);
  } else if constexpr (Element::kDType == DType::kBF16) {
    *even = hn::BitCast(F32(), hn::ShiftLeft<16>(bits));
    *odd = hn::BitCast(F32(), hn::And(bits, hn::Set(du, 0xFFFF0000u)));
  } else {
    *even = FromF16(hn::TruncateTo(U16Half(), bits));
    *odd = FromF16(hn::TruncateTo(U16Half(), hn::ShiftRight<16>(bits)));
  }
}

// sums[m][16 p + r] (+)= sum over lines of x[col][m] * panel[p][r, col]. x [cols, kM]. next[p] is
// what is prefetched behind the panel's end; null: nothing is prefetched.
template <class Element, size_t kM, size_t kP>
void SumPanels(const std::byte* const* panels, const std::byte* const* next, const float* x,
               size_t lines, float* sums, size_t sums_stride, bool carry) {
  const F32 d;
  VF acc[kM][kP * kVecs];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t i = 0; i < kP * kVecs; ++i) {
      acc[m][i] = carry ? hn::LoadU(d, sums + m * sums_stride + i * kLanes) : hn::Zero(d);
    }
  }
  const auto run = [&](size_t begin, size_t end, const std::byte* const* ahead,
                       size_t ahead_line) HWY_ATTR {
    for (size_t line = begin; line < end; ++line) {
      const float* xs = x + line * ColsPerLine<Element>() * kM;
      for (size_t p = 0; p < kP; ++p) {
        if (ahead != nullptr) {
          __builtin_prefetch(ahead[p] + (ahead_line + line - begin) * 64, 0, 2);
        }
        for (size_t v = 0; v < kVecs; ++v) {
          VF even, odd;
          LoadLine<Element>(panels[p] + line * 64, v, &even, &odd);
          for (size_t m = 0; m < kM; ++m) {
            VF& sum = acc[m][p * kVecs + v];
            sum = hn::MulAdd(Splat(xs[m]), even, sum);
            if constexpr (ColsPerLine<Element>() == 2) {
              sum = hn::MulAdd(Splat(xs[kM + m]), odd, sum);
            }
          }
        }
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
    for (size_t i = 0; i < kP * kVecs; ++i) {
      hn::StoreU(acc[m][i], d, sums + m * sums_stride + i * kLanes);
    }
  }
}

template <class Element>
size_t LinesOf(size_t cols) {
  return (cols + ColsPerLine<Element>() - 1) / ColsPerLine<Element>();
}

// Rows [first, first + count) of x as [cols rounded up to 2][count], the rounding zeros.
void PackRows(const LinearJob& job, size_t first, size_t count, float* packed) {
  for (size_t m = 0; m < count; ++m) {
    const float* from = job.x + (first + m) * job.cols;
    for (size_t k = 0; k < job.cols; ++k) packed[k * count + m] = from[k];
    if (job.cols % 2 != 0) packed[job.cols * count + m] = 0;
  }
}

size_t PackedFloats(size_t rows, size_t cols) { return rows * (cols + cols % 2); }

// --- GEMM
// -----------------------------------------------------------------------------------------

// Bytes of a worker's own scratch: unpacked panels, then the sums of `rows` rows.
size_t GemmOwnFloats(size_t rows) {
  return kMaxTilePanels * kDepth * kPanelRows + rows * kMaxTilePanels * kPanelRows;
}

// Rows whose packed activations stay in L2 beside the weights that pass by.
size_t RowsAtOnce(const LinearJob& job) {
  const size_t rows = kGemmActivationBytes / (job.cols * sizeof(float)) / kTileRows * kTileRows;
  return std::min(std::max(rows, 4 * kTileRows), job.rows);
}

template <size_t kM>
void SumRows(size_t rows, size_t panel_count, const std::byte* const* panels, const float* x,
             size_t lines, float* sums, size_t stride, bool carry) {
  if constexpr (kM > 1) {
    if (rows < kM) {
      return SumRows<kM - 1>(rows, panel_count, panels, x, lines, sums, stride, carry);
    }
  }
  size_t p = 0;
  for (; p + kTilePanels <= panel_count; p += kTilePanels) {
    SumPanels<ElementF32, kM, kTilePanels>(panels + p, nullptr, x, lines, sums + p * kPanelRows,
                                           stride, carry);
  }
  for (; p < panel_count; ++p) {
    SumPanels<ElementF32, kM, 1>(panels + p, nullptr, x, lines, sums + p * kPanelRows, stride,
                                 carry);
  }
}

// All of the job's rows [first, first + rows) for one tile.
template <class Panels>
void GemmTile(const LinearJob& job, const LinearTile& tile, const float* packed, size_t first,
              size_t rows, float* own) {
  float* unpacked = own;
  float* sums = own + kMaxTilePanels * kDepth * kPanelRows;
  const size_t stride = tile.panel_count * kPanelRows;
  const size_t padded_cols = job.cols + job.cols % 2;
  const std::byte* panels[kMaxTilePanels];
  for (size_t k = 0; k < job.cols; k += kDepth) {
    const size_t depth = std::min(kDepth, job.cols - k);
    for (size_t p = 0; p < tile.panel_count; ++p) {
      panels[p] = Panels::Lines(tile.panels[p], k);
      if (panels[p] != nullptr) continue;
      float* out = unpacked + p * kDepth * kPanelRows;
      Panels::Unpack(tile.panels[p], k, depth, out);
      panels[p] = reinterpret_cast<const std::byte*>(out);
    }
    for (size_t m = 0; m < rows; m += kTileRows) {
      const size_t count = std::min(kTileRows, rows - m);
      const float* x = packed + (first + m) * padded_cols + k * count;
      SumRows<kTileRows>(count, tile.panel_count, panels, x, depth, sums + m * stride, stride,
                         k != 0);
    }
  }
  StoreLinearTile(tile, sums, stride, first, rows);
}

template <class Panels, LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  float* packed = reinterpret_cast<float*>(call.scratch);
  const size_t padded_cols = job.cols + job.cols % 2;
  const Range rows = Split(job.rows, worker, kTileRows);
  for (size_t m = rows.begin; m < rows.end; m += kTileRows) {
    PackRows(job, m, std::min(kTileRows, rows.end - m), packed + m * padded_cols);
  }
  worker.Barrier();
  const size_t at_once = RowsAtOnce(job);
  float* own = packed + (job.rows * padded_cols + 15) / 16 * 16 +
               static_cast<size_t>(worker.index) * GemmOwnFloats(at_once);
  const size_t step = job.gated ? 1 : 2;
  const Range units = Split(job.units, worker, step);
  for (size_t m = 0; m < job.rows; m += at_once) {
    const size_t count = std::min(at_once, job.rows - m);
    for (size_t unit = units.begin; unit < units.end; unit += step) {
      const LinearTile tile = MakeLinearTile(job, unit, std::min(step, units.end - unit));
      GemmTile<Panels>(job, tile, packed, m, count, own);
    }
  }
}

size_t GemmScratch(const OpCall& call, int workers) {
  LinearJob job;
  job.rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  job.cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  const size_t packed = (PackedFloats(job.rows, job.cols) + 15) / 16 * 16;
  return (packed + static_cast<size_t>(workers) * GemmOwnFloats(RowsAtOnce(job))) * sizeof(float);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#endif  // FATHOM_LINEAR_TILES_INL_H_
