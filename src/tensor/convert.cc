#include "tensor/convert.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace fathom {
namespace {

// A small float of `exponent_bits` and `mantissa_bits` without infinities beyond what the caller
// handles: sign, biased exponent, mantissa.
float SmallFloat(uint8_t bits, int exponent_bits, int mantissa_bits, int bias) {
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const float sign = bits & 0x80 ? -1.0f : 1.0f;
  if (exponent == 0)
    return sign * std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  return sign * std::ldexp(static_cast<float>(mantissa | 1 << mantissa_bits),
                           exponent - bias - mantissa_bits);
}

float F8ToFloat(DType dtype, uint8_t bits) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  switch (dtype) {
    case DType::kF8_E4M3:
      return (bits & 0x7F) == 0x7F ? kNan : SmallFloat(bits, 4, 3, 7);
    case DType::kF8_E5M2:
      if ((bits & 0x7F) > 0x7C) return kNan;
      if ((bits & 0x7F) == 0x7C) {
        return bits & 0x80 ? -std::numeric_limits<float>::infinity()
                           : std::numeric_limits<float>::infinity();
      }
      return SmallFloat(bits, 5, 2, 15);
    case DType::kF8_E4M3FNUZ:
      return bits == 0x80 ? kNan : SmallFloat(bits, 4, 3, 8);
    case DType::kF8_E5M2FNUZ:
      return bits == 0x80 ? kNan : SmallFloat(bits, 5, 2, 16);
    default:  // kF8_E8M0: a power of two
      return bits == 0xFF ? kNan : std::ldexp(1.0f, bits - 127);
  }
}

// The 256 values of an 8-bit float.
struct F8Table {
  explicit F8Table(DType dtype) {
    for (int bits = 0; bits < 256; ++bits)
      value[bits] = F8ToFloat(dtype, static_cast<uint8_t>(bits));
  }
  float value[256];
};

const F8Table& TableOf(DType dtype) {
  static const F8Table e5m2(DType::kF8_E5M2), e4m3(DType::kF8_E4M3), e8m0(DType::kF8_E8M0),
      e4m3fnuz(DType::kF8_E4M3FNUZ), e5m2fnuz(DType::kF8_E5M2FNUZ);
  switch (dtype) {
    case DType::kF8_E5M2:
      return e5m2;
    case DType::kF8_E4M3:
      return e4m3;
    case DType::kF8_E4M3FNUZ:
      return e4m3fnuz;
    case DType::kF8_E5M2FNUZ:
      return e5m2fnuz;
    default:
      return e8m0;
  }
}

// The rows below are plain loops without branches, which compilers turn into vectors.

template <typename T>
void Widen(const void* source, int64_t count, float* __restrict out) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t i = 0; i < count; ++i) {
    T value;  // the source may lie at any byte
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

template <float (*kConvert)(uint16_t)>
void Widen16(const void* source, int64_t count, float* __restrict out) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t i = 0; i < count; ++i) {
    uint16_t value;
    std::memcpy(&value, bytes + i * 2, 2);
    out[i] = kConvert(value);
  }
}

template <uint16_t (*kConvert)(float)>
void Narrow16(const float* __restrict source, int64_t count, void* out) {
  auto* __restrict bytes = static_cast<unsigned char*>(out);
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t value = kConvert(source[i]);
    std::memcpy(bytes + i * 2, &value, 2);
  }
}

// All three kinds of result are computed and one is picked: no branch. Neither touches a subnormal
// float32, so that threads which flush those to zero convert alike.
inline float WidenF16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t magnitude = uint32_t{bits & 0x7FFFu} << 13;
  const uint32_t exponent = magnitude & 0x0F800000;
  const uint32_t normal = magnitude + 0x38000000;   // exponent + (127 - 15)
  const uint32_t special = magnitude + 0x70000000;  // exponent 31 becomes 255
  // As 2^-14 * (1 + mantissa / 1024), less the 1.
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude + 0x38800000) - 0x1p-14f);
  const uint32_t finite = exponent == 0 ? subnormal : normal;
  return std::bit_cast<float>(sign | (exponent == 0x0F800000 ? special : finite));
}

inline uint16_t NarrowF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  const uint32_t normal = (magnitude + 0xFFF + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  // Below 2^-14: added to 0.5, whose last place is 2^-24, the smallest step of an F16.
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
  const uint32_t finite = magnitude < 0x38800000 ? subnormal : normal;
  const uint32_t special = magnitude > 0x7F800000 ? 0x7E00 : 0x7C00;
  return static_cast<uint16_t>(sign | (magnitude >= 0x477FF000 ? special : finite));  // >= 65520
}

}  // namespace

float F16ToFloat(uint16_t bits) { return WidenF16(bits); }
uint16_t FloatToF16(float value) { return NarrowF16(value); }

bool ConvertsToFloat(DType dtype) {
  switch (dtype) {
    case DType::kF4:
    case DType::kF6_E2M3:
    case DType::kF6_E3M2:
    case DType::kC64:
      return false;
    default:
      return true;
  }
}

void ConvertToFloat(DType dtype, const void* source, int64_t count, float* out) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, source, static_cast<size_t>(count) * 4);
      return;
    case DType::kF16:
      return Widen16<WidenF16>(source, count, out);
    case DType::kBF16:
      return Widen16<BF16ToFloat>(source, count, out);
    case DType::kF64:
      return Widen<double>(source, count, out);
    case DType::kBool:
    case DType::kU8:
      return Widen<uint8_t>(source, count, out);
    case DType::kI8:
      return Widen<int8_t>(source, count, out);
    case DType::kI16:
      return Widen<int16_t>(source, count, out);
    case DType::kU16:
      return Widen<uint16_t>(source, count, out);
    case DType::kI32:
      return Widen<int32_t>(source, count, out);
    case DType::kU32:
      return Widen<uint32_t>(source, count, out);
    case DType::kI64:
      return Widen<int64_t>(source, count, out);
    case DType::kU64:
      return Widen<uint64_t>(source, count, out);
    case DType::kF8_E5M2:
    case DType::kF8_E4M3:
    case DType::kF8_E8M0:
    case DType::kF8_E4M3FNUZ:
    case DType::kF8_E5M2FNUZ: {
      const float* values = TableOf(dtype).value;
      const auto* bytes = static_cast<const uint8_t*>(source);
      for (int64_t i = 0; i < count; ++i) out[i] = values[bytes[i]];
      return;
    }
    default:
      FATHOM_CHECK(ConvertsToFloat(dtype));
  }
}

void ConvertFromFloat(DType dtype, const float* source, int64_t count, void* out) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, source, static_cast<size_t>(count) * 4);
      return;
    case DType::kF16:
      return Narrow16<NarrowF16>(source, count, out);
    case DType::kBF16:
      return Narrow16<FloatToBF16>(source, count, out);
    default:
      FATHOM_CHECK(!"ConvertFromFloat: F32, F16 or BF16");
  }
}

}  // namespace fathom
