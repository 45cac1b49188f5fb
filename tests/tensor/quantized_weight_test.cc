// int8 and int4 weights: the rounding against torch and NumPy, the layout against its drawing.
#include "tensor/quantized_weight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "base/json.h"
#include "tensor/convert.h"
#include "tensor/split_weight.h"

namespace fathom {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kInt8Panel16, WeightFormat::kInt4Panel16};

JsonValue Goldens() {
  auto value =
      ParseJsonFile(std::string(FATHOM_SOURCE_DIR) + "/tests/tensor/data/quantized_goldens.json");
  EXPECT_TRUE(value.ok()) << value.status().message();
  return value.ok() ? *std::move(value) : JsonValue();
}

template <typename T>
std::vector<int64_t> Numbers(const T* values, size_t count) {
  return std::vector<int64_t>(values, values + count);
}

std::vector<int64_t> Numbers(const JsonValue& array) {
  std::vector<int64_t> numbers;
  for (const JsonValue& value : array.as_array()) numbers.push_back(value.as_int());
  return numbers;
}

TEST(QuantizedWeight, RoundsAsTorchAndNumPyDo) {
  const JsonValue goldens = Goldens();
  int int4_groups = 0;
  for (const JsonValue& group : goldens.Find("groups")->as_array()) {
    std::vector<float> values;
    for (const int64_t bits : Numbers(*group.Find("values"))) {
      values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    }
    const auto count = static_cast<int64_t>(values.size());
    uint16_t scale = 0xAAAA;
    std::vector<int8_t> int8(values.size(), 99);
    QuantizeInt8Group(values.data(), count, int8.data(), &scale);
    const JsonValue& wanted8 = *group.Find("int8");
    EXPECT_EQ(Numbers(int8.data(), int8.size()), Numbers(*wanted8.Find("q")));
    EXPECT_EQ(scale, wanted8.Find("scale")->as_int());
    if (group.Find("int4") == nullptr) continue;
    ++int4_groups;
    uint8_t zero = 0xAA;
    std::vector<uint8_t> int4(values.size(), 99);
    QuantizeInt4Group(values.data(), count, int4.data(), &scale, &zero);
    const JsonValue& wanted4 = *group.Find("int4");
    EXPECT_EQ(Numbers(int4.data(), int4.size()), Numbers(*wanted4.Find("q")));
    EXPECT_EQ(scale, wanted4.Find("scale")->as_int());
    EXPECT_EQ(zero, wanted4.Find("zero")->as_int());
  }
  EXPECT_GT(int4_groups, 40);
}

TEST(QuantizedWeight, WhatIsNotFiniteShows) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> values(32, 0.5f);
    values[17] = value;
    int8_t int8[32];
    uint8_t int4[32], zero = 1;
    uint16_t scale = 0;
    QuantizeInt8Group(values.data(), 32, int8, &scale);
    EXPECT_TRUE(std::isnan(BF16ToFloat(scale) * static_cast<float>(int8[0])));
    scale = 0;
    QuantizeInt4Group(values.data(), 32, int4, &scale, &zero);
    EXPECT_TRUE(std::isnan(BF16ToFloat(scale) * static_cast<float>(int4[0])));
  }
}

TEST(QuantizedWeight, TakesTheLargestGroupThatDivides) {
  const auto group = [](int format, int64_t cols) {
    return QuantizationGroup(kFormats[format], cols);
  };
  EXPECT_EQ(group(0, 576), 64);
  EXPECT_EQ(group(0, 96), 32);
  EXPECT_EQ(group(0, 48), 16);
  EXPECT_EQ(group(0, 51), 64);  // none divides
  EXPECT_EQ(group(1, 896), 32);
  EXPECT_EQ(group(1, 48), 16);
  EXPECT_EQ(group(1, 51), 32);
}

TEST(QuantizedWeight, CountsItsBits) {
  // A linear weight of a real model: 8.25 and 4.75 bits.
  EXPECT_EQ(PlanQuantized(kFormats[0], 2048, 2048).payload_bytes() * 8, 2048 * 2048 * 33 / 4);
  EXPECT_EQ(PlanQuantized(kFormats[1], 2048, 2048).payload_bytes() * 8, 2048 * 2048 * 19 / 4);
  EXPECT_EQ(PlanQuantized(kFormats[0], 3, 51).payload_bytes(), 3 * (51 + 2));
  EXPECT_EQ(PlanQuantized(kFormats[1], 3, 51).payload_bytes(), 3 * (26 + 2 * 3));
  EXPECT_EQ(DescribeWeight(PlanQuantized(kFormats[0], 64, 2048)), "int8 panel16 group 64");
  EXPECT_EQ(DescribeWeight(PlanQuantized(kFormats[1], 64, 48)), "int4 panel16 group 16");
}

// Where an element's integer, scale and zero lie, by the drawing of the header.
struct Drawn {
  int q = 0;
  int scale = 0;
  int zero = 0;
};
Drawn ByTheDrawing(const Weight& weight, const std::vector<uint8_t>& bytes, int64_t r, int64_t c) {
  const bool int8 = weight.format == WeightFormat::kInt8Panel16;
  const int64_t most = int8 ? 2 : 4;
  const uint8_t* at = bytes.data() + r / 16 * weight.stride;
  int64_t left = weight.groups();
  int64_t group = c / weight.group;
  // Past the blocks that go before.
  for (; group >= most; group -= most, left -= most) {
    at += (int8 ? 64 : 192) + most * 16 * weight.group * (int8 ? 8 : 4) / 8;
  }
  const int64_t groups = std::min(left, most);
  const uint8_t* scale = at + group * 32 + r % 16 * 2;
  Drawn drawn{.scale = scale[0] | scale[1] << 8};
  if (!int8) drawn.zero = at[groups * 32 + group * 16 + r % 16];
  const int64_t head = int8 ? 64 : groups == 1 ? 64 : groups == 2 ? 128 : 192;
  const int64_t k = c % weight.group;
  const int64_t line = group * weight.group / (int8 ? 4 : 8) + k / (int8 ? 4 : 8);
  const int byte = at[head + line * 64 + r % 16 * 4 + k % 4];
  drawn.q = int8 ? static_cast<int8_t>(byte) : k % 8 < 4 ? byte & 15 : byte >> 4;
  return drawn;
}

void ExpectDrawn(const Weight& weight, const std::vector<uint8_t>& bytes,
                 const std::vector<float>& source, int64_t stride) {
  const bool int8 = weight.format == WeightFormat::kInt8Panel16;
  std::vector<float> row(static_cast<size_t>(weight.cols) + 1, -1000.0f);
  for (int64_t r = 0; r < weight.rows; ++r) {
    ReadWeightRow(weight, r, row.data());
    EXPECT_EQ(row[weight.cols], -1000.0f) << "writes past the row";
    for (int64_t c = 0; c < weight.cols; ++c) {
      const int64_t g = c / weight.group, first = g * weight.group;
      const int64_t count = std::min(weight.group, weight.cols - first);
      const float* values = source.data() + r * stride + first;
      int8_t q8[64];
      uint8_t q4[64], zero = 0;
      uint16_t scale = 0;
      if (int8) {
        QuantizeInt8Group(values, count, q8, &scale);
      } else {
        QuantizeInt4Group(values, count, q4, &scale, &zero);
      }
      const int q = int8 ? q8[c - first] : q4[c - first];
      const Drawn drawn = ByTheDrawing(weight, bytes, r, c);
      ASSERT_EQ(drawn.q, q) << r << ", " << c;
      ASSERT_EQ(drawn.scale, scale);
      ASSERT_EQ(drawn.zero, zero);
      // Exact: no rounding is left to the multiplication.
      const double exact = double{BF16ToFloat(scale)} * (q - zero / 16.0);
      ASSERT_EQ(double{row[c]}, exact);
      const double step = BF16ToFloat(scale);
      ASSERT_LE(std::abs(values[c - first] - exact), step * (int8 ? 0.5001 : 4)) << r << ", " << c;
    }
  }
}

TEST(QuantizedWeight, LiesAsDrawn) {
  const std::vector<std::pair<int64_t, int64_t>> shapes = {
      {1, 1},    {15, 3},   {16, 16},  {17, 31}, {32, 32},
      {33, 127}, {40, 128}, {16, 129}, {5, 257}, {48, 320}};
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const auto& [rows, cols] : shapes) {
    const int64_t stride = cols + 3;
    std::vector<float> source(static_cast<size_t>(rows * stride));
    for (float& value : source) value = BF16ToFloat(FloatToBF16(normal(random)));
    std::vector<uint16_t> narrow(source.size());
    ConvertFromFloat(DType::kBF16, source.data(), rows * stride, narrow.data());
    for (const WeightFormat format : kFormats) {
      SCOPED_TRACE(testing::Message() << rows << " x " << cols << " " << FormatName(format));
      Weight weight = PlanQuantized(format, rows, cols);
      EXPECT_EQ(weight.stride % 64, 0);
      std::vector<uint8_t> packed(static_cast<size_t>(weight.size_bytes), 0xCC);
      weight.data = packed.data();
      PackQuantized(weight, DType::kF32, source.data(), stride, 0, rows, packed.data());
      ExpectDrawn(weight, packed, source, stride);
      // By parts and from bfloat16, as threads do it.
      std::vector<uint8_t> parts(packed.size(), 0xCC);
      for (int64_t first = 0; first < rows; first += 16) {
        PackQuantized(weight, DType::kBF16, narrow.data() + first * stride, stride, first,
                      std::min<int64_t>(16, rows - first), parts.data());
      }
      EXPECT_EQ(parts, packed);
    }
  }
}

// The search must be worth its time: nearer than the plain range in the mean of normal numbers.
TEST(QuantizedWeight, Int4IsNearerThanItsPlainRange) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  double searched = 0, plain = 0;
  for (int i = 0; i < 500; ++i) {
    float values[32];
    for (float& value : values) value = normal(random);
    uint8_t q[32], zero = 0;
    uint16_t bits = 0;
    QuantizeInt4Group(values, 32, q, &bits, &zero);
    const auto [low, high] = std::minmax_element(values, values + 32);
    const double step = (*high - *low) / 15.0;
    for (int k = 0; k < 32; ++k) {
      const double made = BF16ToFloat(bits) * (q[k] - zero / 16.0);
      searched += (values[k] - made) * (values[k] - made);
      const double rounded = *low + std::round((values[k] - *low) / step) * step;
      plain += (values[k] - rounded) * (values[k] - rounded);
    }
  }
  EXPECT_LT(searched, 0.9 * plain);
}

// --- float32 as the sum of two bf16

TEST(SplitWeight, KeepsSixteenBitsAndLiesAsDrawn) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const auto& [rows, cols] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {17, 31}, {16, 32}, {33, 65}}) {
    const int64_t stride = cols + 2;
    std::vector<float> source(static_cast<size_t>(rows * stride));
    for (float& value : source) value = normal(random);
    Weight weight = PlanSplit(rows, cols);
    std::vector<uint16_t> packed(static_cast<size_t>(weight.size_bytes) / 2, 0xCCCC);
    weight.data = packed.data();
    PackSplit(weight, DType::kF32, source.data(), stride, 0, rows, packed.data());
    const int64_t part = SplitPartCols(cols) * 16;  // elements of one part of a panel
    std::vector<float> row(static_cast<size_t>(cols) + 1, -1000.0f);
    for (int64_t r = 0; r < rows; ++r) {
      ReadWeightRow(weight, r, row.data());
      EXPECT_EQ(row[cols], -1000.0f);
      const uint16_t* panel = packed.data() + r / 16 * 3 * part;
      for (int64_t c = 0; c < cols; ++c) {
        const float wanted = source[r * stride + c];
        const int64_t at = c / 2 * 32 + r % 16 * 2 + c % 2;
        const float high = BF16ToFloat(panel[at]);
        ASSERT_EQ(panel[at], FloatToBF16(wanted));
        ASSERT_EQ(panel[part + at], FloatToBF16(wanted - high));
        ASSERT_EQ(panel[2 * part + at], panel[at]);
        ASSERT_EQ(row[c], high + BF16ToFloat(panel[part + at]));
        ASSERT_LE(std::abs(row[c] - wanted), 0x1p-16 * std::abs(wanted));
      }
    }
  }
}

}  // namespace
}  // namespace fathom
