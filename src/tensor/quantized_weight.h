// Matrices of 8 and 4 bits an element, made from a model's own weights while it is loaded: groups
// of columns of one row share a scale. Both lie in panels of 16 rows, as kPanel16 does (weight.h).
//
//   kInt8Panel16: symmetric. w = scale * q, q in [-127, 127]. 8 + 16 / group bits an element.
//   kInt4Panel16: asymmetric. w = scale * (q - zero / 16), q in [0, 15], zero in [0, 255]: the zero
//     point has four bits behind the point. 4 + 24 / group bits an element.
//
//     panel  | block 0 | block 1 | ... of 2 (int8) or 4 (int4) groups, the last may have fewer
//     block  | head: scales, zeros, padding to 64 bytes | lines of its groups, one after the other
//     scales   32 bytes for each group of the block: bf16 of row 0, row 1, ... row 15
//     zeros    int4, behind all scales: 16 bytes a group: uint8 of row 0, row 1, ... row 15
//     line j   64 bytes. int8: columns 4j .. 4j+3 of row 0, then those of row 1, ... row 15.
//              int4: byte 4r + i holds row r: column 8j+i in its low four bits, 8j+4+i in the high
//              ones
//
//   A head goes before its lines, so that a panel, and a run of panels, is read as one sequential
//   stream: two more streams a panel for scales and zeros cost a third of the memory's speed
//   (docs/kernels.md).
//
//   So a line of int8, and either half of a line of int4, is an operand of the dot products of four
//   bytes (vpdpbusd, vpmaddubsw, sdot) and a row of an AMX tile as it lies. A scale multiplies an
//   exact integer of at most 9 bits and has 8 bits itself: scale * (...) is exact in float32.
//
// The group is the largest of 64, 32, 16 (int8) or 32, 16 (int4) that divides the columns; where
// none does, the largest with a last group that is short. Columns are padded to whole groups and
// rows to 16: such elements have q = 0, rows beyond the last a scale of 0.
//
// Rounding. int8: scale = max |w| / 127 rounded up to bf16, q = w / scale rounded to nearest even.
// int4: the range [min(w, 0), max(w, 0)] is shrunk at both ends by 0, 5, 10, 15 and 20 %, and of
// these 25 the one with the least squared error is taken, scale and zero rounded to their types
// before the error is taken. A scale below 2^-100 becomes 0. Over groups with NaN or infinity the
// scale is NaN: an answer shows it. tests/tensor/make_quantized_goldens.py is the same in NumPy.
#pragma once

#include <cstdint>

#include "tensor/weight.h"

namespace fathom {

inline constexpr float kSmallestScale = 0x1p-100f;

// The group that a matrix of so many columns gets in one of the two formats.
int64_t QuantizationGroup(WeightFormat format, int64_t cols);
// The group where it divides the columns.
int64_t PreferredGroup(WeightFormat format);

// `stride` (bytes from panel to panel), `group` and `size_bytes` filled in, data null.
Weight PlanQuantized(WeightFormat format, int64_t rows, int64_t cols);
// As PackPanel16, from any type that ConvertToFloat reads.
void PackQuantized(const Weight& weight, DType source_dtype, const void* source,
                   int64_t source_stride, int64_t first_row, int64_t row_count, void* destination);
// Columns [0, cols) of one row, dequantized: exact.
void ReadQuantizedRow(const Weight& weight, int64_t row, float* out);

// One group of `count` <= 64 elements.
void QuantizeInt8Group(const float* values, int64_t count, int8_t* q, uint16_t* scale);
void QuantizeInt4Group(const float* values, int64_t count, uint8_t* q, uint16_t* scale,
                       uint8_t* zero);

// Where the parts of group `g` lie in a panel, in bytes.
struct GroupOffsets {
  int64_t lines = 0;
  int64_t scales = 0;
  int64_t zeros = 0;  // int4
};
// Groups of a block but the last.
inline constexpr int64_t GroupsOfBlock(WeightFormat format) {
  return format == WeightFormat::kInt8Panel16 ? 2 : 4;
}
// Bytes of the head of a block of so many groups.
inline constexpr int64_t HeadBytes(WeightFormat format, int64_t groups) {
  return (groups * (format == WeightFormat::kInt8Panel16 ? 32 : 48) + 63) / 64 * 64;
}
// Bytes of a group's lines.
inline constexpr int64_t LineBytes(WeightFormat format, int64_t group) {
  return group * (format == WeightFormat::kInt8Panel16 ? 16 : 8);
}
inline GroupOffsets OffsetsOf(const Weight& weight, int64_t g) {
  const int64_t most = GroupsOfBlock(weight.format);
  const int64_t lines = LineBytes(weight.format, weight.group);
  const int64_t in_block = g % most;
  const int64_t first = g - in_block;
  const int64_t groups = weight.groups() - first < most ? weight.groups() - first : most;
  const int64_t block = first / most * (HeadBytes(weight.format, most) + most * lines);
  return {.lines = block + HeadBytes(weight.format, groups) + in_block * lines,
          .scales = block + in_block * 32,
          .zeros = block + groups * 32 + in_block * 16};
}

}  // namespace fathom
