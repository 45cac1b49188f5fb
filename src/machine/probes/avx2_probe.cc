// 256-bit x86: FMA, vpmaddubsw chains, AVX-VNNI.
#include "machine/probes/kernels.h"

#if defined(__x86_64__)

namespace fathom {
namespace {

using enum CpuFeature;

#define FATHOM_TARGET __attribute__((target("avx2,fma")))
#define FATHOM_READ_TARGET FATHOM_TARGET
using Words = uint64_t __attribute__((vector_size(32), may_alias));
using Vector = float __attribute__((vector_size(32), may_alias));
#include "machine/probes/peak_loop.inc.h"
#include "machine/probes/read_stream.inc.h"

struct FmaPs {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
  }
};

struct DpBusd {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
  }
};

// u8 x s8 products in pairs to int16, those in pairs to int32, added. The second factor of the
// widening step stands for the ones that a kernel has there.
struct MaddUbs {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    Vector products;
    asm volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0"
                 : "+x"(sum), "=&x"(products)
                 : "x"(a), "x"(b));
    return sum;
  }
};

// 12 sums and 4 operands fill the 16 registers; 5 cycles of latency x 2 units need 10 sums.
constexpr CpuFeatures kFma2 = {kAvx2, kFma};
constexpr CpuFeatures kVnni = {kAvx2, kFma, kAvxVnni};
constexpr PeakKernel kPeakKernels[] = {
    PeakKernelOf<FmaPs, 12, 2, 2>("avx2 vfmadd231ps", PeakKind::kFp32, kFma2, 8),
    PeakKernelOf<FmaPs, 12, 2, 2>("avx2 vfmadd231ps on widened bf16", PeakKind::kBf16, kFma2, 8),
    PeakKernelOf<MaddUbs, 8, 2, 2>("avx2 vpmaddubsw vpmaddwd vpaddd", PeakKind::kInt8, kFma2, 32),
    PeakKernelOf<DpBusd, 12, 2, 2>("avx_vnni vpdpbusd", PeakKind::kInt8, kVnni, 32),
};
constexpr ReadKernel kReadKernels[] = {{"256-bit loads", kFma2, Read}};

}  // namespace

std::span<const PeakKernel> Avx2PeakKernels() { return kPeakKernels; }
std::span<const ReadKernel> Avx2ReadKernels() { return kReadKernels; }

}  // namespace fathom

#else

namespace fathom {
std::span<const PeakKernel> Avx2PeakKernels() { return {}; }
std::span<const ReadKernel> Avx2ReadKernels() { return {}; }
}  // namespace fathom

#endif
