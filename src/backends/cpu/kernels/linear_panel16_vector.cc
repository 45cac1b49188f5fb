// linear, linear_group and linear_gated over kPanel16 weights of all three types, products in
// float32, for every target of Highway; the GEMM also over int8 and int4 weights.
//
// GEMV (M <= 4): each line of a panel is loaded once, widened in registers and multiplied by M
// broadcast activations; one panel after the other (linear_stream.h), or, as a setting for one row,
// several side by side, the lines ahead prefetched to L2.
//
// GEMM: A = activations packed [block of kTileRows][K][kTileRows]; for each tile of panels and each
// kDepth columns: the panels' part as float32 (16-bit types are unpacked once, then serve all rows)
// in L1, A from L2, kTileRows x panels of sums in registers, carried from depth to depth in
// scratch.
#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_split.h"
#include "backends/cpu/kernels/linear_stream.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_panel16_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/linear_quantized-inl.h"
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
        VF even[kVecs], odd[kVecs];
        for (size_t v = 0; v < kVecs; ++v) {
          LoadLine<Element>(panels[p] + line * 64, v, &even[v], &odd[v]);
        }
        // Rows outside, vectors inside: one broadcast is alive at a time, so that with 16 registers
        // no sum is spilled.
        for (size_t m = 0; m < kM; ++m) {
          VF* sum = &acc[m][p * kVecs];
          const VF x_even = Splat(xs[m]);
          for (size_t v = 0; v < kVecs; ++v) sum[v] = hn::MulAdd(x_even, even[v], sum[v]);
          if constexpr (ColsPerLine<Element>() == 2) {
            const VF x_odd = Splat(xs[kM + m]);
            for (size_t v = 0; v < kVecs; ++v) sum[v] = hn::MulAdd(x_odd, odd[v], sum[v]);
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

// --- GEMV
// -----------------------------------------------------------------------------------------

// sums[m][r] = sum over lines of x[col][m] * panel[r, col]. x [cols, kM].
template <class Element, size_t kM>
void StreamPanel(const LinearPanel& panel, const PanelStream& stream, const float* x, size_t lines,
                 float* sums, size_t sums_stride) {
  const F32 d;
  constexpr size_t kChunk = 16;  // lines between two looks at what is ahead
  // Of one row the columns of a line go to sums of their own, that it need not wait for itself.
  constexpr size_t kChains = kM == 1 && ColsPerLine<Element>() == 2 ? 2 : 1;
  VF acc[kM][kChains][kVecs];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kChains * kVecs; ++v) acc[m][v / kVecs][v % kVecs] = hn::Zero(d);
  }
  const auto add_line = [&](const std::byte* line) HWY_ATTR {
    VF even[kVecs], odd[kVecs];
    for (size_t v = 0; v < kVecs; ++v) LoadLine<Element>(line, v, &even[v], &odd[v]);
    for (size_t m = 0; m < kM; ++m) {
      const VF x_even = Splat(x[m]);
      for (size_t v = 0; v < kVecs; ++v) acc[m][0][v] = hn::MulAdd(x_even, even[v], acc[m][0][v]);
      if constexpr (ColsPerLine<Element>() == 2) {
        const VF x_odd = Splat(x[kM + m]);
        VF* sum = acc[m][kChains - 1];
        for (size_t v = 0; v < kVecs; ++v) sum[v] = hn::MulAdd(x_odd, odd[v], sum[v]);
      }
    }
    x += ColsPerLine<Element>() * kM;
  };
  const std::byte* at = panel.data;
  const std::byte* end = at + lines * 64;
  for (; end - at >= static_cast<ptrdiff_t>(kChunk * 64); at += kChunk * 64) {
    stream.Ask(at, kChunk * 64);
    for (size_t i = 0; i < kChunk; ++i) add_line(at + i * 64);
  }
  for (; at < end; at += 64) add_line(at);
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kVecs; ++v) {
      VF sum = acc[m][0][v];
      if (kChains == 2) sum = hn::Add(sum, acc[m][kChains - 1][v]);
      hn::StoreU(sum, d, sums + m * sums_stride + v * kLanes);
    }
  }
}

template <class Element, size_t kM>
void StreamRows(const LinearJob& job, const float* x, Range units, int tuning) {
  HWY_ALIGN float sums[kStreamSums];
  const size_t lines = LinesOf<Element>(job.cols);
  StreamUnits(
      job, units, static_cast<StreamAsk>(tuning), sums,
      [&](const LinearPanel& panel, const PanelStream& stream, float* to, size_t stride)
          HWY_ATTR { StreamPanel<Element, kM>(panel, stream, x, lines, to, stride); },
      [&](const LinearTile& tile, const float* from, size_t stride)
          HWY_ATTR { StoreLinearTile(tile, from, stride, 0, kM); });
}

template <class Element, size_t kM, size_t kP>
void StreamTiles(const LinearJob& job, const float* x, Range units) {
  const size_t step = job.gated ? std::max<size_t>(1, kP / 2) : kP;
  HWY_ALIGN float sums[kM * kMaxTilePanels * kPanelRows];
  const size_t lines = LinesOf<Element>(job.cols);
  const std::byte* panels[kMaxTilePanels];
  const std::byte* next[kMaxTilePanels];
  for (size_t unit = units.begin; unit < units.end; unit += step) {
    const size_t count = std::min(step, units.end - unit);
    const LinearTile tile = MakeLinearTile(job, unit, count);
    const size_t left = units.end - unit - count;
    const LinearTile after =
        left == 0 ? tile : MakeLinearTile(job, unit + count, std::min(step, left));
    for (size_t p = 0; p < tile.panel_count; ++p) {
      panels[p] = tile.panels[p].data;
      next[p] = after.panels[std::min(p, after.panel_count - 1)].data;
    }
    const size_t stride = tile.panel_count * kPanelRows;
    if (tile.panel_count == kP) {
      SumPanels<Element, kM, kP>(panels, next, x, lines, sums, stride, false);
    } else {
      for (size_t p = 0; p < tile.panel_count; ++p) {
        SumPanels<Element, kM, 1>(panels + p, next + p, x, lines, sums + p * kPanelRows, stride,
                                  false);
      }
    }
    StoreLinearTile(tile, sums, stride, 0, kM);
  }
}

template <class Element, LinearOp kOp>
void Gemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const float* x = job.x;
  if (job.rows > 1 || job.cols % 2 != 0) {  // each worker for itself: cheaper than a barrier
    float* packed = reinterpret_cast<float*>(call.scratch) +
                    static_cast<size_t>(worker.index) * PackedFloats(kGemvRows, job.cols);
    PackRows(job, 0, job.rows, packed);
    x = packed;
  }
  const Range units = Split(job.units, worker);
  if (call.tuning == kStreamTunings) {  // panels side by side
    switch (job.rows) {
      case 1:
        return StreamTiles<Element, 1, StreamsFor(1)>(job, x, units);
      case 2:
        return StreamTiles<Element, 2, StreamsFor(2)>(job, x, units);
      case 3:
        return StreamTiles<Element, 3, StreamsFor(3)>(job, x, units);
      case 4:
        return StreamTiles<Element, 4, StreamsFor(4)>(job, x, units);
    }
  }
  switch (job.rows) {
    case 1:
      return StreamRows<Element, 1>(job, x, units, call.tuning);
    case 2:
      return StreamRows<Element, 2>(job, x, units, call.tuning);
    case 3:
      return StreamRows<Element, 3>(job, x, units, call.tuning);
    case 4:
      return StreamRows<Element, 4>(job, x, units, call.tuning);
  }
}

size_t GemvScratch(const OpCall& call, int workers) {
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * PackedFloats(kGemvRows, cols) * sizeof(float);
}

// --- GEMM
// -----------------------------------------------------------------------------------------

// Bytes of a worker's own scratch: unpacked panels, then the sums of `rows` rows.
size_t GemmOwnFloats(size_t rows) {
  return kMaxTilePanels * kDepth * kPanelRows + rows * kMaxTilePanels * kPanelRows;
}

// Rows whose packed activations stay in L2 beside the weights that pass by.
size_t RowsAtOnce(const LinearJob& job, size_t activation_bytes) {
  const size_t rows = activation_bytes / (job.cols * sizeof(float)) / kTileRows * kTileRows;
  return std::min(std::max(rows, 4 * kTileRows), job.rows);
}

// Columns [first, first + cols) of a panel as float32 lines [cols, 16].
template <class Element>
void UnpackPanel(const LinearPanel& panel, size_t first, size_t cols, float* out) {
  if constexpr (Element::kDType == DType::kI8 || Element::kDType == DType::kU8) {
    return UnpackQuantized<Element>(panel, first, cols, out);  // kDepth is whole groups
  } else {
    const std::byte* line = panel.data + first / 2 * 64;
    for (size_t k = 0; k < cols; k += 2, line += 64) {
      for (size_t v = 0; v < kVecs; ++v) {
        VF even, odd;
        LoadLine<Element>(line, v, &even, &odd);
        hn::Store(even, F32(), out + k * kPanelRows + v * kLanes);
        hn::Store(odd, F32(), out + (k + 1) * kPanelRows + v * kLanes);
      }
    }
  }
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
template <class Element>
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
      if constexpr (Element::kDType == DType::kF32) {
        panels[p] = tile.panels[p].data + k * 64;
      } else {
        float* out = unpacked + p * kDepth * kPanelRows;
        UnpackPanel<Element>(tile.panels[p], k, depth, out);
        panels[p] = reinterpret_cast<const std::byte*>(out);
      }
    }
    // A pass a group of panels: they stay in L1 while the rows stream past from L2.
    for (size_t p = 0; p < tile.panel_count; p += kTilePanels) {
      const size_t panel_count = std::min(kTilePanels, tile.panel_count - p);
      for (size_t m = 0; m < rows; m += kTileRows) {
        const size_t count = std::min(kTileRows, rows - m);
        const float* x = packed + (first + m) * padded_cols + k * count;
        SumRows<kTileRows>(count, panel_count, panels + p, x, depth,
                           sums + m * stride + p * kPanelRows, stride, k != 0);
      }
    }
  }
  StoreLinearTile(tile, sums, stride, first, rows);
}

template <class Element, LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  float* packed = reinterpret_cast<float*>(call.scratch);
  const size_t padded_cols = job.cols + job.cols % 2;
  const Range rows = Split(job.rows, worker, kTileRows);
  for (size_t m = rows.begin; m < rows.end; m += kTileRows) {
    PackRows(job, m, std::min(kTileRows, rows.end - m), packed + m * padded_cols);
  }
  const GemmTuning& tuning = kGemmTunings[call.tuning];
  if (!tuning.by_rows) worker.Barrier();  // else it reads what it packed itself
  const size_t at_once = RowsAtOnce(job, tuning.activation_bytes);
  float* own = packed + (job.rows * padded_cols + 15) / 16 * 16 +
               static_cast<size_t>(worker.index) * GemmOwnFloats(at_once);
  const size_t step = job.gated ? 1 : 2;
  const Range units = tuning.by_rows ? Range{0, job.units} : Split(job.units, worker, step);
  const Range mine = tuning.by_rows ? rows : Range{0, job.rows};
  for (size_t m = mine.begin; m < mine.end; m += at_once) {
    const size_t count = std::min(at_once, mine.end - m);
    for (size_t unit = units.begin; unit < units.end; unit += step) {
      const LinearTile tile = MakeLinearTile(job, unit, std::min(step, units.end - unit));
      GemmTile<Element>(job, tile, packed, m, count, own);
    }
  }
}

size_t GemmScratch(const OpCall& call, int workers) {
  LinearJob job;
  job.rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  job.cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  const size_t packed = (PackedFloats(job.rows, job.cols) + 15) / 16 * 16;
  return (packed +
          static_cast<size_t>(workers) * GemmOwnFloats(RowsAtOnce(job, kGemmActivationBytes))) *
         sizeof(float);
}

FATHOM_BASELINE_BEGIN();
template <class Element>
void AddElementRows(CpuKernelTable& table, const char* gemv_name, const char* gemm_name) {
  LinearRow row{.suffix = kIsaSuffix, .dtype = Element::kDType, .features = kIsaFeatures};
  row.name = gemv_name;
  row.description = "panels streamed, float32 products";
  row.variant = KernelVariant::kGemv;
  row.max_rows = kGemvRows;
  row.scratch_bytes = GemvScratch;
  row.tunings = kStreamTunings + 1;
  row.linear = Gemv<Element, LinearOp::kLinear>;
  row.group = Gemv<Element, LinearOp::kGroup>;
  row.gated = Gemv<Element, LinearOp::kGated>;
  AddLinearRows(table, row);
  row.name = gemm_name;
  row.description = "register tiles, float32 products";
  row.variant = KernelVariant::kGemm;
  row.max_rows = 0;
  row.scratch_bytes = GemmScratch;
  row.tunings = kGemmTuningCount;
  row.linear = Gemm<Element, LinearOp::kLinear>;
  row.group = Gemm<Element, LinearOp::kGroup>;
  row.gated = Gemm<Element, LinearOp::kGated>;
  AddLinearRows(table, row);
}

// Three products in float32 arithmetic: what the bf16 units are asked for, on a CPU without them.
// The engine never chooses them there; tests hold the splitting to its tolerance everywhere.
void AddSplit(CpuKernelTable& table) {
  using E = ElementBF16;
  LinearRow row{.suffix = kIsaSuffix, .dtype = E::kDType, .features = kIsaFeatures};
  row.variant = KernelVariant::kGemv;
  row.max_rows = kGemvRows;
  AddSplitRows<GemvScratch, Gemv<E, LinearOp::kLinear>, Gemv<E, LinearOp::kGroup>,
               Gemv<E, LinearOp::kGated>>(table, row, "bf16x3_panel16_gemv");
  row.variant = KernelVariant::kGemm;
  row.max_rows = 0;
  AddSplitRows<GemmScratch, Gemm<E, LinearOp::kLinear>, Gemm<E, LinearOp::kGroup>,
               Gemm<E, LinearOp::kGated>>(table, row, "bf16x3_panel16_gemm");
}

// Their GEMVs: linear_quantized_vector.cc.
template <class Format>
void AddQuantizedGemm(CpuKernelTable& table, const char* name) {
  LinearRow row{.name = name, .suffix = kIsaSuffix, .variant = KernelVariant::kGemm};
  row.description = "integers unpacked once a panel, register tiles, float32 products";
  row.format = Format::kFormat;
  row.dtype = Format::kDType;
  row.features = kIsaFeatures;
  row.scratch_bytes = GemmScratch;
  row.linear = Gemm<Format, LinearOp::kLinear>;
  row.group = Gemm<Format, LinearOp::kGroup>;
  row.gated = Gemm<Format, LinearOp::kGated>;
  AddLinearRows(table, row);
}

void AddRows(CpuKernelTable& table) {
  AddElementRows<ElementF32>(table, "f32_panel16_gemv", "f32_panel16_gemm");
  AddElementRows<ElementF16>(table, "f16_panel16_gemv", "f16_panel16_gemm");
  AddElementRows<ElementBF16>(table, "bf16_panel16_gemv", "bf16_panel16_gemm");
  AddQuantizedGemm<Int8>(table, "int8_panel16_gemm");
  AddQuantizedGemm<Int4>(table, "int4_panel16_gemm");
  AddSplit(table);
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLinearPanel16Kernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
