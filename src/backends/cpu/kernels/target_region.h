// FATHOM_BEGIN_TARGET("avx512f,...") ... FATHOM_END_TARGET: the functions between are compiled for
// these instruction sets. For kernel files with intrinsics: put it behind all includes, so that no
// shared inline function is compiled for more than the plain CPU.
#pragma once

#include "fathom/machine.h"

#define FATHOM_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define FATHOM_BEGIN_TARGET(sets) \
  FATHOM_PRAGMA(clang attribute push(__attribute__((target(sets))), apply_to = function))
#define FATHOM_END_TARGET FATHOM_PRAGMA(clang attribute pop)
#else
// GCC 12 warns of the undefined operands inside its own intrinsics.
#define FATHOM_BEGIN_TARGET(sets)                               \
  FATHOM_PRAGMA(GCC diagnostic ignored "-Wmaybe-uninitialized") \
  FATHOM_PRAGMA(GCC diagnostic ignored "-Wuninitialized")       \
  FATHOM_PRAGMA(GCC push_options) FATHOM_PRAGMA(GCC target(sets))
#define FATHOM_END_TARGET FATHOM_PRAGMA(GCC pop_options)
#endif

// The instruction sets of the bf16 kernels, and what a row says that it needs for them.
#define FATHOM_AVX512_BF16_SETS \
  "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c,bmi,bmi2"
// Of the integer kernels.
#define FATHOM_AVX512_VNNI_SETS \
  "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,bmi,bmi2"

namespace fathom {

inline constexpr CpuFeatures kAvx512KernelFeatures = {
    CpuFeature::kAvx,      CpuFeature::kAvx2,    CpuFeature::kFma,     CpuFeature::kF16c,
    CpuFeature::kBmi1,     CpuFeature::kBmi2,    CpuFeature::kAvx512f, CpuFeature::kAvx512bw,
    CpuFeature::kAvx512dq, CpuFeature::kAvx512vl};
inline constexpr CpuFeatures kAvx512Bf16Features =
    kAvx512KernelFeatures | CpuFeatures{CpuFeature::kAvx512Bf16};
inline constexpr CpuFeatures kAvx512VnniFeatures =
    kAvx512KernelFeatures | CpuFeatures{CpuFeature::kAvx512Vnni};
inline constexpr CpuFeatures kAmxBf16Features =
    kAvx512Bf16Features | CpuFeatures{CpuFeature::kAmxTile, CpuFeature::kAmxBf16};
inline constexpr CpuFeatures kAmxInt8Features =
    kAvx512VnniFeatures | CpuFeatures{CpuFeature::kAmxTile, CpuFeature::kAmxInt8};

}  // namespace fathom
