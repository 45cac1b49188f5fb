// 512-bit x86: FMA, vdpbf16ps, vpdpbusd, vpmaddubsw chains.
#include "machine/probes/kernels.h"

#if defined(__x86_64__)

namespace fathom {
namespace {

using enum CpuFeature;

#define FATHOM_TARGET __attribute__((target("avx512f")))
#define FATHOM_READ_TARGET FATHOM_TARGET
using Words = uint64_t __attribute__((vector_size(64), may_alias));
using Vector = float __attribute__((vector_size(64), may_alias));
#include "machine/probes/peak_loop.inc.h"
#include "machine/probes/read_stream.inc.h"

struct FmaPs {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};

struct DpBf16 {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};

struct DpBusd {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};

// As in avx2_probe.cc.
struct MaddUbs {
  FATHOM_TARGET static inline Vector Add(Vector sum, Vector a, Vector b) {
    Vector products;
    asm volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0"
                 : "+v"(sum), "=&v"(products)
                 : "v"(a), "v"(b));
    return sum;
  }
};

// 4 + 4 operands and their 16 sums take 24 of the 32 registers.
constexpr CpuFeatures kBase = {kAvx512f, kAvx512bw};
constexpr CpuFeatures kBf16Dot = {kAvx512f, kAvx512bw, kAvx512Bf16};
constexpr CpuFeatures kVnni = {kAvx512f, kAvx512bw, kAvx512Vnni};
constexpr PeakKernel kPeakKernels[] = {
    PeakKernelOf<FmaPs, 16, 4, 4>("avx512 vfmadd231ps", PeakKind::kFp32, kBase, 16),
    PeakKernelOf<FmaPs, 16, 4, 4>("avx512 vfmadd231ps on widened bf16", PeakKind::kBf16, kBase, 16),
    PeakKernelOf<DpBf16, 16, 4, 4>("avx512 vdpbf16ps", PeakKind::kBf16, kBf16Dot, 32),
    PeakKernelOf<MaddUbs, 16, 4, 4>("avx512 vpmaddubsw vpmaddwd vpaddd", PeakKind::kInt8, kBase,
                                    64),
    PeakKernelOf<DpBusd, 16, 4, 4>("avx512 vpdpbusd", PeakKind::kInt8, kVnni, 64),
};
constexpr ReadKernel kReadKernels[] = {{"512-bit loads", kBase, Read}};

}  // namespace

std::span<const PeakKernel> Avx512PeakKernels() { return kPeakKernels; }
std::span<const ReadKernel> Avx512ReadKernels() { return kReadKernels; }

}  // namespace fathom

#else

namespace fathom {
std::span<const PeakKernel> Avx512PeakKernels() { return {}; }
std::span<const ReadKernel> Avx512ReadKernels() { return {}; }
}  // namespace fathom

#endif
