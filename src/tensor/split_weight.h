// kSplitPanel16: a float32 matrix as the sum of two bf16 ones, w = high + low,
//   high = w rounded to bf16, low = (w - high) rounded to bf16: 16 bits of the 24 are kept,
// for products of float32 out of three of bf16 (float32_matmul_precision = "high"):
//   x w = x_high w_high + x_high w_low + x_low w_high, without x_low w_low.
//
//   panel  | lines of high | lines of low | lines of high |      each as kPanel16 lays BF16 out
//
// The second copy of high makes all three products one product of kPanel16 over 3 * cols_padded
// columns, with [x_high | x_high | x_low] on the other side: 6 bytes an element.
#pragma once

#include <cstdint>

#include "tensor/weight.h"

namespace fathom {

// Columns of one of the three parts.
inline int64_t SplitPartCols(int64_t cols) { return (cols + 31) / 32 * 32; }

Weight PlanSplit(int64_t rows, int64_t cols);
// As PackPanel16, from any type that ConvertToFloat reads.
void PackSplit(const Weight& weight, DType source_dtype, const void* source, int64_t source_stride,
               int64_t first_row, int64_t row_count, void* destination);
// high + low of columns [0, cols) of one row.
void ReadSplitRow(const Weight& weight, int64_t row, float* out);

}  // namespace fathom
