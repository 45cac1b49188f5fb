// The code that the roof probes run: one file an instruction set family, all listed here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fathom/machine.h"

namespace fathom {

enum class PeakKind { kFp32, kBf16, kInt8 };
inline constexpr int kPeakKinds = 3;

// Random operands of one type, 64-byte aligned, near enough normally distributed:
//   [0, 2048)      a
//   [2048, 3072)   b
//   [3072, 4096)   -b
//   [4096, 8192)   the sums at the start
// Where b is added -b follows, so that sums stay of the size that they have in real work: ever
// growing ones would switch fewer transistors. int8 operands are never -128.
inline constexpr size_t kPeakB = 2048;
inline constexpr size_t kPeakMinusB = 3072;
inline constexpr size_t kPeakSums = 4096;
inline constexpr size_t kPeakOperandBytes = 8192;

// Multiply-adds between registers. All sums stay in registers (checked in the disassembly: no stack
// access inside the loops), enough of them to cover the latency on any core known.
struct PeakKernel {
  std::string_view name;
  PeakKind kind = PeakKind::kFp32;  // also the type of the operands, unless they are widened ones
  CpuFeatures needs;
  double ops_per_round = 0;  // a multiply-add is 2
  // Returns a number made of all sums, so that none can be left out.
  float (*run)(const std::byte* operands, int64_t rounds) = nullptr;
};

enum class Prefetch { kNone, kT0, kT1 };

struct ReadVariant {
  int streams = 1;  // 1, 2, 4 or 8 places read in turns
  Prefetch prefetch = Prefetch::kNone;
  size_t distance = 0;  // bytes ahead of each stream
};

// Reads every byte once; `bytes` is a multiple of 64 x streams. Returns the xor of all 64-bit
// words.
struct ReadKernel {
  std::string_view name;
  CpuFeatures needs;
  uint64_t (*run)(const std::byte* data, size_t bytes, const ReadVariant& variant) = nullptr;
};

// Empty on the other architecture. Within one family and kind any may be the fastest.
std::span<const PeakKernel> BaselinePeakKernels();
std::span<const PeakKernel> Avx2PeakKernels();
std::span<const PeakKernel> Avx512PeakKernels();
std::span<const PeakKernel> AmxPeakKernels();
std::span<const PeakKernel> NeonPeakKernels();

std::span<const ReadKernel> BaselineReadKernels();
std::span<const ReadKernel> Avx2ReadKernels();
std::span<const ReadKernel> Avx512ReadKernels();

}  // namespace fathom
