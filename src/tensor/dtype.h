// Element types: every dtype of the safetensors format, under its spelling there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fathom {

enum class DType : uint8_t {
  kBool,
  kF4,       // two a byte
  kF6_E2M3,  // four in three bytes
  kF6_E3M2,
  kU8,
  kI8,
  kF8_E5M2,
  kF8_E4M3,
  kF8_E8M0,
  kF8_E4M3FNUZ,
  kF8_E5M2FNUZ,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};
inline constexpr int kDTypeCount = 22;

// Bits of one element (4 and 6 for the packed types).
int BitsOf(DType dtype);
// Bytes of one element; the type has whole bytes.
inline int BytesOf(DType dtype) { return BitsOf(dtype) / 8; }

// "BF16", "F8_E4M3": the spelling in a safetensors header.
std::string_view SafetensorsName(DType dtype);
std::optional<DType> DTypeFromSafetensors(std::string_view name);

// "bfloat16", "float32": the spelling in config.json and torch ("torch." before it is taken too).
std::string_view TorchName(DType dtype);
std::optional<DType> DTypeFromTorch(std::string_view name);

// Distance from 1 to the next number: 2^-23, 2^-10, 2^-7 for F32, F16, BF16.
double EpsilonOf(DType dtype);

}  // namespace fathom
