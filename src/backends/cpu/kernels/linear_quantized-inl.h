// What the kernels over kInt8Panel16 and kInt4Panel16 share (tensor/quantized_weight.h), once a
// target: the parts of a panel, and its integers as floats.
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

// The parts of a panel.
struct PanelParts {
  const std::byte* lines = nullptr;
  const uint16_t* scales = nullptr;  // 16 a group
  const uint8_t* zeros = nullptr;    // int4: 16 a group

  explicit PanelParts(const LinearPanel& panel)
      : lines(panel.data),
        scales(reinterpret_cast<const uint16_t*>(panel.data + ScalesOffset(*panel.weight))),
        zeros(reinterpret_cast<const uint8_t*>(panel.data + ZerosOffset(*panel.weight))) {}

  // Vector v of the scales (zeros, in sixteenths) of a group's 16 rows.
  HWY_INLINE VF Scales(size_t group, size_t v) const {
    return FromBF16(hn::LoadU(U16Half(), scales + group * 16 + v * kLanes));
  }
  HWY_INLINE VF Zeros(size_t group, size_t v) const {
    const auto bytes = hn::LoadU(U8Quarter(), zeros + group * 16 + v * kLanes);
    return hn::ConvertTo(F32(), hn::PromoteTo(I32(), bytes));
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
      for (size_t c = k; c < k + group; c += Format::kLineCols) {
        const std::byte* line = parts.lines + c / Format::kLineCols * 64;
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
