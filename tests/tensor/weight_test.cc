#include "tensor/weight.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

// The place of an element by the layout that weight.h draws.
int64_t IndexByTheDrawing(const Weight& weight, int64_t r, int64_t c) {
  const int64_t panel = r / 16 * weight.stride;
  return weight.dtype == DType::kF32 ? panel + c * 16 + r % 16
                                     : panel + c / 2 * 32 + r % 16 * 2 + c % 2;
}

// Values that every type holds exactly: packing moves them about and changes none.
std::vector<float> SmallIntegers(int64_t count) {
  std::mt19937 random(5);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 255) - 127);
  return values;
}

struct Source {
  DType dtype;
  int64_t stride;
  std::vector<unsigned char> bytes;  // the first element at byte 1
  const void* row(int64_t r) const { return bytes.data() + 1 + r * stride * BytesOf(dtype); }
};

Source MakeSource(DType dtype, int64_t rows, int64_t cols, int64_t stride,
                  const std::vector<float>& values) {
  Source source{dtype, stride,
                std::vector<unsigned char>(rows * stride * BytesOf(dtype) + 1, 0xAA)};
  for (int64_t r = 0; r < rows; ++r) {
    ConvertFromFloat(dtype, values.data() + r * cols, cols,
                     source.bytes.data() + 1 + r * stride * BytesOf(dtype));
  }
  return source;
}

void ExpectPacked(const Weight& weight, const std::vector<float>& values) {
  const int64_t size = BytesOf(weight.dtype);
  const auto* bytes = static_cast<const unsigned char*>(weight.data);
  int64_t others = weight.size_bytes / size;
  for (int64_t r = 0; r < weight.rows; ++r) {
    for (int64_t c = 0; c < weight.cols; ++c) {
      float value = 0;
      ConvertToFloat(weight.dtype, bytes + IndexByTheDrawing(weight, r, c) * size, 1, &value);
      ASSERT_EQ(value, values[r * weight.cols + c]) << r << ", " << c;
      others -= value != 0 ? 1 : 0;
    }
  }
  // Whatever is not an element is padding, and zero.
  int64_t zeros = 0;
  for (int64_t i = 0; i < weight.size_bytes / size; ++i) {
    const unsigned char none[4] = {};
    zeros += std::memcmp(bytes + i * size, none, size) == 0 ? 1 : 0;
  }
  EXPECT_EQ(zeros, others);
  std::vector<float> row(static_cast<size_t>(weight.cols) + 1, -1000.0f);
  for (int64_t r = 0; r < weight.rows; ++r) {
    ReadWeightRow(weight, r, row.data());
    for (int64_t c = 0; c < weight.cols; ++c) ASSERT_EQ(row[c], values[r * weight.cols + c]);
    EXPECT_EQ(row[weight.cols], -1000.0f) << "writes past the row";
  }
}

TEST(Panel16, PacksOddSizesFromEveryTypeToEveryType) {
  for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                                           {1, 2},
                                                                           {15, 3},
                                                                           {16, 16},
                                                                           {17, 31},
                                                                           {32, 33},
                                                                           {33, 127},
                                                                           {40, 128},
                                                                           {16, 129},
                                                                           {5, 257},
                                                                           {48, 320}}) {
    const std::vector<float> values = SmallIntegers(rows * cols);
    for (const DType to : kTypes) {
      for (const DType from : kTypes) {
        SCOPED_TRACE(testing::Message() << rows << " x " << cols << " " << SafetensorsName(from)
                                        << " to " << SafetensorsName(to));
        Weight weight = PlanPanel16(to, rows, cols);
        const int64_t step = to == DType::kF32 ? 16 : 32;
        EXPECT_EQ(weight.cols_padded(), (cols + step - 1) / step * step);
        EXPECT_EQ(weight.size_bytes, weight.panels() * 16 * weight.cols_padded() * BytesOf(to));
        EXPECT_EQ(weight.payload_bytes(), rows * cols * BytesOf(to));
        const Source source = MakeSource(from, rows, cols, cols + 3, values);
        std::vector<unsigned char> packed(weight.size_bytes, 0xCC);
        weight.data = packed.data();
        PackPanel16(weight, from, source.row(0), source.stride, 0, rows, packed.data());
        ExpectPacked(weight, values);
        if (testing::Test::HasFailure()) return;
        // The same by parts, as threads do it.
        std::fill(packed.begin(), packed.end(), 0xCC);
        for (int64_t first = 0; first < rows; first += 16) {
          PackPanel16(weight, from, source.row(first), source.stride, first,
                      std::min<int64_t>(16, rows - first), packed.data());
        }
        ExpectPacked(weight, values);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(Panel16, KeepsTheBitsWhereTheTypesAreEqual) {
  // NaNs, infinities and subnormals included.
  for (const DType dtype : kTypes) {
    const int64_t rows = 19, cols = 77, size = BytesOf(dtype);
    std::vector<unsigned char> source(rows * cols * size);
    std::mt19937 random(6);
    for (auto& byte : source) byte = static_cast<unsigned char>(random());
    Weight weight = PlanPanel16(dtype, rows, cols);
    std::vector<unsigned char> packed(weight.size_bytes);
    PackPanel16(weight, dtype, source.data(), cols, 0, rows, packed.data());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        ASSERT_EQ(std::memcmp(packed.data() + IndexByTheDrawing(weight, r, c) * size,
                              source.data() + (r * cols + c) * size, size),
                  0);
      }
    }
  }
}

TEST(DenseWeight, ReadsRowsByTheirStride) {
  for (const DType dtype : kTypes) {
    const std::vector<float> values = SmallIntegers(5 * 9);
    const Source source = MakeSource(dtype, 5, 9, 11, values);
    const Weight weight{.format = WeightFormat::kDense,
                        .dtype = dtype,
                        .rows = 5,
                        .cols = 9,
                        .stride = 11,
                        .data = source.row(0)};
    std::vector<float> row(9);
    for (int64_t r = 0; r < 5; ++r) {
      ReadWeightRow(weight, r, row.data());
      for (int64_t c = 0; c < 9; ++c) EXPECT_EQ(row[c], values[r * 9 + c]);
    }
  }
}

TEST(Shapes, CountAndCompare) {
  const Shape shape = {2, 3, 4};
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.ToString(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.ToString(), "[]");
  EXPECT_FALSE(shape == (Shape{2, 3}));
  float data[24];
  const Tensor tensor = Tensor::Dense(DType::kF32, shape, data);
  EXPECT_EQ(tensor.strides[0], 12);
  EXPECT_EQ(tensor.strides[2], 1);
  EXPECT_EQ(tensor.row<float>(1), data + 12);
}

}  // namespace
}  // namespace fathom
