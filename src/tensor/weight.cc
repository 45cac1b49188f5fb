#include "tensor/weight.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr int64_t kRows = 16;  // of a panel

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// Element (r, c) of a panel: its index from the panel's start.
int64_t PanelIndex(DType dtype, int64_t r, int64_t c) {
  return dtype == DType::kF32 ? c * kRows + r : c / 2 * 2 * kRows + r * 2 + c % 2;
}

// Scatters one row of elements of the weight's own type into its panel.
template <typename T>
void ScatterRow(const T* source, int64_t cols, int64_t r, T* panel) {
  if constexpr (sizeof(T) == 4) {
    for (int64_t c = 0; c < cols; ++c) panel[c * kRows + r] = source[c];
  } else {
    for (int64_t c = 0; c + 1 < cols; c += 2) {
      std::memcpy(panel + c * kRows + r * 2, source + c, 4);
    }
    if (cols % 2 != 0) panel[(cols - 1) * kRows + r * 2] = source[cols - 1];
  }
}

}  // namespace

std::string_view FormatName(WeightFormat format) {
  return format == WeightFormat::kDense ? "dense" : "panel16";
}

void ReadWeightRow(const Weight& weight, int64_t row, float* out) {
  const int64_t size = BytesOf(weight.dtype);
  const auto* bytes = static_cast<const std::byte*>(weight.data);
  if (weight.format == WeightFormat::kDense) {
    ConvertToFloat(weight.dtype, bytes + row * weight.stride * size, weight.cols, out);
    return;
  }
  const std::byte* panel = bytes + row / kRows * weight.stride * size;
  for (int64_t c = 0; c < weight.cols; ++c) {
    const int64_t index = PanelIndex(weight.dtype, row % kRows, c);
    ConvertToFloat(weight.dtype, panel + index * size, 1, out + c);
  }
}

Weight PlanPanel16(DType dtype, int64_t rows, int64_t cols) {
  Weight weight{.format = WeightFormat::kPanel16, .dtype = dtype, .rows = rows, .cols = cols};
  weight.stride = kRows * RoundUp(cols, dtype == DType::kF32 ? 16 : 32);
  weight.size_bytes = weight.panels() * weight.stride * BytesOf(dtype);
  return weight;
}

void PackPanel16(const Weight& weight, DType source_dtype, const void* source,
                 int64_t source_stride, int64_t first_row, int64_t row_count, void* destination) {
  FATHOM_CHECK(first_row % kRows == 0);
  const int64_t size = BytesOf(weight.dtype);
  const bool convert = source_dtype != weight.dtype;
  std::vector<float> wide(convert ? weight.cols : 0);
  std::vector<std::byte> row_bytes(weight.cols * size);
  for (int64_t row = first_row; row < first_row + row_count; ++row) {
    std::byte* panel = static_cast<std::byte*>(destination) + row / kRows * weight.stride * size;
    if (row % kRows == 0) std::memset(panel, 0, weight.stride * size);
    const std::byte* from = static_cast<const std::byte*>(source) +
                            (row - first_row) * source_stride * BytesOf(source_dtype);
    if (convert) {
      ConvertToFloat(source_dtype, from, weight.cols, wide.data());
      ConvertFromFloat(weight.dtype, wide.data(), weight.cols, row_bytes.data());
    } else {
      std::memcpy(row_bytes.data(), from, row_bytes.size());  // the source may lie at any byte
    }
    if (size == 4) {
      ScatterRow(reinterpret_cast<const float*>(row_bytes.data()), weight.cols, row % kRows,
                 reinterpret_cast<float*>(panel));
    } else {
      ScatterRow(reinterpret_cast<const uint16_t*>(row_bytes.data()), weight.cols, row % kRows,
                 reinterpret_cast<uint16_t*>(panel));
    }
  }
}

}  // namespace fathom
