// Weight: what a linear layer multiplies by, or an embedding looks up in: a matrix [rows, cols] =
// [out_features, in_features] in one of the formats below.
//
//   kDense: row-major, element (r, c) at r * row_stride + c. The checkpoint's own bytes (mapped),
//     or a converted copy.
//
//   kPanel16: panels of 16 rows; inside a panel the columns go by pairs, so that one 64-byte line
//     of 16-bit elements holds a pair of columns for 16 rows, which is at once
//       - the operand of vdpbf16ps (16 float sums += pair . pair),
//       - a row of an AMX B tile (a tile = 16 lines = 32 columns x 16 rows),
//       - two loads of AVX2, four of NEON.
//     BF16, F16: line (panel p, pair j), 64 bytes: [r0c2j r0c2j+1 r1c2j r1c2j+1 ... r15c2j+1]
//     F32:       line (panel p, column j), 64 bytes: [r0cj r1cj ... r15cj]
//     A panel is followed by the next one: element (r, c) of 16-bit types at
//       (r / 16) * panel_stride + (c / 2) * 32 + (r % 16) * 2 + c % 2,
//     panel_stride = 16 * cols_padded; cols_padded = cols rounded up to 32 (16-bit types) or 16
//     (F32), rows up to 16; padding is zero.
//
//   kInt8Panel16, kInt4Panel16: panels of 16 rows of integers with a scale a group of columns:
//     quantized_weight.h.
//
//   kSplitPanel16: float32 as the sum of two bf16, for three products: split_weight.h.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace fathom {

// Raised where the bytes that packing makes of a weight change, in any of the formats: files of
// packed weights from before are then made anew (engine/weight_cache.h).
inline constexpr int kPackedLayoutVersion = 2;

enum class WeightFormat : uint8_t { kDense, kPanel16, kInt8Panel16, kInt4Panel16, kSplitPanel16 };

struct Weight {
  WeightFormat format = WeightFormat::kDense;
  // Of the elements: F32, F16, BF16; I8 for kInt8Panel16, U8 (two elements) for kInt4Panel16, BF16
  // for kSplitPanel16.
  DType dtype = DType::kF32;
  int64_t rows = 0;    // out_features (vocab_size for an embedding)
  int64_t cols = 0;    // in_features (hidden_size for an embedding)
  int64_t stride = 0;  // kDense: elements from row to row; else from panel to panel
  int64_t group = 0;   // quantized formats: columns that share a scale
  const void* data = nullptr;
  int64_t size_bytes = 0;  // as held, padding included
  bool in_file = false;    // `data` lies in the mapping of a checkpoint, whose pages come back

  int64_t panels() const { return (rows + 15) / 16; }
  int64_t cols_padded() const { return stride / 16; }  // kPanel16
  bool quantized() const { return group > 0; }
  int64_t groups() const { return (cols + group - 1) / group; }  // quantized: of one row
  // What one pass over the matrix must read: elements without padding, scales and zeros.
  int64_t payload_bytes() const;
};

std::string_view FormatName(WeightFormat format);
inline bool IsQuantized(WeightFormat format) {
  return format == WeightFormat::kInt8Panel16 || format == WeightFormat::kInt4Panel16;
}
// "bfloat16 panel16", "int4 panel16 group 32".
std::string DescribeWeight(const Weight& weight);

// Columns [0, cols) of one row as float32, whatever the format.
void ReadWeightRow(const Weight& weight, int64_t row, float* out);

// The layout a matrix gets in kPanel16: `stride` and `size_bytes` filled in, data null.
Weight PlanPanel16(DType dtype, int64_t rows, int64_t cols);
// Packs rows [first_row, first_row + row_count) of a dense source of F32, F16, BF16 or another type
// that ConvertToFloat reads (row-major, source_stride elements a row, at any byte), into
// `destination`, the data of `weight`. first_row is a multiple of 16. Converts where the types
// differ. Fills the padding.
void PackPanel16(const Weight& weight, DType source_dtype, const void* source,
                 int64_t source_stride, int64_t first_row, int64_t row_count, void* destination);

// Either of the above for any format that is packed (all but kDense); `dtype` is ignored where the
// format says it.
Weight PlanPacked(WeightFormat format, DType dtype, int64_t rows, int64_t cols);
void PackWeightRows(const Weight& weight, DType source_dtype, const void* source,
                    int64_t source_stride, int64_t first_row, int64_t row_count, void* destination);

}  // namespace fathom
