// What the records of src/ops/records share: plain arithmetic, shape errors, and the inputs of
// their test cases.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/op.h"
#include "tensor/tensor.h"

namespace fathom {

// Sum of a[i] * b[i] in float32. Sixteen partial sums keep the error near that of pairwise
// addition.
float DotProduct(const float* a, const float* b, int64_t count);

inline double Length(const float* a, int64_t count) {
  return std::sqrt(static_cast<double>(DotProduct(a, a, count)));
}

// "linear: [7, 64], [32, 48]: the inputs' shapes do not fit": what infer_shapes says.
Status ShapesDoNotFit(std::string_view op, std::span<const Shape> inputs);

inline bool IsAbsent(std::span<const Shape> inputs, size_t index) {
  return index >= inputs.size() || inputs[index].rank == 0;
}
// Absent, or a vector of `length`.
inline bool IsOptionalVector(std::span<const Shape> inputs, size_t index, int64_t length) {
  return IsAbsent(inputs, index) || inputs[index] == Shape{length};
}
inline bool HasInput(const OpCall& call, size_t index) {
  return index < call.inputs.size() && call.inputs[index].present();
}
inline double Elements(const Shape& shape) {
  double product = 1;
  for (int i = 0; i < shape.rank; ++i) product *= static_cast<double>(shape.dims[i]);
  return product;
}

// --- Inputs of test cases ---

OpTestCase::Input TestActivation(int64_t rows, int64_t cols, double low = -1, double high = 1);
OpTestCase::Input TestVector(int64_t length, double low = -1, double high = 1);
OpTestCase::Input TestMatrix(int64_t rows, int64_t cols, double low = -1, double high = 1);
OpTestCase::Input TestIndex(std::vector<int32_t> indices);
OpTestCase::Input TestIndex(std::vector<int32_t> indices, Shape shape);
OpTestCase::Input TestCache(int64_t num_blocks, int64_t num_heads, int64_t head_dim);
inline OpTestCase::Input TestAbsent() { return {}; }

// Rows that a test cache block holds: kCacheBlockSize of graph/plan.h, which is above this folder.
inline constexpr int64_t kTestBlockSize = 32;

// A ragged step: sequence s has lengths[s] new tokens behind offsets[s] cached ones. The block
// tables are shuffled over all physical blocks; with a window, blocks that no new token sees are
// -1.
struct TestStep {
  std::vector<int32_t> lengths;
  std::vector<int32_t> offsets;
  int64_t window = 0;

  // Filled by MakeTestStep.
  int64_t num_tokens = 0;
  int64_t num_blocks = 0;
  int64_t max_blocks = 0;
  std::vector<int32_t> block_table;     // [sequences, max_blocks]
  std::vector<int32_t> sequence_start;  // [sequences + 1]
  std::vector<int32_t> slots;           // [num_tokens]
  std::vector<int32_t> positions;       // [num_tokens]
};
TestStep MakeTestStep(std::vector<int32_t> lengths, std::vector<int32_t> offsets,
                      int64_t window = 0);

}  // namespace fathom
