// Which targets Highway compiles vector code below the backends for (theirs:
// backends/cpu/kernels/vector_config.h). Included before <hwy/foreach_target.h>.
//
// One source gives a namespace a target: N_EMU128 (the plain CPU: SSE2 by way of the compiler's own
// vectors), N_AVX2 and N_AVX3 on x86-64, N_NEON on aarch64. The tables name the namespaces one by
// one and never ask Highway which is best, so that a forced instruction set is honoured.
#pragma once

#include "fathom/machine.h"

#define HWY_DISABLED_TARGETS                                                            \
  (HWY_SCALAR | HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | \
   HWY_SVE2_128)
// Highway falls back to one lane where GCC miscompiles the high half of 16-bit products (GCC bug
// 106322, before 12.3); our kernels have none, and every row is tested against its reference.
#define HWY_BROKEN_EMU128 0
// No kernel needs them, and a CPU may have AVX2 and not these.
#define HWY_DISABLE_PCLMUL_AES

namespace fathom {

// What a CPU needs for the code of N_AVX2 and N_AVX3.
inline constexpr CpuFeatures kVectorAvx2Features = {CpuFeature::kAvx,  CpuFeature::kAvx2,
                                                    CpuFeature::kFma,  CpuFeature::kF16c,
                                                    CpuFeature::kBmi1, CpuFeature::kBmi2};
inline constexpr CpuFeatures kVectorAvx512Features =
    kVectorAvx2Features | CpuFeatures{CpuFeature::kAvx512f, CpuFeature::kAvx512bw,
                                      CpuFeature::kAvx512dq, CpuFeature::kAvx512vl};

}  // namespace fathom
