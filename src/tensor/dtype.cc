#include "tensor/dtype.h"

#include <array>

namespace fathom {
namespace {

struct DTypeFacts {
  std::string_view safetensors;
  std::string_view torch;
  int bits;
  double epsilon;  // 0: no float
};

// In the order of the enumeration.
constexpr std::array<DTypeFacts, kDTypeCount> kFacts = {{
    {"BOOL", "bool", 8, 0},
    {"F4", "float4_e2m1fn_x2", 4, 0x1p-1},
    {"F6_E2M3", "float6_e2m3fn", 6, 0x1p-3},
    {"F6_E3M2", "float6_e3m2fn", 6, 0x1p-2},
    {"U8", "uint8", 8, 0},
    {"I8", "int8", 8, 0},
    {"F8_E5M2", "float8_e5m2", 8, 0x1p-2},
    {"F8_E4M3", "float8_e4m3fn", 8, 0x1p-3},
    {"F8_E8M0", "float8_e8m0fnu", 8, 1},
    {"F8_E4M3FNUZ", "float8_e4m3fnuz", 8, 0x1p-3},
    {"F8_E5M2FNUZ", "float8_e5m2fnuz", 8, 0x1p-2},
    {"I16", "int16", 16, 0},
    {"U16", "uint16", 16, 0},
    {"F16", "float16", 16, 0x1p-10},
    {"BF16", "bfloat16", 16, 0x1p-7},
    {"I32", "int32", 32, 0},
    {"U32", "uint32", 32, 0},
    {"F32", "float32", 32, 0x1p-23},
    {"C64", "complex64", 64, 0x1p-23},
    {"F64", "float64", 64, 0x1p-52},
    {"I64", "int64", 64, 0},
    {"U64", "uint64", 64, 0},
}};

const DTypeFacts& FactsOf(DType dtype) { return kFacts[static_cast<int>(dtype)]; }

}  // namespace

int BitsOf(DType dtype) { return FactsOf(dtype).bits; }
double EpsilonOf(DType dtype) { return FactsOf(dtype).epsilon; }
std::string_view SafetensorsName(DType dtype) { return FactsOf(dtype).safetensors; }
std::string_view TorchName(DType dtype) { return FactsOf(dtype).torch; }

std::optional<DType> DTypeFromSafetensors(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kFacts[i].safetensors == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<DType> DTypeFromTorch(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  if (name == "half") name = "float16";
  if (name == "float") name = "float32";
  if (name == "double") name = "float64";
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kFacts[i].torch == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace fathom
