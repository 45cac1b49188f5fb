#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace fathom {
namespace {

// Whole pages inside [offset, offset + size); nothing where there is none.
std::pair<size_t, size_t> WholePages(size_t offset, size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + size) / page * page;
  return {begin, end > begin ? end - begin : 0};
}

FileIdentity IdentityOf(const struct stat& info) {
  const auto nanoseconds = [](const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  FileIdentity identity{.device = static_cast<uint64_t>(info.st_dev),
                        .inode = static_cast<uint64_t>(info.st_ino)};
#ifdef __APPLE__
  identity.modified_ns = nanoseconds(info.st_mtimespec);
  identity.changed_ns = nanoseconds(info.st_ctimespec);
#else
  identity.modified_ns = nanoseconds(info.st_mtim);
  identity.changed_ns = nanoseconds(info.st_ctim);
#endif
  return identity;
}

}  // namespace

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(identity_, other.identity_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Result<MappedFile> MappedFile::Open(const std::string& path) {
  // Non-blocking: a FIFO in place of a file is told at once instead of waited for.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return Status::BadFile(path, "", fmt::format("cannot be opened: {}", strerror(errno)));
  MappedFile file;
  file.path_ = path;
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Status::BadFile(path, "", "is not a regular file");
  }
  file.size_ = static_cast<size_t>(info.st_size);
  file.identity_ = IdentityOf(info);
  if (file.size_ > 0) {
    void* data = mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      const std::string reason = strerror(errno);
      close(fd);
      return Status::BadFile(path, "", fmt::format("cannot be mapped: {}", reason));
    }
    file.data_ = static_cast<std::byte*>(data);
  }
  close(fd);
  return file;
}

void MappedFile::WillNeed(size_t offset, size_t size) const {
  const auto [begin, length] = WholePages(offset, size);
  if (length > 0) madvise(data_ + begin, length, MADV_WILLNEED);
}

void MappedFile::Drop(size_t offset, size_t size) const {
  const auto [begin, length] = WholePages(offset, size);
  if (length > 0) madvise(data_ + begin, length, MADV_DONTNEED);
}

void MappedFile::WantHugePages() const {
#ifdef MADV_HUGEPAGE
  if (size_ > 0) madvise(data_, size_, MADV_HUGEPAGE);
#endif
}

void MappedFile::Populate(size_t offset, size_t size) const {
#ifdef MADV_POPULATE_READ
  const auto [begin, length] = WholePages(offset, size);
  if (length > 0) madvise(data_ + begin, length, MADV_POPULATE_READ);
#else
  WillNeed(offset, size);
#endif
}

Result<std::string> ReadTextFile(const std::string& path, size_t max_bytes) {
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  if (file.size() > max_bytes) {
    return Status::BadFile(path, "size", fmt::format("{} bytes", file.size()),
                           fmt::format("exceeds the limit of {}", max_bytes));
  }
  return std::string(file.text());
}

}  // namespace fathom
