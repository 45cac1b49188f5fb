// NumPy's .npz files: a zip of .npy members (float32, C order), stored without compression, with
// the zip64 fields where a member, the file or their number is large. numpy.load reads it.
// Formats: numpy/lib/format.py 1.0; PKWARE's APPNOTE.TXT 6.3.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// One member after the other. The file is complete after Close.
class NpzWriter {
 public:
  NpzWriter() = default;
  ~NpzWriter();
  NpzWriter(const NpzWriter&) = delete;
  NpzWriter& operator=(const NpzWriter&) = delete;

  // kRunTime where the path cannot be written.
  Status Open(const std::string& path);
  // The array `name` (without ".npy"); `values` are as many as the shape says.
  Status Add(const std::string& name, std::span<const int64_t> shape,
             std::span<const float> values);
  Status Close();

 private:
  struct Member {
    std::string name;
    uint32_t crc = 0;
    uint64_t size = 0;
    uint64_t offset = 0;  // of its local header
  };
  Status Write(std::string_view bytes);

  std::string path_;
  std::FILE* file_ = nullptr;
  uint64_t offset_ = 0;
  std::vector<Member> members_;
};

// The CRC-32 of zip over `data`, continuing from `crc` (0 at the start).
uint32_t Crc32(uint32_t crc, std::span<const unsigned char> data);

}  // namespace fathom
