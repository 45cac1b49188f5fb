#include "tensor/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/json.h"

namespace fathom {
namespace {

// What a 16-bit float means, by the definition of IEEE 754 in double arithmetic.
double Meaning(uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias)
                       : sign * std::ldexp(1 + fraction, exponent - bias);
}

struct Format {
  DType dtype;
  int exponent_bits, mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};

class Convert16 : public testing::TestWithParam<Format> {
 protected:
  double Value(uint16_t bits) const {
    return Meaning(bits, GetParam().exponent_bits, GetParam().mantissa_bits);
  }
  uint16_t Infinity() const {
    return static_cast<uint16_t>(((1 << GetParam().exponent_bits) - 1) << GetParam().mantissa_bits);
  }
  // The nearest of the format, ties to the even one, found by search among all magnitudes.
  uint16_t Nearest(float value) const {
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::fabs(double{value});
    uint16_t low = 0, high = Infinity();
    while (high - low > 1) {
      const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
      (Value(middle) <= magnitude ? low : high) = middle;
    }
    // Infinity stands where the next number would: twice the largest power of two.
    const double above =
        high == Infinity() ? std::ldexp(1.0, 1 << (GetParam().exponent_bits - 1)) : Value(high);
    const double middle = (Value(low) + above) / 2;
    const bool up = magnitude > middle || (magnitude == middle && low % 2 == 1);
    return sign | (up ? high : low);
  }
};

TEST_P(Convert16, WidensEveryPattern) {
  std::vector<uint16_t> source(65536);
  for (int i = 0; i < 65536; ++i) source[i] = static_cast<uint16_t>(i);
  std::vector<float> row(65536);
  // From an odd address too: weights of a file lie at any byte.
  std::vector<unsigned char> shifted(65536 * 2 + 1);
  std::memcpy(shifted.data() + 1, source.data(), 65536 * 2);
  ConvertToFloat(GetParam().dtype, shifted.data() + 1, 65536, row.data());
  for (int i = 0; i < 65536; ++i) {
    const double expected = Value(source[i]);
    const float one = GetParam().widen(source[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(one)) << i;
      ASSERT_TRUE(std::isnan(row[i])) << i;
      continue;
    }
    ASSERT_EQ(one, expected) << i;
    ASSERT_EQ(std::signbit(one), std::signbit(expected)) << i;
    ASSERT_EQ(std::bit_cast<uint32_t>(row[i]), std::bit_cast<uint32_t>(one)) << i;
    ASSERT_EQ(GetParam().narrow(one), source[i]) << "and back";
  }
}

TEST_P(Convert16, RoundsToNearestEven) {
  std::vector<float> values;
  const auto add = [&](float value) {
    for (const float near :
         {value, std::nextafterf(value, INFINITY), std::nextafterf(value, -INFINITY)}) {
      values.push_back(near);
      values.push_back(-near);
    }
  };
  // Each number, each middle of two, and their neighbours.
  for (uint16_t bits = 0; bits < Infinity(); ++bits) {
    const double next = bits + 1 == Infinity()
                            ? std::ldexp(1.0, 1 << (GetParam().exponent_bits - 1))
                            : Value(static_cast<uint16_t>(bits + 1));
    add(static_cast<float>(Value(bits)));
    add(static_cast<float>((Value(bits) + next) / 2));
  }
  std::mt19937 random(3);
  for (int i = 0; i < 200'000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isnan(value)) values.push_back(value);
  }
  std::vector<uint16_t> row(values.size());
  ConvertFromFloat(GetParam().dtype, values.data(), static_cast<int64_t>(values.size()),
                   row.data());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(GetParam().narrow(values[i]), Nearest(values[i])) << values[i];
    ASSERT_EQ(row[i], Nearest(values[i])) << values[i];
  }
}

TEST_P(Convert16, KeepsInfinityAndNan) {
  EXPECT_EQ(GetParam().narrow(INFINITY), Infinity());
  EXPECT_EQ(GetParam().narrow(-INFINITY), Infinity() | 0x8000);
  for (const uint32_t bits : {0x7F800001u, 0x7FC00000u, 0xFFFFFFFFu, 0xFF800001u, 0x7FBFFFFFu}) {
    EXPECT_TRUE(std::isnan(GetParam().widen(GetParam().narrow(std::bit_cast<float>(bits)))));
  }
}

float WidenBF16(uint16_t bits) { return BF16ToFloat(bits); }
uint16_t NarrowBF16(float value) { return FloatToBF16(value); }

INSTANTIATE_TEST_SUITE_P(Formats, Convert16,
                         testing::Values(Format{DType::kF16, 5, 10, F16ToFloat, FloatToF16},
                                         Format{DType::kBF16, 8, 7, WidenBF16, NarrowBF16}),
                         [](const auto& info) {
                           return std::string(SafetensorsName(info.param.dtype));
                         });

TEST(Convert, EightBitFloatsAreThoseOfTorch) {
  auto golden = ParseJsonFile(FATHOM_SOURCE_DIR "/tests/tensor/data/f8_goldens.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  int types = 0;
  for (const auto& [name, values] : golden->Find("types")->as_object()) {
    const std::optional<DType> dtype = DTypeFromTorch(name);
    ASSERT_TRUE(dtype) << name;
    ASSERT_EQ(values.as_array().size(), 256u);
    uint8_t source[256];
    float out[256];
    for (int i = 0; i < 256; ++i) source[i] = static_cast<uint8_t>(i);
    ConvertToFloat(*dtype, source, 256, out);
    for (int i = 0; i < 256; ++i) {
      const JsonValue& expected = values.as_array()[i];
      if (expected.is_null()) {
        EXPECT_TRUE(std::isnan(out[i])) << name << " " << i;
      } else {
        EXPECT_EQ(std::bit_cast<uint32_t>(out[i]), expected.as_int()) << name << " " << i;
      }
    }
    ++types;
  }
  EXPECT_EQ(types, 5);
}

template <typename T>
void ExpectWidens(DType dtype, const std::vector<T>& values) {
  std::vector<unsigned char> shifted(values.size() * sizeof(T) + 1);
  std::memcpy(shifted.data() + 1, values.data(), values.size() * sizeof(T));
  std::vector<float> out(values.size());
  ConvertToFloat(dtype, shifted.data() + 1, static_cast<int64_t>(values.size()), out.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(out[i], static_cast<float>(values[i]));
}

TEST(Convert, IntegersBooleansAndDoubles) {
  ExpectWidens<uint8_t>(DType::kBool, {0, 1});
  ExpectWidens<uint8_t>(DType::kU8, {0, 7, 255});
  ExpectWidens<int8_t>(DType::kI8, {-128, -1, 127});
  ExpectWidens<int16_t>(DType::kI16, {-32768, 32767});
  ExpectWidens<uint16_t>(DType::kU16, {0, 65535});
  ExpectWidens<int32_t>(DType::kI32, {INT32_MIN, -1, INT32_MAX});
  ExpectWidens<uint32_t>(DType::kU32, {0, UINT32_MAX});
  ExpectWidens<int64_t>(DType::kI64, {INT64_MIN, 16777217, INT64_MAX});
  ExpectWidens<uint64_t>(DType::kU64, {0, UINT64_MAX});
  ExpectWidens<double>(DType::kF64, {-0.1, 1e300, 1e-300});
  ExpectWidens<float>(DType::kF32, {-0.1f, 1e-45f});
  for (const DType dtype : {DType::kF4, DType::kF6_E2M3, DType::kF6_E3M2, DType::kC64}) {
    EXPECT_FALSE(ConvertsToFloat(dtype));
  }
}

TEST(DTypes, NamesLeadBackToTheType) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    EXPECT_EQ(DTypeFromSafetensors(SafetensorsName(dtype)), dtype);
    EXPECT_EQ(DTypeFromTorch(TorchName(dtype)), dtype);
    EXPECT_EQ(DTypeFromTorch("torch." + std::string(TorchName(dtype))), dtype);
  }
  EXPECT_EQ(DTypeFromSafetensors("f32"), std::nullopt);
  EXPECT_EQ(DTypeFromTorch(""), std::nullopt);
  EXPECT_EQ(DTypeFromTorch("half"), DType::kF16);
  EXPECT_EQ(EpsilonOf(DType::kF32), std::numeric_limits<float>::epsilon());
}

}  // namespace
}  // namespace fathom
