// A file mapped read-only. Its size is fixed at open: whoever reads checks offsets against size().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

// Which file it is and when it was last written (modified) and last touched in any way (changed),
// in nanoseconds since 1970, as the system says; taken at open.
struct FileIdentity {
  uint64_t device = 0, inode = 0;
  int64_t modified_ns = 0, changed_ns = 0;
};

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
  const FileIdentity& identity() const { return identity_; }

  // The pages of [offset, offset + size) are wanted soon / are not wanted any more: after a weight
  // was repacked, its source pages leave this process's resident memory. Only whole pages inside
  // the range.
  void WillNeed(size_t offset, size_t size) const;
  void Drop(size_t offset, size_t size) const;
  // Asks for pages of 2 MB, where the system has them for files.
  void WantHugePages() const;
  // Maps the pages now, reading those that are not in memory. Without harm where it is refused.
  void Populate(size_t offset, size_t size) const;

 private:
  std::string path_;
  FileIdentity identity_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a small text file whole (kBadFile on failure or beyond `max_bytes`).
Result<std::string> ReadTextFile(const std::string& path, size_t max_bytes = size_t{1} << 30);

}  // namespace fathom
