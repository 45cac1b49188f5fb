// Files for the tests: a temporary folder, and safetensors files byte by byte.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

// A folder that goes away with the object.
class TempFolder {
 public:
  TempFolder() : TempFolder(std::filesystem::temp_directory_path()) {}
  explicit TempFolder(const std::filesystem::path& parent) {
    std::string pattern = (parent / "fathom_XXXXXX").string();
    path_ = mkdtemp(pattern.data()) != nullptr ? pattern : "";
    EXPECT_FALSE(path_.empty());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, std::string_view bytes) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary).write(bytes.data(), bytes.size());
    return Path(name);
  }

 private:
  std::string path_;
};

inline std::string U64(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

// For small files in large numbers: a folder in memory where there is one.
inline std::filesystem::path FastFolder() {
  return std::filesystem::is_directory("/dev/shm") ? "/dev/shm"
                                                   : std::filesystem::temp_directory_path();
}

// A file of this header, and `data_size` bytes of data 0, 1, 2 ...
inline std::string Safetensors(std::string_view header, size_t data_size) {
  std::string bytes = U64(header.size());
  bytes += header;
  for (size_t i = 0; i < data_size; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// Expects kBadFile with all the parts in its message, which names the file.
inline void ExpectRefused(const Status& status, std::string_view file,
                          std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(status.code(), StatusCode::kBadFile) << status.message();
  EXPECT_NE(status.message().find(file), std::string::npos) << status.message();
  for (const std::string_view part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos)
        << "'" << part << "' is not in: " << status.message();
  }
}

}  // namespace fathom
