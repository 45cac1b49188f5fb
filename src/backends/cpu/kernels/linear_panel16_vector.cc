// linear, linear_group and linear_gated over kPanel16 weights of all three types, products in
// float32, for every target of Highway.
//
// GEMV (M <= 4): each line of a panel is loaded once, widened in registers and multiplied by M
// broadcast activations; several panels are streamed side by side, the lines ahead prefetched to
// L2.
//
// GEMM: linear_tiles-inl.h.
#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_panel16_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/linear_tiles-inl.h"
#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

// --- GEMV
// -----------------------------------------------------------------------------------------

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
  const Range units = Split(job.units, worker);
  if (units.empty() || job.rows == 0) return;
  const float* x = job.x;
  if (job.rows > 1 || job.cols % 2 != 0) {  // each worker for itself: cheaper than a barrier
    float* packed = reinterpret_cast<float*>(call.scratch) +
                    static_cast<size_t>(worker.index) * PackedFloats(kGemvRows, job.cols);
    PackRows(job, 0, job.rows, packed);
    x = packed;
  }
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

size_t GemvScratch(const OpCall& call, int workers) {
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * PackedFloats(kGemvRows, cols) * sizeof(float);
}

// Columns [first, first + cols) of a panel as float32 lines [cols, 16].
template <class Element>
void UnpackPanel(const std::byte* panel, size_t first, size_t cols, float* out) {
  const std::byte* line = panel + first / 2 * 64;
  for (size_t k = 0; k < cols; k += 2, line += 64) {
    for (size_t v = 0; v < kVecs; ++v) {
      VF even, odd;
      LoadLine<Element>(line, v, &even, &odd);
      hn::Store(even, F32(), out + k * kPanelRows + v * kLanes);
      hn::Store(odd, F32(), out + (k + 1) * kPanelRows + v * kLanes);
    }
  }
}

template <class Element>
struct Panel16 {
  static const std::byte* Lines(const LinearPanel& panel, size_t k) {
    return Element::kDType == DType::kF32 ? panel.data + k * 64 : nullptr;
  }
  static void Unpack(const LinearPanel& panel, size_t first, size_t cols, float* out) {
    if constexpr (Element::kDType != DType::kF32) UnpackPanel<Element>(panel.data, first, cols, out);
  }
};

template <class Element>
void AddElementRows(CpuKernelTable& table, const char* gemv_name, const char* gemm_name) {
  LinearRow row{.suffix = kIsaSuffix, .dtype = Element::kDType, .features = kIsaFeatures};
  row.name = gemv_name;
  row.description = "panels streamed, float32 products";
  row.variant = KernelVariant::kGemv;
  row.max_rows = kGemvRows;
  row.scratch_bytes = GemvScratch;
  row.linear = Gemv<Element, LinearOp::kLinear>;
  row.group = Gemv<Element, LinearOp::kGroup>;
  row.gated = Gemv<Element, LinearOp::kGated>;
  AddLinearRows(table, row);
  row.name = gemm_name;
  row.description = "register tiles, float32 products";
  row.variant = KernelVariant::kGemm;
  row.max_rows = 0;
  row.scratch_bytes = GemmScratch;
  row.linear = Gemm<Panel16<Element>, LinearOp::kLinear>;
  row.group = Gemm<Panel16<Element>, LinearOp::kGroup>;
  row.gated = Gemm<Panel16<Element>, LinearOp::kGated>;
  AddLinearRows(table, row);
}

void AddRows(CpuKernelTable& table) {
  AddElementRows<ElementF32>(table, "f32_panel16_gemv", "f32_panel16_gemm");
  AddElementRows<ElementF16>(table, "f16_panel16_gemv", "f16_panel16_gemm");
  AddElementRows<ElementBF16>(table, "bf16_panel16_gemv", "bf16_panel16_gemm");
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLinearPanel16Kernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
