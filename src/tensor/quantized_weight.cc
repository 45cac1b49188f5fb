#include "tensor/quantized_weight.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/convert.h"
#include "tensor/int4_search.h"

namespace fathom {
namespace {

constexpr int64_t kRows = 16;  // of a panel
constexpr int64_t kMaxGroup = 64;
constexpr std::array<int64_t, 3> kInt8Groups = {64, 32, 16};
constexpr std::array<int64_t, 2> kInt4Groups = {32, 16};
constexpr uint16_t kNaN = 0x7FC0;

bool IsInt8(const Weight& weight) { return weight.format == WeightFormat::kInt8Panel16; }

// To the nearest integer, ties to even, for |value| < 2^22: plain additions, which every compiler
// turns into vectors.
inline float RoundEven(float value) { return (value + 0x1.8p23f) - 0x1.8p23f; }

uint16_t BF16RoundedUp(float value) {
  return static_cast<uint16_t>((std::bit_cast<uint32_t>(value) + 0xFFFF) >> 16);
}

bool AllFinite(const float* values, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i] * 0.0f;
  return sum == 0;
}

// Quantized groups of 16 rows -> their place in a panel.
struct PanelWriter {
  const Weight& weight;
  std::byte* panel;

  void WriteInt8(int64_t row, int64_t group, const float* values, int64_t count) const {
    int8_t q[kMaxGroup] = {};
    uint16_t scale = 0;
    QuantizeInt8Group(values, count, q, &scale);
    const GroupOffsets at = OffsetsOf(weight, group);
    std::byte* to = panel + at.lines + row * 4;
    for (int64_t c = 0; c < weight.group; c += 4) std::memcpy(to + c * kRows, q + c, 4);
    std::memcpy(panel + at.scales + row * 2, &scale, 2);
  }
  void WriteInt4(int64_t row, int64_t group, const float* values, int64_t count) const {
    uint8_t q[kMaxGroup] = {};
    uint16_t scale = 0;
    uint8_t zero = 0;
    QuantizeInt4Group(values, count, q, &scale, &zero);
    const GroupOffsets at = OffsetsOf(weight, group);
    std::byte* to = panel + at.lines + row * 4;
    for (int64_t c = 0; c < weight.group; c += 8) {
      for (int64_t i = 0; i < 4; ++i) {
        to[c / 8 * 64 + i] = static_cast<std::byte>(q[c + i] | q[c + 4 + i] << 4);
      }
    }
    std::memcpy(panel + at.scales + row * 2, &scale, 2);
    panel[at.zeros + row] = static_cast<std::byte>(zero);
  }
};

}  // namespace

int64_t PreferredGroup(WeightFormat format) {
  return format == WeightFormat::kInt8Panel16 ? kInt8Groups[0] : kInt4Groups[0];
}

int64_t QuantizationGroup(WeightFormat format, int64_t cols) {
  const auto largest = [&](const auto& groups) {
    const auto* found = std::ranges::find_if(groups, [&](int64_t g) { return cols % g == 0; });
    return found == groups.end() ? groups[0] : *found;
  };
  return format == WeightFormat::kInt8Panel16 ? largest(kInt8Groups) : largest(kInt4Groups);
}

Weight PlanQuantized(WeightFormat format, int64_t rows, int64_t cols) {
  const bool int8 = format == WeightFormat::kInt8Panel16;
  Weight weight{.format = format, .rows = rows, .cols = cols};
  weight.dtype = int8 ? DType::kI8 : DType::kU8;
  weight.group = QuantizationGroup(format, cols);
  const int64_t last = std::max<int64_t>(weight.groups() - 1, 0);
  weight.stride = OffsetsOf(weight, last).lines + LineBytes(format, weight.group);
  weight.size_bytes = weight.panels() * weight.stride;
  return weight;
}

void QuantizeInt8Group(const float* values, int64_t count, int8_t* q, uint16_t* scale) {
  std::memset(q, 0, static_cast<size_t>(count));
  *scale = kNaN;
  if (!AllFinite(values, count)) return;
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(values[i]));
  *scale = BF16RoundedUp(largest / 127.0f);
  if (BF16ToFloat(*scale) < kSmallestScale) *scale = 0;
  if (*scale == 0) return;
  const float inverse = 1.0f / BF16ToFloat(*scale);
  for (int64_t i = 0; i < count; ++i) {
    q[i] = static_cast<int8_t>(static_cast<int>(RoundEven(values[i] * inverse)));
  }
}

void QuantizeInt4Group(const float* values, int64_t count, uint8_t* q, uint16_t* scale,
                       uint8_t* zero) {
  std::memset(q, 0, static_cast<size_t>(count));
  *zero = 0;
  *scale = kNaN;
  if (!AllFinite(values, count)) return;
  const Int4Choice choice = SearchInt4(values, count);
  *scale = choice.scale;
  *zero = choice.zero;
  for (int64_t i = 0; i < count; ++i) q[i] = static_cast<uint8_t>(choice.q[i]);
}

void PackQuantized(const Weight& weight, DType source_dtype, const void* source,
                   int64_t source_stride, int64_t first_row, int64_t row_count, void* destination) {
  FATHOM_CHECK(first_row % kRows == 0);
  const int64_t size = BytesOf(source_dtype);
  const auto* from = static_cast<const std::byte*>(source);
  auto* to = static_cast<std::byte*>(destination);
  float values[kMaxGroup];
  for (int64_t r = 0; r < row_count; ++r) {
    const int64_t row = first_row + r;
    const PanelWriter writer{weight, to + row / kRows * weight.stride};
    if (row % kRows == 0) std::memset(writer.panel, 0, static_cast<size_t>(weight.stride));
    for (int64_t group = 0; group < weight.groups(); ++group) {
      const int64_t first = group * weight.group;
      const int64_t count = std::min(weight.group, weight.cols - first);
      ConvertToFloat(source_dtype, from + (r * source_stride + first) * size, count, values);
      if (IsInt8(weight)) {
        writer.WriteInt8(row % kRows, group, values, count);
      } else {
        writer.WriteInt4(row % kRows, group, values, count);
      }
    }
  }
}

void ReadQuantizedRow(const Weight& weight, int64_t row, float* out) {
  const auto* panel = static_cast<const std::byte*>(weight.data) + row / kRows * weight.stride;
  const int64_t r = row % kRows;
  for (int64_t c = 0; c < weight.cols; ++c) {
    const GroupOffsets at = OffsetsOf(weight, c / weight.group);
    const int64_t k = c % weight.group;
    uint16_t bits = 0;
    std::memcpy(&bits, panel + at.scales + r * 2, 2);
    const float scale = BF16ToFloat(bits);
    const std::byte* lines = panel + at.lines + r * 4 + k % 4;
    if (IsInt8(weight)) {
      out[c] = scale * static_cast<float>(static_cast<int8_t>(lines[k / 4 * 64]));
      continue;
    }
    const auto pair = static_cast<unsigned>(lines[k / 8 * 64]);
    const unsigned q = k % 8 < 4 ? pair & 15 : pair >> 4;
    const auto zero = static_cast<unsigned>(panel[at.zeros + r]);
    out[c] = scale * (static_cast<float>(q) - static_cast<float>(zero) * 0.0625f);
  }
}

}  // namespace fathom
