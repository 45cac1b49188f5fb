// What every CPU of the architecture has: SSE2 on x86-64 (mulps + addps; pmaddwd), plain vectors
// elsewhere. On Arm the peaks are in neon_probe.cc; only the read loop is here.
#include "machine/probes/kernels.h"

namespace fathom {
namespace {

#define FATHOM_READ_TARGET
using Words = uint64_t __attribute__((vector_size(16), may_alias));
#include "machine/probes/read_stream.inc.h"

constexpr ReadKernel kReadKernels[] = {{"128-bit loads", {}, Read}};

#if defined(__x86_64__)

#define FATHOM_TARGET
using enum CpuFeature;
using Vector = float __attribute__((vector_size(16), may_alias));
#include "machine/probes/peak_loop.inc.h"

struct MulAddPs {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    Vector product;
    asm volatile("movaps %2, %1\n\tmulps %3, %1\n\taddps %1, %0"
                 : "+x"(sum), "=&x"(product)
                 : "x"(a), "x"(b));
    return sum;
  }
};

// int8 widened to int16: pairs of products, added as int32.
struct PmaddWd {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    Vector products;
    asm volatile("movdqa %2, %1\n\tpmaddwd %3, %1\n\tpaddd %1, %0"
                 : "+x"(sum), "=&x"(products)
                 : "x"(a), "x"(b));
    return sum;
  }
};

constexpr PeakKernel kPeakKernels[] = {
    PeakKernelOf<MulAddPs, 8, 2, 2>("sse2 mulps addps", PeakKind::kFp32, {kSse2}, 4),
    PeakKernelOf<MulAddPs, 8, 2, 2>("sse2 mulps addps on widened bf16", PeakKind::kBf16, {kSse2},
                                    4),
    PeakKernelOf<PmaddWd, 8, 2, 2>("sse2 pmaddwd paddd on widened int8", PeakKind::kInt8, {kSse2},
                                   8),
};

#endif

}  // namespace

std::span<const ReadKernel> BaselineReadKernels() { return kReadKernels; }

std::span<const PeakKernel> BaselinePeakKernels() {
#if defined(__x86_64__)
  return kPeakKernels;
#else
  return {};
#endif
}

}  // namespace fathom
