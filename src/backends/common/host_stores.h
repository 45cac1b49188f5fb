// Weights and caches in the memory of this process.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "backends/common/weight_import.h"
#include "base/arena.h"
#include "base/block_arena.h"
#include "fathom/status.h"

namespace fathom {

class HostWeights final : public WeightStore {
 public:
  explicit HostWeights(int count) : weights_(count) {}

  const Weight& Get(int index) const override { return weights_[index].weight; }
  int64_t size_bytes() const override;
  // Memory for one weight, beside that of the others.
  Result<std::span<std::byte>> Room(size_t size);
  // Different indices may be set from different threads.
  void Set(int index, HeldWeight weight);

 private:
  std::mutex mutex_;  // of the arena
  BlockArena arena_;
  std::vector<HeldWeight> weights_;
};

// One buffer a cache: [num_blocks, num_heads, block_size, head_dim] of the plan's cache type, its
// pages resident as they are first written.
class HostCaches final : public CacheStore {
 public:
  static Result<std::unique_ptr<CacheStore>> Create(const Plan& plan);

  Tensor Get(int cache) const override { return caches_[cache].tensor; }
  int64_t size_bytes() const override;
  void CopyBlock(int group, int64_t from, int64_t to, int64_t rows) override;

 private:
  struct Cache {
    AlignedBuffer buffer;
    Tensor tensor;
    int group = 0;
  };
  std::vector<Cache> caches_;
};

}  // namespace fathom
