#include "base/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace fathom {
namespace {

// Below this a mapping of its own wastes more than the page it rounds up to.
constexpr size_t kMappedFrom = size_t{64} << 10;

size_t RoundUp(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }
size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

Status NoMemory(size_t size, const char* reason) {
  return Status::RunTime(fmt::format("cannot allocate {} bytes: {}", size, reason));
}

}  // namespace

Result<AlignedBuffer> AlignedBuffer::Allocate(size_t size) {
  AlignedBuffer buffer;
  if (size == 0) return buffer;
  if (size > SIZE_MAX / 4) return NoMemory(size, "beyond the address space");
  if (size < kMappedFrom) {
    const size_t rounded = RoundUp(size, kBufferAlignment);
    void* data = std::aligned_alloc(kBufferAlignment, rounded);
    if (data == nullptr) return NoMemory(size, strerror(ENOMEM));
    std::memset(data, 0, rounded);
    buffer.data_ = static_cast<std::byte*>(data);
    buffer.size_ = size;
    return buffer;
  }
  // Mapped with room to spare, then both ends are cut so that the start is aligned.
  const size_t mapped = RoundUp(size, PageBytes());
  const size_t spare = size >= kHugePageBytes ? kHugePageBytes : 0;
  void* data =
      mmap(nullptr, mapped + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return NoMemory(size, strerror(errno));
  std::byte* start = static_cast<std::byte*>(data);
  if (spare > 0) {
    const size_t head = RoundUp(reinterpret_cast<uintptr_t>(data), kHugePageBytes) -
                        reinterpret_cast<uintptr_t>(data);
    start += head;
    if (head > 0) munmap(data, head);
    if (head < spare) munmap(start + mapped, spare - head);
#ifdef MADV_HUGEPAGE
    madvise(start, mapped, MADV_HUGEPAGE);  // a wish: refused without harm
#endif
  }
  buffer.data_ = start;
  buffer.size_ = size;
  return buffer;
}

Result<AlignedBuffer> AlignedBuffer::AllocateArray(size_t count, size_t element_size) {
  size_t size = 0;
  if (__builtin_mul_overflow(count, element_size, &size)) {
    return Status::RunTime(fmt::format(
        "cannot allocate {} elements of {} bytes: the size overflows", count, element_size));
  }
  return Allocate(size);
}

void AlignedBuffer::Discard(size_t offset, size_t size) {
  FATHOM_CHECK(offset <= size_ && size <= size_ - offset);
  if (size_ < kMappedFrom) {
    std::memset(data_ + offset, 0, size);
    return;
  }
  const size_t begin = RoundUp(offset, PageBytes());
  const size_t end = (offset + size) / PageBytes() * PageBytes();
  if (begin >= end) return;
#ifdef __linux__
  madvise(data_ + begin, end - begin, MADV_DONTNEED);
#else
  // Elsewhere MADV_DONTNEED keeps the content: a fresh mapping in its place.
  mmap(data_ + begin, end - begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
       -1, 0);
#endif
}

void AlignedBuffer::Release() {
  if (data_ == nullptr) return;
  if (size_ < kMappedFrom) {
    std::free(data_);
  } else {
    munmap(data_, RoundUp(size_, PageBytes()));
  }
  data_ = nullptr;
  size_ = 0;
}

}  // namespace fathom
