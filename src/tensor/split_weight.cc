#include "tensor/split_weight.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr int64_t kRows = 16;  // of a panel

// The same memory as a matrix of kPanel16 with all three parts side by side.
Weight Parts(const Weight& weight) {
  Weight parts = weight;
  parts.format = WeightFormat::kPanel16;
  parts.cols = 3 * SplitPartCols(weight.cols);
  return parts;
}

}  // namespace

Weight PlanSplit(int64_t rows, int64_t cols) {
  Weight weight = PlanPanel16(DType::kBF16, rows, 3 * SplitPartCols(cols));
  weight.format = WeightFormat::kSplitPanel16;
  weight.cols = cols;
  return weight;
}

void PackSplit(const Weight& weight, DType source_dtype, const void* source, int64_t source_stride,
               int64_t first_row, int64_t row_count, void* destination) {
  FATHOM_CHECK(first_row % kRows == 0);
  const Weight parts = Parts(weight);
  const int64_t part_cols = SplitPartCols(weight.cols);
  const int64_t row_bytes = source_stride * BytesOf(source_dtype);
  std::vector<float> values(static_cast<size_t>(weight.cols));
  std::vector<uint16_t> split(static_cast<size_t>(kRows * parts.cols));
  for (int64_t first = 0; first < row_count; first += kRows) {
    const int64_t count = std::min(kRows, row_count - first);
    for (int64_t r = 0; r < count; ++r) {
      const auto* row = static_cast<const std::byte*>(source) + (first + r) * row_bytes;
      ConvertToFloat(source_dtype, row, weight.cols, values.data());
      uint16_t* high = split.data() + r * parts.cols;
      for (int64_t c = 0; c < weight.cols; ++c) {
        high[c] = FloatToBF16(values[c]);
        high[part_cols + c] = FloatToBF16(values[c] - BF16ToFloat(high[c]));
      }
      std::memcpy(high + 2 * part_cols, high, static_cast<size_t>(weight.cols) * 2);
    }
    PackPanel16(parts, DType::kBF16, split.data(), parts.cols, first_row + first, count,
                destination);
  }
}

void ReadSplitRow(const Weight& weight, int64_t row, float* out) {
  const Weight parts = Parts(weight);
  std::vector<float> all(static_cast<size_t>(parts.cols));
  ReadWeightRow(parts, row, all.data());
  const float* low = all.data() + SplitPartCols(weight.cols);
  for (int64_t c = 0; c < weight.cols; ++c) out[c] = all[c] + low[c];
}

}  // namespace fathom
