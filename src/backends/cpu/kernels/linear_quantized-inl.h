// What the kernels over kInt8Panel16 and kInt4Panel16 share (tensor/quantized_weight.h), once a
// target: the parts of a panel, and its integers as floats.
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/linear_call.h"
#include "tensor/quantized_weight.h"

#if defined(FATHOM_LINEAR_QUANTIZED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_LINEAR_QUANTIZED_INL_H_
#undef FATHOM_LINEAR_QUANTIZED_INL_H_
#else
#define FATHOM_LINEAR_QUANTIZED_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {

struct Int8 {
  static constexpr WeightFormat kFormat = WeightFormat::kInt8Panel16;
  static constexpr DType kDType = DType::kI8;
  static constexpr size_t kLineCols = 4;
  static constexpr size_t kGroup = 64;  // the usual one
  static constexpr bool kHasZero = false;
};
struct Int4 {
  static constexpr WeightFormat kFormat = WeightFormat::kInt4Panel16;
  static constexpr DType kDType = DType::kU8;
  static constexpr size_t kLineCols = 8;
  static constexpr size_t kGroup = 32;
  static constexpr bool kHasZero = true;
};

inline constexpr size_t kPanelVecs = kPanelRows / kLanes;  // vectors of a panel's 16 rows

using U8Quarter = hn::Rebind<uint8_t, F32>;  // as many lanes as F32
using I8Quarter = hn::Rebind<int8_t, F32>;

struct GroupShape {
  size_t group = 0;
  size_t groups = 0;
  size_t padded_cols() const { return group * groups; }
};
template <class Format>
GroupShape ShapeOf(size_t cols) {
  GroupShape shape;
  shape.group = static_cast<size_t>(QuantizationGroup(Format::kFormat, static_cast<int64_t>(cols)));
  shape.groups = (cols + shape.group - 1) / shape.group;
  return shape;
}

inline size_t RoundUp64(size_t bytes) { return (bytes + 63) / 64 * 64; }

// int8 on AVX2 multiplies |q| by weights with the sign of q.
template <class Format>
inline constexpr bool kNeedsMagnitudes = HWY_TARGET == HWY_AVX2 && !Format::kHasZero;

struct QuantizedGroup {
  float scale = 0;
  int32_t sum = 0;  // of q
};
// `group` floats -> q (and |q|) of int8. NaN and infinity go into the scale: an answer shows them.
template <class Format>
HWY_INLINE QuantizedGroup QuantizeGroup(const float* values, size_t group, int8_t* q,
                                        int8_t* magnitudes) {
  const I32 di;
  const F32 d;
  // As integers, magnitudes order like floats, NaN above all: a NaN reaches the scale.
  VI most = hn::Zero(di);
  const VI mask = hn::Set(di, 0x7FFFFFFF);
  for (size_t i = 0; i < group; i += kLanes) {
    most = hn::Max(most, hn::And(hn::BitCast(di, hn::LoadU(d, values + i)), mask));
  }
  const int32_t bits = hn::GetLane(hn::MaxOfLanes(di, most));
  float largest = 0;
  std::memcpy(&largest, &bits, sizeof(largest));
  const bool usable = largest >= kSmallestScale && std::isfinite(largest);
  const VF inverse = Splat(usable ? 127.0f / largest : 0.0f);
  VI sum = hn::Zero(di);
  for (size_t i = 0; i < group; i += kLanes) {
    const VI rounded = hn::NearestInt(hn::Mul(hn::LoadU(d, values + i), inverse));
    sum = hn::Add(sum, rounded);
    hn::StoreU(hn::DemoteTo(I8Quarter(), rounded), I8Quarter(), q + i);
    if constexpr (kNeedsMagnitudes<Format>) {
      hn::StoreU(hn::DemoteTo(I8Quarter(), hn::Abs(rounded)), I8Quarter(), magnitudes + i);
    }
  }
  const bool tiny = largest < kSmallestScale;
  return {.scale = tiny     ? 0.0f
                   : usable ? largest / 127.0f
                            : largest,
          .sum = hn::GetLane(hn::SumOfLanes(di, sum))};
}

// The parts of a panel, group by group.
struct PanelParts {
  const std::byte* data = nullptr;
  const Weight* weight = nullptr;

  explicit PanelParts(const LinearPanel& panel) : data(panel.data), weight(panel.weight) {}

  HWY_INLINE GroupOffsets Offsets(size_t group) const {
    return OffsetsOf(*weight, static_cast<int64_t>(group));
  }
  HWY_INLINE const std::byte* Lines(size_t group) const { return data + Offsets(group).lines; }
  // Vector v of the scales (zeros, in sixteenths) of a group's 16 rows.
  HWY_INLINE VF Scales(size_t group, size_t v) const {
    const auto* scales = reinterpret_cast<const uint16_t*>(data + Offsets(group).scales);
    return FromBF16(hn::LoadU(U16Half(), scales + v * kLanes));
  }
  HWY_INLINE VF Zeros(size_t group, size_t v) const {
    const auto* zeros = reinterpret_cast<const uint8_t*>(data + Offsets(group).zeros);
    return hn::ConvertTo(F32(), hn::PromoteTo(I32(), hn::LoadU(U8Quarter(), zeros + v * kLanes)));
  }
};

// Calls each(column of the line, 16-row vector v as float q) over one line.
template <class Format, class Each>
HWY_INLINE void ForEachColumn(const std::byte* line, size_t v, Each each) {
  const I32 d;
  const VI bits = hn::LoadU(d, reinterpret_cast<const int32_t*>(line) + v * kLanes);
  if constexpr (Format::kLineCols == 4) {
    each(0, hn::ConvertTo(F32(), hn::ShiftRight<24>(hn::ShiftLeft<24>(bits))));
    each(1, hn::ConvertTo(F32(), hn::ShiftRight<24>(hn::ShiftLeft<16>(bits))));
    each(2, hn::ConvertTo(F32(), hn::ShiftRight<24>(hn::ShiftLeft<8>(bits))));
    each(3, hn::ConvertTo(F32(), hn::ShiftRight<24>(bits)));
  } else {
    const VI mask = hn::Set(d, 15);
    each(0, hn::ConvertTo(F32(), hn::And(bits, mask)));
    each(1, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<8>(bits), mask)));
    each(2, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<16>(bits), mask)));
    each(3, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<24>(bits), mask)));
    each(4, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<4>(bits), mask)));
    each(5, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<12>(bits), mask)));
    each(6, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<20>(bits), mask)));
    each(7, hn::ConvertTo(F32(), hn::And(hn::ShiftRight<28>(bits), mask)));
  }
}

// Columns [first, first + cols) of a panel as float32 lines [cols, 16]. `first` begins a group; the
// last group is filled whole.
template <class Format>
void UnpackQuantized(const LinearPanel& panel, size_t first, size_t cols, float* out) {
  const auto group = static_cast<size_t>(panel.weight->group);
  const PanelParts parts(panel);
  for (size_t k = first; k < first + cols; k += group) {
    for (size_t v = 0; v < kPanelVecs; ++v) {
      const VF scale = parts.Scales(k / group, v);
      VF zero = hn::Zero(F32());
      if constexpr (Format::kHasZero) {
        zero = hn::Mul(parts.Zeros(k / group, v), Splat(0.0625f));
      }
      const std::byte* line = parts.Lines(k / group);
      for (size_t c = k; c < k + group; c += Format::kLineCols, line += 64) {
        float* to = out + (c - first) * kPanelRows + v * kLanes;
        ForEachColumn<Format>(line, v, [&](size_t i, VF q) HWY_ATTR {
          if constexpr (Format::kHasZero) q = hn::Sub(q, zero);
          hn::StoreU(hn::Mul(scale, q), F32(), to + i * kPanelRows);
        });
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#endif  // FATHOM_LINEAR_QUANTIZED_INL_H_
