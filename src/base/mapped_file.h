// A file mapped read-only. Its size is fixed at open: whoever reads checks offsets against size().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

class MappedFile {
 public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Fails (kBadFile) where the path is missing, unreadable or no regular file. An empty file is
  // fine.
  static Result<MappedFile> Open(const std::string& path);

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

  // The pages of [offset, offset + size) are wanted soon / are not wanted any more: after a weight
  // was repacked, its source pages leave this process's resident memory. Only whole pages inside
  // the range.
  void WillNeed(size_t offset, size_t size) const;
  void Drop(size_t offset, size_t size) const;

 private:
  std::string path_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a small text file whole (kBadFile on failure or beyond `max_bytes`).
Result<std::string> ReadTextFile(const std::string& path, size_t max_bytes = size_t{1} << 30);

}  // namespace fathom
