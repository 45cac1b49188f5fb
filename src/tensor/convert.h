// Conversions between element types, one at a time and in rows. To a narrower type: round to
// nearest even, as torch does.
#pragma once

#include <bit>
#include <cstdint>

#include "tensor/dtype.h"

namespace fathom {

inline float BF16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

inline uint16_t FloatToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>(bits >> 16 | 0x40);  // NaN
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float F16ToFloat(uint16_t bits);
uint16_t FloatToF16(float value);

// True for the types that ConvertToFloat reads: F64, F32, F16, BF16, the 8-bit floats, integers,
// bool.
bool ConvertsToFloat(DType dtype);

// count elements of `dtype` at `source` -> float32.
void ConvertToFloat(DType dtype, const void* source, int64_t count, float* out);
// float32 -> count elements of F32, F16 or BF16.
void ConvertFromFloat(DType dtype, const float* source, int64_t count, void* out);

}  // namespace fathom
