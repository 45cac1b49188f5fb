#include "ops/record_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include "base/check.h"

namespace fathom {

float DotProduct(const float* a, const float* b, int64_t count) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (int64_t lane = 0; i < count; ++i, ++lane) lanes[lane] += a[i] * b[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

Status ShapesDoNotFit(std::string_view op, std::span<const Shape> inputs) {
  std::string shapes;
  for (const Shape& shape : inputs) {
    shapes += (shapes.empty() ? "" : ", ") + (shape.rank == 0 ? "-" : shape.ToString());
  }
  return Status::RunTime(fmt::format("{}: {}: the inputs' shapes do not fit", op, shapes));
}

OpTestCase::Input TestActivation(int64_t rows, int64_t cols, double low, double high) {
  return {.shape = {rows, cols}, .low = low, .high = high};
}

OpTestCase::Input TestVector(int64_t length, double low, double high) {
  return {.shape = {length}, .low = low, .high = high};
}

OpTestCase::Input TestMatrix(int64_t rows, int64_t cols, double low, double high) {
  return {.shape = {rows, cols}, .low = low, .high = high};
}

OpTestCase::Input TestIndex(std::vector<int32_t> indices) {
  const Shape shape{static_cast<int64_t>(indices.size())};
  return TestIndex(std::move(indices), shape);
}

OpTestCase::Input TestIndex(std::vector<int32_t> indices, Shape shape) {
  FATHOM_CHECK(shape.elements() == static_cast<int64_t>(indices.size()));
  return {.dtype = DType::kI32, .shape = shape, .indices = std::move(indices)};
}

OpTestCase::Input TestCache(int64_t num_blocks, int64_t num_heads, int64_t head_dim) {
  return {.shape = {num_blocks, num_heads, kTestBlockSize, head_dim}};
}

TestStep MakeTestStep(std::vector<int32_t> lengths, std::vector<int32_t> offsets, int64_t window) {
  TestStep step{.lengths = std::move(lengths), .offsets = std::move(offsets), .window = window};
  FATHOM_CHECK(step.lengths.size() == step.offsets.size());
  const size_t sequences = step.lengths.size();
  std::vector<int64_t> blocks(sequences);
  for (size_t s = 0; s < sequences; ++s) {
    blocks[s] = (step.offsets[s] + step.lengths[s] + kTestBlockSize - 1) / kTestBlockSize;
    step.max_blocks = std::max(step.max_blocks, blocks[s]);
  }
  // Two blocks more than needed, so that some stay unused, and one column of -1.
  step.num_blocks = std::accumulate(blocks.begin(), blocks.end(), int64_t{2});
  ++step.max_blocks;
  std::vector<int32_t> physical(step.num_blocks);
  std::iota(physical.begin(), physical.end(), 0);
  std::mt19937 random(17);
  for (size_t i = physical.size() - 1; i > 0; --i)
    std::swap(physical[i], physical[random() % (i + 1)]);

  step.block_table.assign(sequences * step.max_blocks, -1);
  step.sequence_start.push_back(0);
  size_t next = 0;
  for (size_t s = 0; s < sequences; ++s) {
    const int64_t seen_from = window == 0 ? 0 : std::max<int64_t>(0, step.offsets[s] - window + 1);
    for (int64_t b = 0; b < blocks[s]; ++b) {
      const int32_t block = physical[next++];
      if ((b + 1) * kTestBlockSize > seen_from) step.block_table[s * step.max_blocks + b] = block;
    }
    for (int32_t i = 0; i < step.lengths[s]; ++i) {
      const int64_t position = step.offsets[s] + i;
      const int32_t block = step.block_table[s * step.max_blocks + position / kTestBlockSize];
      step.positions.push_back(static_cast<int32_t>(position));
      step.slots.push_back(
          static_cast<int32_t>(block * kTestBlockSize + position % kTestBlockSize));
    }
    step.num_tokens += step.lengths[s];
    step.sequence_start.push_back(static_cast<int32_t>(step.num_tokens));
  }
  return step;
}

}  // namespace fathom
