// Arm: fmla, bfdot, bfmmla, sdot, smmla, smull chains.
#include "machine/probes/kernels.h"

#if defined(__aarch64__)

namespace fathom {
namespace {

using enum CpuFeature;

#define FATHOM_TARGET
using Vector = float __attribute__((vector_size(16), may_alias));
#include "machine/probes/peak_loop.inc.h"

struct Fmla {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
  }
};

struct BfDot {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile(".arch armv8.2-a+bf16\n\tbfdot %0.4s, %1.8h, %2.8h" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
  }
};

struct BfMmla {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile(".arch armv8.2-a+bf16\n\tbfmmla %0.4s, %1.8h, %2.8h" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
  }
};

struct SDot {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.16b"
                 : "+w"(sum)
                 : "w"(a), "w"(b));
    return sum;
  }
};

struct SMmla {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    asm volatile(".arch armv8.2-a+i8mm\n\tsmmla %0.4s, %1.16b, %2.16b"
                 : "+w"(sum)
                 : "w"(a), "w"(b));
    return sum;
  }
};

// Without the dot product: 8 products to int16, added in pairs to int32.
struct SMull {
  static inline Vector Add(Vector sum, Vector a, Vector b) {
    Vector products;
    asm volatile("smull %1.8h, %2.8b, %3.8b\n\tsadalp %0.4s, %1.8h"
                 : "+w"(sum), "=&w"(products)
                 : "w"(a), "w"(b));
    return sum;
  }
};

// 4 cycles of latency x 4 units need 16 sums; with 4 + 4 operands that is 24 of the 32 registers.
constexpr PeakKernel kPeakKernels[] = {
    PeakKernelOf<Fmla, 16, 4, 4>("neon fmla", PeakKind::kFp32, {kNeon}, 4),
    PeakKernelOf<Fmla, 16, 4, 4>("neon fmla on widened bf16", PeakKind::kBf16, {kNeon}, 4),
    PeakKernelOf<BfDot, 16, 4, 4>("neon bfdot", PeakKind::kBf16, {kNeon, kBf16}, 8),
    PeakKernelOf<BfMmla, 16, 4, 4>("neon bfmmla", PeakKind::kBf16, {kNeon, kBf16}, 16),
    PeakKernelOf<SMull, 16, 4, 4>("neon smull sadalp", PeakKind::kInt8, {kNeon}, 8),
    PeakKernelOf<SDot, 16, 4, 4>("neon sdot", PeakKind::kInt8, {kNeon, kDotprod}, 16),
    PeakKernelOf<SMmla, 16, 4, 4>("neon smmla", PeakKind::kInt8, {kNeon, kI8mm}, 32),
};

}  // namespace

std::span<const PeakKernel> NeonPeakKernels() { return kPeakKernels; }

}  // namespace fathom

#else

namespace fathom {
std::span<const PeakKernel> NeonPeakKernels() { return {}; }
}  // namespace fathom

#endif
