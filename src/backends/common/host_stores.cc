#include "backends/common/host_stores.h"

#include <cstring>

#include "base/check.h"

namespace fathom {

int64_t HostWeights::size_bytes() const {
  int64_t size = 0;
  for (const HeldWeight& weight : weights_) {
    size += static_cast<int64_t>(weight.buffer.size() + weight.room.size());
  }
  return size;
}

Result<std::span<std::byte>> HostWeights::Room(size_t size) {
  const std::lock_guard lock(mutex_);
  return arena_.Allocate(size);
}

void HostWeights::Set(int index, HeldWeight weight) {
  HeldWeight& held = weights_[index];
  if (!held.room.empty()) {
    const std::lock_guard lock(mutex_);
    arena_.Discard(held.room);
  }
  held = std::move(weight);
}

Result<std::unique_ptr<CacheStore>> HostCaches::Create(const Plan& plan) {
  auto store = std::make_unique<HostCaches>();
  for (const CacheSpec& spec : plan.graph->caches) {
    Cache cache{.group = spec.group};
    const int64_t block_bytes =
        spec.num_heads * kCacheBlockSize * spec.head_dim * BytesOf(plan.cache_dtype);
    FATHOM_ASSIGN(cache.buffer, AlignedBuffer::AllocateArray(static_cast<size_t>(plan.num_blocks),
                                                             static_cast<size_t>(block_bytes)));
    cache.tensor = Tensor::Dense(plan.cache_dtype,
                                 {plan.num_blocks, spec.num_heads, kCacheBlockSize, spec.head_dim},
                                 cache.buffer.data());
    store->caches_.push_back(std::move(cache));
  }
  return std::unique_ptr<CacheStore>(std::move(store));
}

int64_t HostCaches::size_bytes() const {
  int64_t size = 0;
  for (const Cache& cache : caches_) size += static_cast<int64_t>(cache.buffer.size());
  return size;
}

void HostCaches::CopyBlock(int group, int64_t from, int64_t to, int64_t rows) {
  FATHOM_CHECK(rows >= 0 && rows <= kCacheBlockSize);
  for (Cache& cache : caches_) {
    if (cache.group != group) continue;
    const Tensor& tensor = cache.tensor;
    FATHOM_CHECK(from >= 0 && from < tensor.shape[0] && to >= 0 && to < tensor.shape[0]);
    const int64_t size = BytesOf(tensor.dtype);
    for (int64_t head = 0; head < tensor.shape[1]; ++head) {
      std::memcpy(
          tensor.as<std::byte>() + (to * tensor.strides[0] + head * tensor.strides[1]) * size,
          tensor.as<std::byte>() + (from * tensor.strides[0] + head * tensor.strides[1]) * size,
          static_cast<size_t>(rows * tensor.strides[2] * size));
    }
  }
}

}  // namespace fathom
