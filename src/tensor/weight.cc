#include "tensor/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tensor/convert.h"
#include "tensor/quantized_weight.h"
#include "tensor/split_weight.h"

namespace fathom {
namespace {

constexpr int64_t kRows = 16;  // of a panel

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// A panel is a transposed matrix of units of 4 bytes: an F32, or a pair of columns of a 16-bit
// type.
using Unit = uint32_t;
using Unit4 = Unit __attribute__((vector_size(16)));
constexpr int64_t kChunkUnits = 64;  // of a row, packed at once
alignas(64) constexpr Unit kZeros[kChunkUnits] = {};

int64_t ColumnsOfUnit(DType dtype) { return dtype == DType::kF32 ? 1 : 2; }

// Units [unit, unit + 4) of 4 rows -> 4 lines of the panel, `line` being their 4 places in the
// first.
inline void Transpose4(const std::byte* const* rows, int64_t unit, Unit* line) {
  Unit4 a, b, c, d;  // the rows may lie at any byte
  std::memcpy(&a, rows[0] + unit * 4, 16);
  std::memcpy(&b, rows[1] + unit * 4, 16);
  std::memcpy(&c, rows[2] + unit * 4, 16);
  std::memcpy(&d, rows[3] + unit * 4, 16);
  const Unit4 ab01 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Unit4 ab23 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Unit4 cd01 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Unit4 cd23 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Unit4 lines[4] = {__builtin_shufflevector(ab01, cd01, 0, 1, 4, 5),
                          __builtin_shufflevector(ab01, cd01, 2, 3, 6, 7),
                          __builtin_shufflevector(ab23, cd23, 0, 1, 4, 5),
                          __builtin_shufflevector(ab23, cd23, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i) std::memcpy(line + i * kRows, &lines[i], 16);
}

// `units` units of 16 rows -> as many lines of the panel.
void TransposeUnits(const std::byte* const (&rows)[kRows], int64_t units, Unit* panel) {
  int64_t unit = 0;
  // By 16 units, row group by row group: each cache line of a row is read once, whatever the
  // stride.
  for (; unit + 16 <= units; unit += 16) {
    for (int64_t r = 0; r < kRows; r += 4) {
      for (int64_t i = 0; i < 16; i += 4) {
        Transpose4(rows + r, unit + i, panel + (unit + i) * kRows + r);
      }
    }
  }
  for (; unit < units; ++unit) {
    for (int64_t r = 0; r < kRows; ++r) {
      std::memcpy(panel + unit * kRows + r, rows[r] + unit * 4, 4);
    }
  }
}

// One panel of 16 rows, of which `count` exist; `source` is the first of them.
class PanelPacker {
 public:
  PanelPacker(const Weight& weight, DType source_dtype, int64_t source_stride)
      : weight_(weight),
        source_dtype_(source_dtype),
        source_size_(BytesOf(source_dtype)),
        row_bytes_(source_stride * source_size_) {}

  void Pack(const std::byte* source, int64_t count, std::byte* panel) {
    const int64_t unit_columns = ColumnsOfUnit(weight_.dtype);
    const int64_t chunk = kChunkUnits * unit_columns;
    auto* units = reinterpret_cast<Unit*>(panel);
    for (int64_t c = 0; c < weight_.cols; c += chunk) {
      const int64_t columns = std::min(chunk, weight_.cols - c);
      const std::byte* rows[kRows];
      for (int64_t r = 0; r < kRows; ++r) {
        rows[r] = r < count ? Row(source + r * row_bytes_ + c * source_size_, columns, r)
                            : reinterpret_cast<const std::byte*>(kZeros);
      }
      Unit* lines = units + c / unit_columns * kRows;
      TransposeUnits(rows, columns / unit_columns, lines);
      if (columns % unit_columns != 0) PackLastColumn(rows, columns - 1, lines);
    }
    const int64_t used = (weight_.cols + unit_columns - 1) / unit_columns;
    const int64_t all = weight_.cols_padded() / unit_columns;
    std::memset(units + used * kRows, 0, static_cast<size_t>((all - used) * kRows * 4));
  }

 private:
  // `columns` elements of the weight's type: the source's own bytes, or converted ones.
  const std::byte* Row(const std::byte* from, int64_t columns, int64_t r) {
    if (source_dtype_ == weight_.dtype) return from;
    std::byte* to = converted_[r];
    if (weight_.dtype == DType::kF32) {
      ConvertToFloat(source_dtype_, from, columns, reinterpret_cast<float*>(to));
    } else {
      ConvertToFloat(source_dtype_, from, columns, wide_);
      ConvertFromFloat(weight_.dtype, wide_, columns, to);
    }
    return to;
  }
  // The column of 16-bit elements that has no second one for its pair.
  static void PackLastColumn(const std::byte* const (&rows)[kRows], int64_t column, Unit* lines) {
    auto* line = reinterpret_cast<std::byte*>(lines + column / 2 * kRows);
    std::memset(line, 0, kRows * 4);
    for (int64_t r = 0; r < kRows; ++r) std::memcpy(line + r * 4, rows[r] + column * 2, 2);
  }

  const Weight& weight_;
  const DType source_dtype_;
  const int64_t source_size_;
  const int64_t row_bytes_;
  float wide_[kChunkUnits * 2];
  alignas(64) std::byte converted_[kRows][kChunkUnits * 4];
};

// Row `r` of a panel, units [unit, unit + count).
void GatherUnits(const Unit* panel, int64_t r, int64_t unit, int64_t count, Unit* out) {
  for (int64_t i = 0; i < count; ++i) std::memcpy(out + i, panel + (unit + i) * kRows + r, 4);
}

}  // namespace

int64_t Weight::payload_bytes() const {
  switch (format) {
    case WeightFormat::kInt8Panel16:
      return rows * (cols + groups() * 2);
    case WeightFormat::kInt4Panel16:
      return rows * ((cols + 1) / 2 + groups() * 3);
    case WeightFormat::kSplitPanel16:
      return rows * cols * 6;
    default:
      return rows * cols * BytesOf(dtype);
  }
}

std::string_view FormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kDense:
      return "dense";
    case WeightFormat::kPanel16:
      return "panel16";
    case WeightFormat::kInt8Panel16:
      return "int8_panel16";
    case WeightFormat::kInt4Panel16:
      return "int4_panel16";
    case WeightFormat::kSplitPanel16:
      return "split_panel16";
  }
  FATHOM_CHECK(false);
}

std::string DescribeWeight(const Weight& weight) {
  if (!weight.quantized()) {
    return fmt::format("{} {}", TorchName(weight.dtype), FormatName(weight.format));
  }
  const int bits = weight.format == WeightFormat::kInt8Panel16 ? 8 : 4;
  return fmt::format("int{} panel16 group {}", bits, weight.group);
}

void ReadWeightRow(const Weight& weight, int64_t row, float* out) {
  if (weight.quantized()) return ReadQuantizedRow(weight, row, out);
  if (weight.format == WeightFormat::kSplitPanel16) return ReadSplitRow(weight, row, out);
  const int64_t size = BytesOf(weight.dtype);
  const auto* bytes = static_cast<const std::byte*>(weight.data);
  if (weight.format == WeightFormat::kDense) {
    ConvertToFloat(weight.dtype, bytes + row * weight.stride * size, weight.cols, out);
    return;
  }
  const auto* panel = reinterpret_cast<const Unit*>(bytes + row / kRows * weight.stride * size);
  const int64_t unit_columns = ColumnsOfUnit(weight.dtype);
  const int64_t chunk = kChunkUnits * unit_columns;
  for (int64_t c = 0; c < weight.cols; c += chunk) {
    Unit units[kChunkUnits];
    const int64_t columns = std::min(chunk, weight.cols - c);
    const int64_t count = (columns + unit_columns - 1) / unit_columns;
    GatherUnits(panel, row % kRows, c / unit_columns, count, units);
    ConvertToFloat(weight.dtype, units, columns, out + c);
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
  PanelPacker packer(weight, source_dtype, source_stride);
  const int64_t row_bytes = source_stride * BytesOf(source_dtype);
  const int64_t panel_bytes = weight.stride * BytesOf(weight.dtype);
  for (int64_t row = 0; row < row_count; row += kRows) {
    packer.Pack(static_cast<const std::byte*>(source) + row * row_bytes,
                std::min(kRows, row_count - row),
                static_cast<std::byte*>(destination) + (first_row + row) / kRows * panel_bytes);
  }
}

Weight PlanPacked(WeightFormat format, DType dtype, int64_t rows, int64_t cols) {
  FATHOM_CHECK(format != WeightFormat::kDense);
  if (format == WeightFormat::kSplitPanel16) return PlanSplit(rows, cols);
  return IsQuantized(format) ? PlanQuantized(format, rows, cols) : PlanPanel16(dtype, rows, cols);
}

void PackWeightRows(const Weight& weight, DType source_dtype, const void* source,
                    int64_t source_stride, int64_t first_row, int64_t row_count,
                    void* destination) {
  const bool split = weight.format == WeightFormat::kSplitPanel16;
  const auto pack = split ? PackSplit : weight.quantized() ? PackQuantized : PackPanel16;
  pack(weight, source_dtype, source, source_stride, first_row, row_count, destination);
}

}  // namespace fathom
