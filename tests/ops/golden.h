// Reading the goldens of tests/goldens/ops and running a record's reference on them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "ops/op.h"

namespace fathom {

inline JsonArray LoadCases(const std::string& name) {
  auto file = ParseJsonFile(fmt::format("{}/tests/goldens/ops/{}.json", FATHOM_SOURCE_DIR, name));
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return {};
  EXPECT_FALSE(file->Find("cases")->as_array().empty());
  return file->Find("cases")->as_array();
}

inline std::vector<float> Floats(const JsonValue& golden, std::string_view key) {
  std::vector<float> values;
  for (const JsonValue& value : golden.Find(key)->as_array()) {
    values.push_back(static_cast<float>(value.as_double()));
  }
  return values;
}

inline int64_t Int(const JsonValue& golden, std::string_view key) {
  return golden.Find(key)->as_int();
}
inline double Double(const JsonValue& golden, std::string_view key) {
  return golden.Find(key)->as_double();
}
inline std::string String(const JsonValue& golden, std::string_view key) {
  return golden.Find(key)->as_string();
}

inline Operand AsOperand(std::vector<float>& values, Shape shape) {
  EXPECT_EQ(shape.elements(), static_cast<int64_t>(values.size()));
  return {.tensor = Tensor::Dense(DType::kF32, shape, values.data())};
}
inline Operand AsOperand(std::vector<int32_t>& values, Shape shape) {
  EXPECT_EQ(shape.elements(), static_cast<int64_t>(values.size()));
  return {.tensor = Tensor::Dense(DType::kI32, shape, values.data())};
}

// Runs the reference into a fresh output.
inline std::vector<float> RunReference(std::string_view op, const Attributes& attributes,
                                       std::vector<Operand> inputs, Shape output_shape) {
  std::vector<float> out(output_shape.elements(), NAN);
  Operand output = AsOperand(out, output_shape);
  GetOp(op).reference({.attributes = &attributes, .inputs = inputs, .outputs = {&output, 1}});
  return out;
}

// |found - wanted| <= tolerance * (absolute scale of the numbers that went in).
inline void ExpectNear(const std::vector<float>& found, const std::vector<float>& wanted,
                       const std::vector<float>& scale, double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const double allowed = tolerance * (scale.size() == 1 ? scale[0] : std::abs(scale[i]));
    ASSERT_LE(std::abs(double{found[i]} - wanted[i]), allowed)
        << "element " << i << ": " << found[i] << ", should be " << wanted[i];
  }
}

}  // namespace fathom
