#include "backends/common/weight_import.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/convert.h"

namespace fathom {
namespace {

// Elements value(i) = first + i of a type, `skew` bytes behind an aligned address.
struct Source {
  std::vector<std::byte> bytes;
  WeightSource source;

  Source(DType dtype, int64_t rows, int64_t cols, float first, int64_t skew = 0) {
    const int64_t count = rows * cols;
    std::vector<float> values(count);
    for (int64_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
    bytes.resize(skew + count * BytesOf(dtype) + 64);
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    std::byte* data = bytes.data() + (64 - address % 64) % 64;
    data = skew + data + count * BytesOf(dtype) <= bytes.data() + bytes.size() ? data + skew
                                                                               : bytes.data();
    ConvertFromFloat(dtype, values.data(), count, data);
    source = {.dtype = dtype, .data = data, .rows = rows, .cols = cols};
  }
};

std::vector<float> RowOf(const Weight& weight, int64_t row) {
  std::vector<float> values(weight.cols);
  ReadWeightRow(weight, row, values.data());
  return values;
}

WeightRecipe Matrix(int64_t rows, int64_t cols) {
  return {.name = "w", .sources = {"model.w"}, .rows = rows, .cols = cols};
}

constexpr WeightPlan kDenseF32{WeightFormat::kDense, DType::kF32};

TEST(ImportWeight, CopiesAndConverts) {
  for (const DType from : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const DType to : {DType::kF32, DType::kBF16, DType::kF16}) {
      for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kPanel16}) {
        const Source source(from, 21, 5, 1);  // up to 105: exact in every type
        auto held = ImportWeight(Matrix(21, 5), {format, to}, {&source.source, 1}, false, 64);
        ASSERT_TRUE(held.ok()) << held.status().message();
        EXPECT_EQ(held->weight.dtype, to);
        EXPECT_EQ(held->weight.format, format);
        EXPECT_FALSE(held->buffer.empty());
        for (int64_t r = 0; r < 21; ++r) {
          const auto row = RowOf(held->weight, r);
          for (int64_t c = 0; c < 5; ++c) ASSERT_EQ(row[c], 1 + r * 5 + c);
        }
      }
    }
  }
}

TEST(ImportWeight, StaysInPlaceWhereItCan) {
  const Source source(DType::kF32, 4, 8, 0);
  const std::span<const WeightSource> sources(&source.source, 1);
  auto held = ImportWeight(Matrix(4, 8), kDenseF32, sources, true, 4);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(held->weight.data, source.source.data);
  EXPECT_TRUE(held->buffer.empty());
  // Not allowed, of another type, or in another format: a copy.
  EXPECT_FALSE(ImportWeight(Matrix(4, 8), kDenseF32, sources, false, 4)->buffer.empty());
  EXPECT_FALSE(ImportWeight(Matrix(4, 8), {WeightFormat::kDense, DType::kBF16}, sources, true, 2)
                   ->buffer.empty());
  EXPECT_FALSE(ImportWeight(Matrix(4, 8), {WeightFormat::kPanel16, DType::kF32}, sources, true, 4)
                   ->buffer.empty());
}

TEST(ImportWeight, RowsOfOneSourceStayInPlace) {
  const Source source(DType::kBF16, 12, 4, 0);
  WeightRecipe recipe = Matrix(4, 4);
  recipe.source_first_row = {4};
  recipe.source_rows = {4};
  auto held =
      ImportWeight(recipe, {WeightFormat::kDense, DType::kBF16}, {&source.source, 1}, true, 2);
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(held->buffer.empty());
  EXPECT_EQ(RowOf(held->weight, 0), (std::vector<float>{16, 17, 18, 19}));
  EXPECT_EQ(RowOf(held->weight, 3), (std::vector<float>{28, 29, 30, 31}));
}

TEST(ImportWeight, MisalignedDataIsCopied) {
  for (const int64_t skew : {1, 2, 3, 7}) {
    const Source source(DType::kF32, 3, 5, 2, skew);
    if (reinterpret_cast<uintptr_t>(source.source.data) % 4 == 0) continue;
    auto held = ImportWeight(Matrix(3, 5), kDenseF32, {&source.source, 1}, true, 4);
    ASSERT_TRUE(held.ok());
    EXPECT_FALSE(held->buffer.empty());
    EXPECT_EQ(RowOf(held->weight, 2), (std::vector<float>{12, 13, 14, 15, 16}));
  }
}

TEST(ImportWeight, JoinsRowsOfSources) {
  const Source a(DType::kBF16, 3, 4, 0), b(DType::kF32, 40, 4, 100), c(DType::kBF16, 2, 4, 50);
  const WeightSource sources[] = {a.source, b.source, c.source};
  WeightRecipe recipe = Matrix(25, 4);
  recipe.source_rows = {3, 20, 2};
  recipe.source_first_row = {0, 10, 0};
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kPanel16}) {
    auto held = ImportWeight(recipe, {format, DType::kF32}, sources, true, 4);
    ASSERT_TRUE(held.ok()) << held.status().message();
    EXPECT_EQ(RowOf(held->weight, 2)[0], 8);
    EXPECT_EQ(RowOf(held->weight, 3)[0], 140);
    EXPECT_EQ(RowOf(held->weight, 22)[3], 100 + 29 * 4 + 3);
    EXPECT_EQ(RowOf(held->weight, 23)[0], 50);
    EXPECT_EQ(RowOf(held->weight, 24)[3], 57);
  }
}

TEST(ImportWeight, TransposesAndCuts) {
  // [in, out] = [70, 150]; rows 80 .. 149 of the transpose.
  const Source source(DType::kF32, 70, 150, 0);
  WeightRecipe recipe = Matrix(70, 70);
  recipe.transpose = true;
  recipe.source_first_row = {80};
  recipe.source_rows = {70};
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kPanel16}) {
    auto held = ImportWeight(recipe, {format, DType::kF32}, {&source.source, 1}, true, 4);
    ASSERT_TRUE(held.ok()) << held.status().message();
    EXPECT_FALSE(held->buffer.empty());
    for (int64_t r = 0; r < 70; ++r) {
      const auto row = RowOf(held->weight, r);
      for (int64_t c = 0; c < 70; ++c) ASSERT_EQ(row[c], c * 150 + 80 + r);
    }
  }
}

TEST(ImportWeight, VectorsBecomeFloat32) {
  const Source a(DType::kBF16, 1, 6, 1), b(DType::kBF16, 4, 1, 20);
  const WeightSource sources[] = {a.source, b.source};
  WeightRecipe recipe{
      .name = "bias", .role = WeightRole::kVector, .sources = {"a", "b"}, .rows = 10};
  auto held = ImportWeight(recipe, {WeightFormat::kPanel16, DType::kBF16}, sources, true, 4);
  ASSERT_TRUE(held.ok()) << held.status().message();
  EXPECT_EQ(held->weight.format, WeightFormat::kDense);
  EXPECT_EQ(held->weight.dtype, DType::kF32);
  EXPECT_EQ(held->weight.rows, 1);
  EXPECT_EQ(RowOf(held->weight, 0), (std::vector<float>{1, 2, 3, 4, 5, 6, 20, 21, 22, 23}));

  const Source whole(DType::kF32, 9, 1, 3);
  recipe.rows = 9;
  held = ImportWeight(recipe, kDenseF32, {&whole.source, 1}, true, 4);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(held->weight.data, whole.source.data);
  recipe.rows = 2;
  recipe.source_first_row = {5};
  recipe.source_rows = {2};
  held = ImportWeight(recipe, kDenseF32, {&whole.source, 1}, true, 4);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(RowOf(held->weight, 0), (std::vector<float>{8, 9}));
}

TEST(ImportWeight, ReadsSmallFloats) {
  const uint8_t bytes[] = {0x38, 0x40, 0xB8, 0x00};  // 1, 2, -1, 0 in F8_E4M3
  const WeightSource source{.dtype = DType::kF8_E4M3, .data = bytes, .rows = 2, .cols = 2};
  auto held = ImportWeight(Matrix(2, 2), kDenseF32, {&source, 1}, true, 4);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(RowOf(held->weight, 0), (std::vector<float>{1, 2}));
  EXPECT_EQ(RowOf(held->weight, 1), (std::vector<float>{-1, 0}));
}

TEST(ImportWeight, RefusesWhatDoesNotFit) {
  const Source source(DType::kF32, 6, 4, 0);
  const std::span<const WeightSource> sources(&source.source, 1);
  const auto code = [&](const WeightRecipe& recipe) {
    return ImportWeight(recipe, kDenseF32, sources, true, 4).status();
  };
  EXPECT_EQ(code(Matrix(7, 4)).code(), StatusCode::kBadFile);
  EXPECT_EQ(code(Matrix(6, 5)).code(), StatusCode::kBadFile);
  EXPECT_NE(code(Matrix(6, 5)).message().find("model.w"), std::string::npos);
  EXPECT_NE(code(Matrix(6, 5)).message().find("[6, 4]"), std::string::npos);
  WeightRecipe recipe = Matrix(3, 4);
  recipe.source_rows = {3};
  for (const int64_t first : {4, -1, 7}) {
    recipe.source_first_row = {first};
    EXPECT_EQ(code(recipe).code(), StatusCode::kBadFile) << first;
  }
  recipe.source_first_row = {INT64_MAX};
  EXPECT_EQ(code(recipe).code(), StatusCode::kBadFile);
  recipe.source_rows = {-3};
  recipe.source_first_row = {0};
  EXPECT_EQ(code(recipe).code(), StatusCode::kBadFile);
  EXPECT_EQ(ImportWeight(Matrix(1, 1), kDenseF32, {}, true, 4).status().code(),
            StatusCode::kBadFile);
  const WeightSource packed{.dtype = DType::kF4, .data = source.source.data, .rows = 6, .cols = 4};
  const auto refused = ImportWeight(Matrix(6, 4), kDenseF32, {&packed, 1}, true, 4);
  EXPECT_EQ(refused.status().code(), StatusCode::kBadFile);
  EXPECT_NE(refused.status().message().find("F4"), std::string::npos);
}

}  // namespace
}  // namespace fathom
