#include "engine/weight_cache_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <system_error>
#include <thread>

#include "base/checksum.h"

namespace fathom {
namespace {

constexpr uint64_t kMagic = 0x77706D6F68746166;  // "fathompw"
constexpr uint32_t kVersion = 1;

struct Header {
  uint64_t magic = kMagic;
  uint64_t sum = 0;
  uint32_t version = kVersion;
  uint32_t weights = 0;
  uint64_t key_bytes = 0;
  uint64_t file_bytes = 0;
  uint64_t others_not_finite = 0;
  uint64_t unused[2] = {};
};
static_assert(sizeof(Header) == kWeightCacheHeaderBytes);

// Header, key and table as they stand in a file, the sum filled in.
std::string HeadBytes(const WeightCacheLayout& layout, const std::vector<uint64_t>& table,
                      bool others_finite) {
  Header header;
  header.others_not_finite = others_finite ? 0 : 1;
  header.weights = static_cast<uint32_t>(layout.weights.size());
  header.key_bytes = layout.key.size();
  header.file_bytes = layout.file_bytes;
  const uint64_t table_at = WeightCacheTableOffset(layout.key.size());
  std::string head(table_at + table.size() * sizeof(uint64_t), '\0');
  std::memcpy(head.data(), &header, sizeof(header));
  std::memcpy(head.data() + sizeof(header), layout.key.data(), layout.key.size());
  std::memcpy(head.data() + table_at, table.data(), table.size() * sizeof(uint64_t));
  header.sum = Checksum(head.data(), head.size());
  std::memcpy(head.data(), &header, sizeof(header));
  return head;
}

Status SystemError(const std::string& path, std::string_view what) {
  return Status::RunTime(fmt::format("{} {}: {}", path, what, strerror(errno)));
}

bool IsAt(const std::string& path, int fd) {
  struct stat here = {}, there = {};
  return fstat(fd, &here) == 0 && stat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

// Calls each(0) .. each(count - 1) on `threads` threads, the caller's included, whoever is free
// taking the next. Where the system refuses a thread there are fewer.
template <typename Each>
void InParallel(int threads, size_t count, const Each& each) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) each(i);
  };
  std::vector<std::thread> others;
  try {
    while (static_cast<int>(others.size()) + 1 < threads) others.emplace_back(work);
  } catch (const std::system_error&) {
  }
  work();
  for (std::thread& thread : others) thread.join();
}

}  // namespace

Result<WeightCacheFile> WeightCacheFile::Open(const std::string& path,
                                              const WeightCacheLayout& layout) {
  WeightCacheFile result;
  result.layout_ = &layout;
  FATHOM_ASSIGN(result.file_, MappedFile::Open(path));
  result.file_.WantHugePages();
  const auto refuse = [&](std::string field, std::string what) {
    return Status::BadFile(path, std::move(field), std::move(what));
  };
  const MappedFile& file = result.file_;
  const uint64_t table_at = WeightCacheTableOffset(layout.key.size());
  const size_t table_words = 2 * layout.weights.size();
  if (file.size() != layout.file_bytes) {
    return refuse("size", fmt::format("{} bytes instead of {}", file.size(), layout.file_bytes));
  }
  Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  if (header.magic != kMagic) return refuse("header", "is of another kind of file");
  if (header.version != kVersion) {
    return refuse("version", fmt::format("{} instead of {}", header.version, kVersion));
  }
  if (header.weights != layout.weights.size() || header.file_bytes != layout.file_bytes ||
      header.key_bytes != layout.key.size() ||
      std::memcmp(file.data() + sizeof(header), layout.key.data(), layout.key.size()) != 0) {
    return refuse("key", "was made from other files or in another way");
  }
  result.others_finite_ = header.others_not_finite == 0;
  result.table_.resize(table_words);
  std::memcpy(result.table_.data(), file.data() + table_at, table_words * sizeof(uint64_t));
  const std::string head = HeadBytes(layout, result.table_, result.others_finite_);
  if (std::memcmp(head.data(), file.data(), head.size()) != 0) {
    return refuse("header", "is damaged");
  }
  return result;
}

Weight WeightCacheFile::At(size_t i) const {
  const CachedWeight& entry = layout_->weights[i];
  Weight weight = entry.weight;
  weight.data = file_.data() + entry.offset;
  weight.in_file = true;
  return weight;
}

void WeightCacheFile::Map(int threads) const {
  constexpr size_t kPart = size_t{16} << 20;
  const size_t parts = (file_.size() + kPart - 1) / kPart;
  InParallel(threads, parts, [&](size_t i) {
    file_.Populate(i * kPart, std::min(kPart, file_.size() - i * kPart));
  });
}

Status WeightCacheFile::Check(int threads) const {
  // The largest first, so that the threads end together.
  std::vector<size_t> order(layout_->weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](size_t i) { return layout_->weights[i].weight.size_bytes; });
  std::atomic<int> damaged = -1;
  InParallel(threads, order.size(), [&](size_t k) {
    const Weight weight = At(order[k]);
    const uint64_t sum = Checksum(weight.data, static_cast<size_t>(weight.size_bytes));
    if (sum != table_[2 * order[k]]) damaged = static_cast<int>(order[k]);
  });
  if (damaged < 0) return Status::Ok();
  return Status::BadFile(file_.path(), fmt::format("weight {}", damaged.load()), "is damaged");
}

WeightCacheWriter::WeightCacheWriter(std::string path, const WeightCacheLayout& layout)
    : layout_(layout),
      path_(std::move(path)),
      temporary_(path_ + ".tmp"),
      table_(2 * layout.weights.size()) {}

WeightCacheWriter::~WeightCacheWriter() {
  if (mine_) unlink(temporary_.c_str());
  if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<WeightCacheWriter>> WeightCacheWriter::Create(
    const std::string& path, const WeightCacheLayout& layout) {
  std::unique_ptr<WeightCacheWriter> writer(new WeightCacheWriter(path, layout));
  const std::string& name = writer->temporary_;
  // One name for all processes: the lock lets one of them write. What a process that died left
  // there is locked by nobody.
  writer->fd_ = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (writer->fd_ < 0) return SystemError(name, "cannot be written");
  // Between the opening and the lock another process may have put the file in its place.
  if (flock(writer->fd_, LOCK_EX | LOCK_NB) != 0 || !IsAt(name, writer->fd_)) {
    return Status::RunTime(fmt::format("{} is being written by another process", name));
  }
  writer->mine_ = true;
  const auto bytes = static_cast<off_t>(layout.file_bytes);
  if (ftruncate(writer->fd_, 0) != 0 || ftruncate(writer->fd_, bytes) != 0) {
    return SystemError(name, "cannot be made as large as needed");
  }
#ifdef __linux__
  // Takes the room now. Systems that have no such thing say so at the writing.
  if (fallocate(writer->fd_, 0, 0, bytes) != 0 && errno != EOPNOTSUPP) {
    return SystemError(name, "cannot be made as large as needed");
  }
#endif
  FATHOM_ASSIGN(writer->mapping_, MappedFile::Open(name));
  writer->mapping_.WantHugePages();
  const uint64_t head =
      WeightCacheTableOffset(layout.key.size()) + writer->table_.size() * sizeof(uint64_t);
  if (head > kWeightCachePiece) return Status::RunTime("the table of weights is too large");
  FATHOM_ASSIGN(writer->first_, AlignedBuffer::Allocate(kWeightCachePiece));
  FATHOM_ASSIGN(writer->piece_, AlignedBuffer::Allocate(kWeightCachePiece));
  return writer;
}

Status WeightCacheWriter::WritePiece(uint64_t offset, const AlignedBuffer& piece) const {
  const auto* at = reinterpret_cast<const char*>(piece.data());
  for (size_t size = piece.size(); size > 0;) {
    const ssize_t written = pwrite(fd_, at, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError(temporary_, "cannot be written");
    at += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
  return Status::Ok();
}

Status WeightCacheWriter::Append(uint64_t offset, const std::byte* data, size_t size) {
  while (true) {
    AlignedBuffer& piece = piece_offset_ == 0 ? first_ : piece_;
    const uint64_t within = offset - piece_offset_;
    if (within < piece.size()) {
      const size_t part = std::min(size, piece.size() - static_cast<size_t>(within));
      std::memcpy(piece.data() + within, data, part);
      offset += part;
      data += part;
      size -= part;
      if (size == 0) return Status::Ok();
    }
    if (piece_offset_ > 0) FATHOM_TRY(WritePiece(piece_offset_, piece_));
    std::memset(piece_.data(), 0, piece_.size());
    piece_offset_ += kWeightCachePiece;
  }
}

Result<Weight> WeightCacheWriter::Put(size_t i, const Weight& held, bool finite) {
  const CachedWeight& entry = layout_.weights[i];
  const Weight& wanted = entry.weight;
  if (held.format != wanted.format || held.dtype != wanted.dtype || held.rows != wanted.rows ||
      held.cols != wanted.cols || held.stride != wanted.stride || held.group != wanted.group ||
      held.size_bytes != wanted.size_bytes) {
    return Status::RunTime("the backend holds a weight in another form than was planned");
  }
  const auto size = static_cast<size_t>(held.size_bytes);
  FATHOM_TRY(Append(entry.offset, static_cast<const std::byte*>(held.data), size));
  table_[2 * i] = Checksum(held.data, size);
  table_[2 * i + 1] = finite ? 0 : 1;
  Weight weight = held;
  weight.data = mapping_.data() + entry.offset;
  weight.in_file = true;
  return weight;
}

Result<MappedFile> WeightCacheWriter::Finish(bool others_finite) {
  const std::string head = HeadBytes(layout_, table_, others_finite);
  if (piece_offset_ > 0) FATHOM_TRY(WritePiece(piece_offset_, piece_));
  std::memcpy(first_.data(), head.data(), head.size());
  FATHOM_TRY(WritePiece(0, first_));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return SystemError(path_, "cannot be put in place");
  }
  mine_ = false;
  return std::move(mapping_);
}

}  // namespace fathom
