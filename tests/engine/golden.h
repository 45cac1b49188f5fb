// Reading the goldens of tests/goldens: JSON through base/json, NumPy arrays of float32.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"

namespace fathom {

inline std::string GoldenPath(const std::string& name) {
  return std::string(FATHOM_SOURCE_DIR) + "/tests/goldens/" + name;
}

inline JsonValue ReadGolden(const std::string& path) {
  auto value = ParseJsonFile(path);
  EXPECT_TRUE(value.ok()) << value.status().message();
  return value.ok() ? *std::move(value) : JsonValue();
}

inline std::vector<int32_t> GoldenIds(const JsonValue& array) {
  std::vector<int32_t> ids;
  for (const JsonValue& id : array.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

inline std::vector<double> GoldenNumbers(const JsonValue& array) {
  std::vector<double> numbers;
  for (const JsonValue& number : array.as_array()) numbers.push_back(number.as_double());
  return numbers;
}

// A float32 matrix of a .npy file, format version 1, row-major.
struct GoldenRows {
  int64_t rows = 0, cols = 0;
  std::vector<float> values;
  std::span<const float> row(int64_t i) const {
    return std::span<const float>(values).subspan(static_cast<size_t>(i * cols), cols);
  }
};

inline GoldenRows ReadRows(const std::string& path) {
  GoldenRows result;
  const auto file = ReadTextFile(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return result;
  const std::string& bytes = *file;
  EXPECT_EQ(bytes.substr(0, 7), std::string("\x93NUMPY\x01", 7)) << path;
  const size_t header = static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  const std::string dictionary = bytes.substr(10, header);
  EXPECT_NE(dictionary.find("'<f4'"), std::string::npos) << dictionary;
  EXPECT_NE(dictionary.find("False"), std::string::npos) << dictionary;
  const size_t open = dictionary.find("'shape': (") + 10;
  char* end = nullptr;
  result.rows = std::strtoll(dictionary.c_str() + open, &end, 10);
  result.cols = std::strtoll(end + 1, nullptr, 10);
  result.values.resize(static_cast<size_t>(result.rows * result.cols));
  EXPECT_EQ(bytes.size() - 10 - header, result.values.size() * sizeof(float)) << path;
  std::memcpy(result.values.data(), bytes.data() + 10 + header,
              std::min(bytes.size() - 10 - header, result.values.size() * sizeof(float)));
  return result;
}

// The folders of tests/goldens/models, sorted.
inline std::vector<std::string> GoldenModels() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GoldenPath("models"))) {
    if (std::filesystem::exists(entry.path() / "golden.json")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace fathom
