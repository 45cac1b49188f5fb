// BlockPool: the physical blocks of one cache group and who shares them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace fathom {

class BlockPool {
 public:
  explicit BlockPool(int64_t num_blocks) : references_(num_blocks, 0) {
    free_.reserve(num_blocks);
    // The lowest block comes first: a cache that is never full touches few pages.
    for (int64_t block = num_blocks - 1; block >= 0; --block) {
      free_.push_back(static_cast<int32_t>(block));
    }
  }

  int64_t free_count() const { return static_cast<int64_t>(free_.size()); }
  int64_t size() const { return static_cast<int64_t>(references_.size()); }
  bool shared(int32_t block) const { return references_[block] > 1; }

  // There is a free block.
  int32_t Allocate() {
    FATHOM_CHECK(!free_.empty());
    const int32_t block = free_.back();
    free_.pop_back();
    references_[block] = 1;
    return block;
  }
  void Share(int32_t block) { ++references_[block]; }
  void Release(int32_t block) {
    FATHOM_CHECK(references_[block] > 0);
    if (--references_[block] == 0) free_.push_back(block);
  }

 private:
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;
};

}  // namespace fathom
