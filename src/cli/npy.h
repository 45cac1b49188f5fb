// NumPy's .npy files, float32 in C order: [rows, columns].
// Format: numpy/lib/format.py, version 1.0 (and 2.0 for reading).
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// Writes row by row. The file is complete after Close.
class NpyWriter {
 public:
  NpyWriter() = default;
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  Status Open(const std::string& path, int64_t rows, int64_t columns);
  Status Append(std::span<const float> values);
  Status Close();

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
};

// What stands before the data: magic, version 1.0 and the dictionary; a multiple of 64 bytes.
std::string NpyHeader(std::span<const int64_t> shape);

struct NpyMatrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;
};

// float32 or float64, one or two axes (one axis: a single row), little endian, C order. kBadFile.
Result<NpyMatrix> ReadNpy(const std::string& path);

}  // namespace fathom
