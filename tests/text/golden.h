// Helpers of the tokenizer tests: goldens, temporary folders, and the random texts that
// tools/make_tokenizer_goldens.py makes too.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "fathom/text.h"

namespace fathom::testing {

inline std::string GoldenPath(const std::string& name) {
  return std::string(FATHOM_SOURCE_DIR) + "/tests/goldens/tokenizers/" + name;
}

inline JsonValue ReadGolden(const std::string& name) {
  Result<JsonValue> json = ParseJsonFile(GoldenPath(name));
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *std::move(json) : JsonValue();
}

// A folder that goes away with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "fathom_text_XXXXXX";
    path_ = mkdtemp(name.data()) != nullptr ? name : "";
    EXPECT_FALSE(path_.empty());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, std::string_view content) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::string path_;
};

class Fnv {
 public:
  void Add(std::string_view bytes) {
    for (const char byte : bytes) {
      hash_ = (hash_ ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
    }
  }
  void Add(uint32_t value) {
    for (int i = 0; i < 4; ++i) {
      const char byte = static_cast<char>(value >> (8 * i));
      Add(std::string_view(&byte, 1));
    }
  }
  std::string Hex() const {
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  uint64_t hash_ = 0xCBF29CE484222325;
};

class Lcg {
 public:
  explicit Lcg(uint64_t seed) : state_(seed) {}
  uint64_t Below(uint64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % n;
  }

 private:
  uint64_t state_;
};

// random_text of the script.
inline std::string RandomText(Lcg& rng, const std::vector<std::string>& fragments) {
  std::string text;
  const uint64_t parts = 1 + rng.Below(12);
  for (uint64_t i = 0; i < parts; ++i) {
    const uint64_t kind = rng.Below(10);
    if (kind < 7) {
      text += fragments[rng.Below(fragments.size())];
    } else if (kind == 7) {
      text += static_cast<char>(0x20 + rng.Below(0x5F));
    } else if (kind == 8) {
      AppendUtf8(static_cast<char32_t>(rng.Below(0x3000)), text);
    } else {
      const auto c = static_cast<char32_t>(rng.Below(0x110000));
      AppendUtf8(c >= 0xD800 && c < 0xE000 ? char32_t{0xFFFD} : c, text);
    }
  }
  return text;
}

inline std::vector<std::string> Strings(const JsonValue& json) {
  std::vector<std::string> result;
  for (const JsonValue& item : json.as_array()) result.push_back(item.as_string());
  return result;
}

inline std::vector<int32_t> Ids(const JsonValue& json) {
  std::vector<int32_t> result;
  for (const JsonValue& item : json.as_array()) {
    result.push_back(static_cast<int32_t>(item.as_int()));
  }
  return result;
}

}  // namespace fathom::testing
