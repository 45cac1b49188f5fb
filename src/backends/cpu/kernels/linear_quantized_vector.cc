// linear, linear_group and linear_gated over kInt8Panel16 and kInt4Panel16 weights
// (tensor/quantized_weight.h), for every target of Highway.
//
// Two ways, named by their rows:
//
//   int8_panel16_gemv, _gemm (int4 likewise): float32 products. The integers are widened in
//   registers (GEMV, M <= 4, here) or unpacked once a panel (GEMM, linear_panel16_vector.cc). Exact
//   but for the order of the sums. Every target has them.
//
//   int8_panel16_dot_gemm: integer products, as linear_quantized_gemv_vector.cc says, of many rows.
//     group  ...  | for each panel of the tile: lines -> 16 integer sums a row of x
//                 | sums += (integers - zero * sum of x) * weight scale * activation scale
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/vector_config.h"
#include "tensor/quantized_weight.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_quantized_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/linear_quantized-inl.h"
#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

constexpr size_t kVecs = kPanelVecs;
constexpr size_t kGemvRows = 4;

// --- float32 products
// ------------------------------------------------------------------------------

// sums [kM, stride] = x [kM, padded_cols] times the panel.
template <class Format, size_t kM>
void SumFloats(const LinearPanel& panel, const float* x, const GroupShape& shape, float* sums,
               size_t stride) {
  const F32 d;
  const PanelParts parts(panel);
  for (size_t v = 0; v < kVecs; ++v) {
    VF total[kM];
    for (size_t m = 0; m < kM; ++m) total[m] = hn::Zero(d);
    for (size_t g = 0; g < shape.groups; ++g) {
      VF part[kM];
      for (size_t m = 0; m < kM; ++m) part[m] = hn::Zero(d);
      VF zero = hn::Zero(d);
      if constexpr (Format::kHasZero) zero = hn::Mul(parts.Zeros(g, v), Splat(0.0625f));
      const size_t first = g * shape.group;
      const std::byte* line = parts.Lines(g);
      for (size_t k = first; k < first + shape.group; k += Format::kLineCols, line += 64) {
        ForEachColumn<Format>(line, v, [&](size_t i, VF q) HWY_ATTR {
          if constexpr (Format::kHasZero) q = hn::Sub(q, zero);
          for (size_t m = 0; m < kM; ++m) {
            part[m] = hn::MulAdd(Splat(x[m * shape.padded_cols() + k + i]), q, part[m]);
          }
        });
      }
      const VF scale = parts.Scales(g, v);
      for (size_t m = 0; m < kM; ++m) total[m] = hn::MulAdd(part[m], scale, total[m]);
    }
    for (size_t m = 0; m < kM; ++m) hn::StoreU(total[m], d, sums + m * stride + v * kLanes);
  }
}

template <class Format, size_t kM>
void FloatRows(const LinearJob& job, const float* x, const GroupShape& shape, Range units) {
  if constexpr (kM > 1) {
    if (job.rows < kM) return FloatRows<Format, kM - 1>(job, x, shape, units);
  }
  HWY_ALIGN float sums[kM * kMaxTilePanels * kPanelRows];
  for (size_t unit = units.begin; unit < units.end; ++unit) {
    const LinearTile tile = MakeLinearTile(job, unit, 1);
    const size_t stride = tile.panel_count * kPanelRows;
    for (size_t p = 0; p < tile.panel_count; ++p) {
      SumFloats<Format, kM>(tile.panels[p], x, shape, sums + p * kPanelRows, stride);
    }
    StoreLinearTile(tile, sums, stride, 0, kM);
  }
}

template <class Format, LinearOp kOp>
void FloatGemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  const Range units = Split(job.units, worker);
  if (units.empty() || job.rows == 0) return;
  const GroupShape shape = ShapeOf<Format>(job.cols);
  const float* x = job.x;
  if (shape.padded_cols() != job.cols) {
    float* padded = reinterpret_cast<float*>(call.scratch) +
                    static_cast<size_t>(worker.index) * kGemvRows * shape.padded_cols();
    for (size_t m = 0; m < job.rows; ++m) {
      float* row = padded + m * shape.padded_cols();
      std::memcpy(row, job.x + m * job.cols, job.cols * sizeof(float));
      std::memset(row + job.cols, 0, (shape.padded_cols() - job.cols) * sizeof(float));
    }
    x = padded;
  }
  FloatRows<Format, kGemvRows>(job, x, shape, units);
}

template <class Format>
size_t FloatGemvScratch(const OpCall& call, int workers) {
  const GroupShape shape = ShapeOf<Format>(static_cast<size_t>(call.inputs[0].tensor.shape[1]));
  return static_cast<size_t>(workers) * kGemvRows * shape.padded_cols() * sizeof(float);
}

FATHOM_BASELINE_BEGIN();
template <class Format>
void AddFloatRows(CpuKernelTable& table, const char* name) {
  LinearRow row{.suffix = kIsaSuffix, .format = Format::kFormat, .dtype = Format::kDType};
  row.features = kIsaFeatures;
  row.name = name;
  row.description = "integers widened in registers, float32 products";
  row.variant = KernelVariant::kGemv;
  row.max_rows = kGemvRows;
  row.scratch_bytes = FloatGemvScratch<Format>;
  row.linear = FloatGemv<Format, LinearOp::kLinear>;
  row.group = FloatGemv<Format, LinearOp::kGroup>;
  row.gated = FloatGemv<Format, LinearOp::kGated>;
  AddLinearRows(table, row);
}
FATHOM_BASELINE_END();

// --- integer products
// ------------------------------------------------------------------------------
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

#if HWY_TARGET == HWY_AVX2
constexpr size_t kDotTileRows = 4;
#else
constexpr size_t kDotTileRows = 12;
#endif
// Activations of this many bytes stay in L2 while the weights pass by.
constexpr size_t kDotActivationBytes = size_t{256} << 10;

// Rows of x as integers. A row: q [padded_cols], |q| [padded_cols], float scales [groups],
// corrections [groups], each at a multiple of 64 bytes. A correction is what the products of a
// group owe to sum = the sum of its q: int8 -128 sum, an integer, for weights that are multiplied
// as w + 128; int4 sum / 16, a float, to be multiplied by the zero.
template <class Format>
class IntegerRows {
 public:
  IntegerRows(const GroupShape& shape, std::byte* data) : shape_(shape), data_(data) {}

  static size_t RowBytes(const GroupShape& shape) {
    return 2 * RoundUp64(shape.padded_cols()) + 2 * RoundUp64(shape.groups * 4);
  }
  const GroupShape& shape() const { return shape_; }
  int8_t* Q(size_t row) const { return reinterpret_cast<int8_t*>(Row(row)); }
  int8_t* Magnitudes(size_t row) const { return Q(row) + RoundUp64(shape_.padded_cols()); }
  float* Scales(size_t row) const {
    return reinterpret_cast<float*>(Row(row) + 2 * RoundUp64(shape_.padded_cols()));
  }
  template <typename T>
  T* Corrections(size_t row) const {
    return reinterpret_cast<T*>(Row(row) + 2 * RoundUp64(shape_.padded_cols()) +
                                RoundUp64(shape_.groups * 4));
  }

  void Quantize(const float* x, size_t cols, size_t row) const {
    HWY_ALIGN float last[64];
    for (size_t g = 0; g < shape_.groups; ++g) {
      const size_t first = g * shape_.group;
      const float* values = x + first;
      if (first + shape_.group > cols) {
        std::memset(last, 0, sizeof(last));
        std::memcpy(last, values, (cols - first) * sizeof(float));
        values = last;
      }
      QuantizeOne(values, g, row);
    }
  }

 private:
  std::byte* Row(size_t row) const { return data_ + row * RowBytes(shape_); }

  void QuantizeOne(const float* values, size_t g, size_t row) const {
    const size_t at = g * shape_.group;
    const auto done =
        QuantizeGroup<Format>(values, shape_.group, Q(row) + at, Magnitudes(row) + at);
    Scales(row)[g] = done.scale;
    if constexpr (Format::kHasZero) {
      Corrections<float>(row)[g] = static_cast<float>(done.sum) * 0.0625f;
    } else {
      Corrections<int32_t>(row)[g] = -128 * done.sum;
    }
  }

  GroupShape shape_;
  std::byte* data_;
};

HWY_INLINE VI SplatFour(const int8_t* four) {
  int32_t bits = 0;
  std::memcpy(&bits, four, sizeof(bits));
  return hn::Set(I32(), bits);
}

#if HWY_TARGET == HWY_AVX3
// sum + the four products of unsigned by signed bytes in each lane. Written as text: Highway's
// target here is AVX-512 without VNNI, which the intrinsic would ask of the whole file.
HWY_INLINE VI DotFour(VI sum, VI bytes, VI signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(bytes.raw), "v"(signed_bytes.raw));
  return sum;
}
#endif

// The rows that one register tile takes.
template <size_t kM>
struct TileRows {
  const int8_t* q[kM];
  const int8_t* magnitudes[kM];
  const float* scales[kM];
  const float* float_corrections[kM];
  const int32_t* corrections[kM];

  template <class Format>
  TileRows(const IntegerRows<Format>& x, size_t row) {
    for (size_t m = 0; m < kM; ++m) {
      q[m] = x.Q(row + m);
      magnitudes[m] = x.Magnitudes(row + m);
      scales[m] = x.Scales(row + m);
      float_corrections[m] = x.template Corrections<float>(row + m);
      corrections[m] = x.template Corrections<int32_t>(row + m);
    }
  }
};

// acc [kM][kVecs] = the integer sums of group g over the rows of x. `group`: a constant where it is
// known, so that the loop unrolls.
template <class Format, size_t kM>
HWY_INLINE void SumGroup(const std::byte* lines, const TileRows<kM>& x, size_t g, size_t group,
                         VI (&acc)[kM][kVecs]) {
  const I32 d;
  const size_t first = g * group;
#if HWY_TARGET == HWY_AVX3
  const VI high_bit = hn::Set(d, static_cast<int32_t>(0x80808080u));
#else
  const __m256i ones = _mm256_set1_epi16(1);
#endif
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kVecs; ++v) {
      acc[m][v] = hn::Zero(d);
#if HWY_TARGET == HWY_AVX3
      if (!Format::kHasZero) acc[m][v] = hn::Set(d, x.corrections[m][g]);
#endif
    }
  }
  const VI low = hn::Set(d, 0x0F0F0F0F);
  for (size_t c = 0; c < group; c += Format::kLineCols, lines += 64) {
    VI w[kVecs], w_high[kVecs];
    for (size_t v = 0; v < kVecs; ++v) {
      w[v] = hn::LoadU(d, reinterpret_cast<const int32_t*>(lines) + v * kLanes);
      if constexpr (Format::kHasZero) {
        w_high[v] = hn::And(hn::ShiftRight<4>(w[v]), low);
        w[v] = hn::And(w[v], low);
      }
#if HWY_TARGET == HWY_AVX3
      if constexpr (!Format::kHasZero) w[v] = hn::Xor(w[v], high_bit);
#endif
    }
    for (size_t m = 0; m < kM; ++m) {
      const VI four = SplatFour(x.q[m] + first + c);
#if HWY_TARGET == HWY_AVX3
      for (size_t v = 0; v < kVecs; ++v) {
        acc[m][v] = DotFour(acc[m][v], w[v], four);
        if constexpr (Format::kHasZero) {
          acc[m][v] = DotFour(acc[m][v], w_high[v], SplatFour(x.q[m] + first + c + 4));
        }
      }
#else
      if constexpr (Format::kHasZero) {
        // 16-bit sums: 8 times at most 2 * 15 * 127 fit.
        const VI next = SplatFour(x.q[m] + first + c + 4);
        for (size_t v = 0; v < kVecs; ++v) {
          const __m256i a = _mm256_maddubs_epi16(w[v].raw, four.raw);
          const __m256i b = _mm256_maddubs_epi16(w_high[v].raw, next.raw);
          acc[m][v].raw = _mm256_add_epi16(acc[m][v].raw, _mm256_add_epi16(a, b));
        }
      } else {
        // |x| * (w with the sign of x): 2 * 127 * 127 fit 16 bits, which x + 128 would not.
        const VI magnitude = SplatFour(x.magnitudes[m] + first + c);
        for (size_t v = 0; v < kVecs; ++v) {
          const __m256i pairs =
              _mm256_maddubs_epi16(magnitude.raw, _mm256_sign_epi8(w[v].raw, four.raw));
          acc[m][v].raw = _mm256_add_epi32(acc[m][v].raw, _mm256_madd_epi16(pairs, ones));
        }
      }
#endif
    }
  }
#if HWY_TARGET == HWY_AVX2
  if constexpr (Format::kHasZero) {
    for (size_t m = 0; m < kM; ++m) {
      for (size_t v = 0; v < kVecs; ++v) {
        acc[m][v].raw = _mm256_madd_epi16(acc[m][v].raw, ones);
      }
    }
  }
#endif
}

// sums [kM, panels * 16] = rows of x times the tile's panels, group by group.
template <class Format, size_t kM, size_t kGroup>
void SumTile(size_t panel_count, const PanelParts* panels, const TileRows<kM>& x,
             const GroupShape& shape, float* sums) {
  const F32 d;
  const size_t group = kGroup != 0 ? kGroup : shape.group;
  const size_t stride = panel_count * kPanelRows;
  std::memset(sums, 0, kM * stride * sizeof(float));
  for (size_t g = 0; g < shape.groups; ++g) {
    for (size_t p = 0; p < panel_count; ++p) {
      const PanelParts& parts = panels[p];
      VI acc[kM][kVecs];
      SumGroup<Format, kM>(parts.Lines(g), x, g, group, acc);
      for (size_t v = 0; v < kVecs; ++v) {
        const VF scale = parts.Scales(g, v);
        VF zero = hn::Zero(d);
        if constexpr (Format::kHasZero) zero = parts.Zeros(g, v);
        for (size_t m = 0; m < kM; ++m) {
          VF value = hn::ConvertTo(d, acc[m][v]);
          if constexpr (Format::kHasZero) {
            value = hn::NegMulAdd(zero, Splat(x.float_corrections[m][g]), value);
          }
          float* to = sums + m * stride + p * kPanelRows + v * kLanes;
          const VF both = hn::Mul(scale, Splat(x.scales[m][g]));
          hn::StoreU(hn::MulAdd(value, both, hn::LoadU(d, to)), d, to);
        }
      }
    }
  }
}

template <class Format, size_t kM>
void SumTileRows(size_t panel_count, const PanelParts* panels, const IntegerRows<Format>& x,
                 size_t row, size_t rows, float* sums) {
  if constexpr (kM > 1) {
    if (rows < kM) return SumTileRows<Format, kM - 1>(panel_count, panels, x, row, rows, sums);
  }
  const TileRows<kM> tile_rows(x, row);
  if (x.shape().group == Format::kGroup) {
    SumTile<Format, kM, Format::kGroup>(panel_count, panels, tile_rows, x.shape(), sums);
  } else {
    SumTile<Format, kM, 0>(panel_count, panels, tile_rows, x.shape(), sums);
  }
}

// y of rows [first, first + rows) in the units.
template <class Format>
void DotUnits(const LinearJob& job, const IntegerRows<Format>& x, size_t first, size_t rows,
              Range units) {
  HWY_ALIGN float sums[kDotTileRows * 2 * kPanelRows];
  for (size_t unit = units.begin; unit < units.end; ++unit) {
    const LinearTile tile = MakeLinearTile(job, unit, 1);
    const PanelParts panels[2] = {PanelParts(tile.panels[0]), PanelParts(tile.panels[1])};
    const size_t stride = tile.panel_count * kPanelRows;
    for (size_t m = 0; m < rows; m += kDotTileRows) {
      const size_t now = std::min(kDotTileRows, rows - m);
      SumTileRows<Format, kDotTileRows>(tile.panel_count, panels, x, first + m, now, sums);
      StoreLinearTile(tile, sums, stride, first + m, now);
    }
  }
}

template <class Format, LinearOp kOp>
void DotGemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const GroupShape shape = ShapeOf<Format>(job.cols);
  const IntegerRows<Format> x(shape, call.scratch);
  const Range rows = Split(job.rows, worker, kDotTileRows);
  for (size_t m = rows.begin; m < rows.end; ++m) x.Quantize(job.x + m * job.cols, job.cols, m);
  worker.Barrier();
  const size_t fit = kDotActivationBytes / IntegerRows<Format>::RowBytes(shape) / kDotTileRows;
  const size_t at_once = std::max<size_t>(fit, 4) * kDotTileRows;
  const Range units = Split(job.units, worker);
  if (units.empty()) return;
  for (size_t m = 0; m < job.rows; m += at_once) {
    DotUnits<Format>(job, x, m, std::min(at_once, job.rows - m), units);
  }
}

template <class Format>
size_t DotGemmScratch(const OpCall& call, int) {
  const GroupShape shape = ShapeOf<Format>(static_cast<size_t>(call.inputs[0].tensor.shape[1]));
  return static_cast<size_t>(call.inputs[0].tensor.shape[0]) * IntegerRows<Format>::RowBytes(shape);
}

FATHOM_BASELINE_BEGIN();
template <class Format>
void AddDotRows(CpuKernelTable& table, const char* gemm_name, double epsilon) {
  LinearRow row{.suffix = kIsaSuffix, .format = Format::kFormat, .dtype = Format::kDType};
  row.features = kIsaFeatures;
#if HWY_TARGET == HWY_AVX3
  row.features = row.features | CpuFeatures{CpuFeature::kAvx512Vnni};
#endif
  row.compute_epsilon = epsilon;
  row.name = gemm_name;
  row.description = "register tiles, int8 activations, integer sums a group";
  row.variant = KernelVariant::kGemm;
  row.max_rows = 0;
  row.scratch_bytes = DotGemmScratch<Format>;
  row.linear = DotGemm<Format, LinearOp::kLinear>;
  row.group = DotGemm<Format, LinearOp::kGroup>;
  row.gated = DotGemm<Format, LinearOp::kGated>;
  AddLinearRows(table, row);
}
FATHOM_BASELINE_END();

#endif  // AVX2, AVX3

FATHOM_BASELINE_BEGIN();
void AddRows(CpuKernelTable& table) {
#if HWY_TARGET == HWY_AVX2
  // AVX-512 multiplies many rows in linear_quantized_gemm_avx512.cc.
  // sqrt(64) / 254, sqrt(32) / 254, rounded up.
  AddDotRows<Int8>(table, "int8_panel16_dot_gemm", 0.0315);
  AddDotRows<Int4>(table, "int4_panel16_dot_gemm", 0.0223);
#endif
  AddFloatRows<Int8>(table, "int8_panel16_gemv");
  AddFloatRows<Int4>(table, "int4_panel16_gemv");
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLinearQuantizedKernels(CpuKernelTable& table) {
  AddLinearQuantizedGemvKernels(table);
  FATHOM_ADD_ROWS(table);
}

}  // namespace fathom
#endif
