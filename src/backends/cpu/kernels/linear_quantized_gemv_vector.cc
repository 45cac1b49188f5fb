// linear, linear_group and linear_gated of a few rows over kInt8Panel16 and kInt4Panel16 weights
// (tensor/quantized_weight.h) by integer products, for AVX2 (vpmaddubsw); AVX-512 has a file of its
// own, linear_quantized_gemv_avx512.cc.
//
// Activations are rounded to int8 by the weights' own groups of columns, scale = max |x| / 127: a
// relative error of at most sqrt(group) / 254 of ||row|| * ||x||. The sums of a group are exact
// integers:
//
//   panel  | block: head with scales and zeros | lines -> 16 integer sums a row of x
//                                              | total += (sums - zero * sum of x) * both scales
//
// The panel is read in the order of its bytes (linear_stream.h). Rows beyond a tile read it again
// from the caches.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_stream.h"
#include "backends/cpu/kernels/vector_config.h"
#include "tensor/quantized_weight.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_quantized_gemv_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/linear_quantized-inl.h"
#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
#if HWY_TARGET == HWY_AVX2
namespace {

constexpr size_t kVecs = kPanelVecs;
constexpr size_t kMaxRows = 16;
constexpr size_t kTileRows = 4;

// Rows of x that pass over a panel together, as integers. Of `count` rows:
//   four         int32 [columns / 4][count]: the int8 of four columns
//   magnitudes   the same of |q|, where a kernel needs them
//   scales       float [groups][count]
//   sums         float [groups][count], int4: a sixteenth of the sum of a group's q
template <class Format>
struct TileRows {
  size_t count = 0;
  int32_t* four = nullptr;
  int32_t* magnitudes = nullptr;
  float* scales = nullptr;
  float* sums = nullptr;

  static size_t Bytes(const GroupShape& shape, size_t count) {
    return RoundUp64(count * (2 * shape.padded_cols() + 8 * shape.groups));
  }
  TileRows(const GroupShape& shape, size_t rows, std::byte* data) : count(rows) {
    four = reinterpret_cast<int32_t*>(data);
    magnitudes = four + shape.padded_cols() / 4 * count;
    scales = reinterpret_cast<float*>(magnitudes + shape.padded_cols() / 4 * count);
    sums = scales + shape.groups * count;
  }

  // Row `m` of the tile from `cols` floats.
  void Quantize(const GroupShape& shape, const float* x, size_t cols, size_t m) const {
    HWY_ALIGN float last[64];
    HWY_ALIGN int8_t q[64], absolute[64];
    for (size_t g = 0; g < shape.groups; ++g) {
      const size_t first = g * shape.group;
      const float* values = x + first;
      if (first + shape.group > cols) {
        std::memset(last, 0, sizeof(last));
        std::memcpy(last, values, (cols - first) * sizeof(float));
        values = last;
      }
      const auto done = QuantizeGroup<Format>(values, shape.group, q, absolute);
      for (size_t i = 0; i < shape.group / 4; ++i) {
        const size_t to = (first / 4 + i) * count + m;
        std::memcpy(four + to, q + 4 * i, 4);
        if constexpr (kNeedsMagnitudes<Format>) std::memcpy(magnitudes + to, absolute + 4 * i, 4);
      }
      scales[g * count + m] = done.scale;
      if (Format::kHasZero) sums[g * count + m] = static_cast<float>(done.sum) * 0.0625f;
    }
  }
};

HWY_INLINE VI SplatFour(const int32_t* four) { return hn::Set(I32(), *four); }

// sums [kM] = the integer sums of one group over the rows of x, its columns from `line` of four on.
template <class Format, size_t kM>
HWY_INLINE void SumGroup(const std::byte* lines, size_t group, const TileRows<Format>& x, size_t g,
                         VI (&sums)[kM][kVecs]) {
  const I32 d;
  const __m256i ones = _mm256_set1_epi16(1);
  const VI mask = hn::Set(d, 0x0F0F0F0F);
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kVecs; ++v) sums[m][v] = hn::Zero(d);
  }
  const size_t first = g * group / 4 * kM;
  const size_t count = group / Format::kLineCols;
  for (size_t i = 0; i < count; ++i) {
    for (size_t v = 0; v < kVecs; ++v) {
      const VI w = hn::LoadU(d, reinterpret_cast<const int32_t*>(lines + i * 64) + v * kLanes);
      for (size_t m = 0; m < kM; ++m) {
        __m256i& sum = sums[m][v].raw;
        if constexpr (Format::kHasZero) {
          // 16-bit sums: 8 times at most 2 * 15 * 127 fit.
          const int32_t* four = x.four + first + 2 * i * kM + m;
          const VI low = hn::And(w, mask);
          const VI high = hn::And(hn::ShiftRight<4>(w), mask);
          sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(low.raw, SplatFour(four).raw));
          sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(high.raw, SplatFour(four + kM).raw));
        } else {
          // |x| * (w with the sign of x): 2 * 127 * 127 fit 16 bits, which x + 128 would not.
          const size_t at = first + i * kM + m;
          const __m256i signed_w = _mm256_sign_epi8(w.raw, SplatFour(x.four + at).raw);
          const __m256i pairs = _mm256_maddubs_epi16(SplatFour(x.magnitudes + at).raw, signed_w);
          sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
        }
      }
    }
  }
  if constexpr (Format::kHasZero) {
    for (size_t m = 0; m < kM; ++m) {
      for (size_t v = 0; v < kVecs; ++v) {
        sums[m][v].raw = _mm256_madd_epi16(sums[m][v].raw, ones);
      }
    }
  }
}

// totals += the products of one block of `groups` groups, the first of them group g of the panel.
// Returns where the next block begins.
template <class Format, size_t kM>
HWY_INLINE const std::byte* SumBlock(const std::byte* block, size_t groups, size_t group,
                                     const PanelStream& stream, const TileRows<Format>& x, size_t g,
                                     VF (&totals)[kM][kVecs]) {
  const F32 d;
  const auto head = static_cast<size_t>(HeadBytes(Format::kFormat, static_cast<int64_t>(groups)));
  const size_t line_bytes = group * 64 / Format::kLineCols;
  const auto* scales = reinterpret_cast<const uint16_t*>(block);
  const auto* zeros = reinterpret_cast<const uint8_t*>(block + groups * 32);
  for (size_t i = 0; i < groups; ++i, ++g) {
    const size_t at = head + i * line_bytes;
    VI sums[kM][kVecs];
    stream.Ask(block + at, line_bytes);
    SumGroup<Format, kM>(block + at, group, x, g, sums);
    for (size_t v = 0; v < kVecs; ++v) {
      const VF scale = FromBF16(hn::LoadU(U16Half(), scales + i * 16 + v * kLanes));
      VF zero = hn::Zero(d);
      if constexpr (Format::kHasZero) {
        const auto bytes = hn::LoadU(U8Quarter(), zeros + i * 16 + v * kLanes);
        zero = hn::ConvertTo(d, hn::PromoteTo(I32(), bytes));
      }
      for (size_t m = 0; m < kM; ++m) {
        VF value = hn::ConvertTo(d, sums[m][v]);
        if constexpr (Format::kHasZero) {
          value = hn::NegMulAdd(zero, Splat(x.sums[g * kM + m]), value);
        }
        const VF both = hn::Mul(scale, Splat(x.scales[g * kM + m]));
        totals[m][v] = hn::MulAdd(value, both, totals[m][v]);
      }
    }
  }
  return block + head + groups * line_bytes;
}

// sums [kM, stride] = the rows of x times one panel. kGroup: the group where it is the usual one,
// so that its loops unroll; else 0.
template <class Format, size_t kM, size_t kGroup>
void SumPanel(const LinearPanel& panel, const PanelStream& stream, const GroupShape& shape,
              const TileRows<Format>& x, float* sums, size_t stride) {
  constexpr auto kGroups = static_cast<size_t>(GroupsOfBlock(Format::kFormat));
  const size_t group = kGroup != 0 ? kGroup : shape.group;
  VF totals[kM][kVecs];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kVecs; ++v) totals[m][v] = hn::Zero(F32());
  }
  const std::byte* block = panel.data;
  size_t g = 0;
  for (; g + kGroups <= shape.groups; g += kGroups) {
    block = SumBlock<Format, kM>(block, kGroups, group, stream, x, g, totals);
  }
  if (g < shape.groups) {
    SumBlock<Format, kM>(block, shape.groups - g, group, stream, x, g, totals);
  }
  for (size_t m = 0; m < kM; ++m) {
    for (size_t v = 0; v < kVecs; ++v) {
      hn::StoreU(totals[m][v], F32(), sums + m * stride + v * kLanes);
    }
  }
}

template <class Format>
using PanelSum = void (*)(const LinearPanel& panel, const PanelStream& stream,
                          const GroupShape& shape, const TileRows<Format>& x, float* sums,
                          size_t stride);

// SumPanel for so many rows.
template <class Format, size_t kM = kTileRows>
PanelSum<Format> PanelSumOf(size_t rows, bool usual_group) {
  if constexpr (kM > 1) {
    if (rows < kM) return PanelSumOf<Format, kM - 1>(rows, usual_group);
  }
  return usual_group ? SumPanel<Format, kM, Format::kGroup> : SumPanel<Format, kM, 0>;
}

// The rows of a call in tiles, quantized by all workers together or each for itself.
template <class Format>
struct CallRows {
  GroupShape shape;
  size_t rows;
  std::byte* data;

  static constexpr size_t kShareFrom = 4;  // rows that are worth a barrier

  TileRows<Format> Tile(size_t first) const {
    return TileRows<Format>(shape, std::min(kTileRows, rows - first),
                            data + first / kTileRows * TileRows<Format>::Bytes(shape, kTileRows));
  }
  void Quantize(const LinearJob& job, Range mine) const {
    for (size_t m = mine.begin; m < mine.end; ++m) {
      Tile(m / kTileRows * kTileRows)
          .Quantize(shape, job.x + m * job.cols, job.cols, m % kTileRows);
    }
  }
};

template <class Format>
size_t BytesOfRows(const GroupShape& shape) {
  return kMaxRows / kTileRows * TileRows<Format>::Bytes(shape, kTileRows);
}

template <class Format, LinearOp kOp>
void Gemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const GroupShape shape = ShapeOf<Format>(job.cols);
  const bool share = job.rows >= CallRows<Format>::kShareFrom;
  const size_t own = share ? 0 : static_cast<size_t>(worker.index) * BytesOfRows<Format>(shape);
  const CallRows<Format> rows{shape, job.rows, call.scratch + own};
  rows.Quantize(job, share ? Split(job.rows, worker) : Range{0, job.rows});
  if (share) worker.Barrier();
  static_assert(kMaxRows <= kStreamRows);
  HWY_ALIGN float sums[kStreamSums];
  const bool usual_group = shape.group == Format::kGroup;
  StreamUnits(
      job, Split(job.units, worker), static_cast<StreamAsk>(call.tuning), sums,
      [&](const LinearPanel& panel, const PanelStream& stream, float* to, size_t stride) HWY_ATTR {
        for (size_t m = 0; m < job.rows; m += kTileRows) {
          const TileRows<Format> tile = rows.Tile(m);
          PanelSumOf<Format>(tile.count, usual_group)(panel, stream, shape, tile, to + m * stride,
                                                      stride);
        }
      },
      [&](const LinearTile& tile, const float* from, size_t stride)
          HWY_ATTR { StoreLinearTile(tile, from, stride, 0, job.rows); });
}

template <class Format>
size_t GemvScratch(const OpCall& call, int workers) {
  const auto cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * BytesOfRows<Format>(ShapeOf<Format>(cols));
}

FATHOM_BASELINE_BEGIN();
template <class Format>
void AddGemvRows(CpuKernelTable& table, const char* name, double epsilon) {
  LinearRow row{.suffix = kIsaSuffix, .format = Format::kFormat, .dtype = Format::kDType};
  row.features = kIsaFeatures;
  row.compute_epsilon = epsilon;
  row.name = name;
  row.description = "panels streamed, int8 activations, integer sums a group";
  row.variant = KernelVariant::kGemv;
  row.max_rows = kMaxRows;
  row.tunings = kStreamTunings;
  row.scratch_bytes = GemvScratch<Format>;
  row.linear = Gemv<Format, LinearOp::kLinear>;
  row.group = Gemv<Format, LinearOp::kGroup>;
  row.gated = Gemv<Format, LinearOp::kGated>;
  AddLinearRows(table, row);
}

void AddRows(CpuKernelTable& table) {
  // sqrt(64) / 254, sqrt(32) / 254, rounded up.
  AddGemvRows<Int8>(table, "int8_panel16_dot_gemv", 0.0315);
  AddGemvRows<Int4>(table, "int4_panel16_dot_gemv", 0.0223);
}
FATHOM_BASELINE_END();

}  // namespace
#else
namespace {
FATHOM_BASELINE_BEGIN();
void AddRows(CpuKernelTable&) {}
FATHOM_BASELINE_END();
}  // namespace
#endif  // AVX2
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLinearQuantizedGemvKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
