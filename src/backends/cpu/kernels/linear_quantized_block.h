// Operands of the integer GEMMs on AVX-512 and AMX: a block of columns (linear_gemm.h) as int8 with
// one scale a row, of activations as of weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/linear_gemm.h"
#include "tensor/weight.h"

namespace fathom {

// What the rounding of both operands by blocks of up to `cols` columns is allowed to cost, of
// ||row|| * ||x||: half a step of the largest element / 127 in each of n columns is at most sqrt(n)
// / 254 of a norm. For both, and 7 % more for the fixed point and the bf16 scales of the weights.
constexpr double BlockEpsilon(size_t cols) {
  double root = 1;
  for (int i = 0; i < 32; ++i) root = 0.5 * (root + static_cast<double>(cols) / root);
  return 2.15 * root / 254;
}

struct QuantizedBlock {
  float scale = 0;  // NaN or infinite where an element is; 0 where all are below kSmallestScale
  int32_t sum = 0;  // of the integers
};
// x [cols] -> int8 at `q` in runs of 64, `stride` bytes apart; zeros from `cols` up to `width`, and
// on to the end of its run.
QuantizedBlock QuantizeBlock(const float* x, size_t cols, size_t width, size_t stride,
                             std::byte* q);

// 16 rows of weights in a worker's own scratch: a scale a row, then 64-byte lines of four columns
// as in kInt8Panel16.
struct PanelBlock {
  std::byte* data = nullptr;  // at a multiple of 64

  static constexpr size_t Bytes(size_t cols) { return (1 + (cols + 3) / 4) * 64; }
  float* scales() const { return reinterpret_cast<float*>(data); }
  std::byte* lines() const { return data + 64; }
};

struct Int8Block {
  static constexpr WeightFormat kFormat = WeightFormat::kInt8Panel16;
  static constexpr DType kDType = DType::kI8;
  static constexpr size_t kColumnBytes = 16;  // of a panel
};
struct Int4Block {
  static constexpr WeightFormat kFormat = WeightFormat::kInt4Panel16;
  static constexpr DType kDType = DType::kU8;
  static constexpr size_t kColumnBytes = 8;
};

enum class PanelBytes : uint8_t { kSigned, kPlus128 };

// Columns [first, first + cols) of a panel, whole groups but for the matrix's last.
template <class Format>
void UnpackBlock(const LinearPanel& panel, size_t first, size_t cols, PanelBytes bytes,
                 const PanelBlock& out);

}  // namespace fathom
