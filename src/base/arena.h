// Aligned memory for weights, caches and activations.
#pragma once

#include <cstddef>
#include <utility>

#include "fathom/status.h"

namespace fathom {

// Every buffer starts at a multiple of this and may be read (not written) in whole vectors of it.
inline constexpr size_t kBufferAlignment = 64;
// From this size on a buffer starts at a multiple of it and asks for transparent huge pages.
inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// An owned block of zeros, moved and never copied. The memory is mapped, not touched: pages become
// resident as they are first written, near the core that writes them.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer() { Release(); }
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  // `size` bytes of zeros; 0 gives an empty buffer. kRunTime where the system has no such memory.
  static Result<AlignedBuffer> Allocate(size_t size);
  // count * element_size bytes; kRunTime also where the product overflows.
  static Result<AlignedBuffer> AllocateArray(size_t count, size_t element_size);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

  // Gives the whole pages inside [offset, offset + size) back; they read as zeros afterwards.
  void Discard(size_t offset, size_t size);

 private:
  void Release();

  std::byte* data_ = nullptr;
  size_t size_ = 0;  // as asked for; mapped in whole pages
};

}  // namespace fathom
