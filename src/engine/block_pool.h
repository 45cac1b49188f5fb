// BlockPool: the physical blocks of one cache group and who shares them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace fathom {

class BlockPool {
 public:
  explicit BlockPool(int64_t num_blocks) : num_blocks_(num_blocks) {}

  int64_t free_count() const {
    return num_blocks_ - static_cast<int64_t>(references_.size() - free_.size());
  }
  int64_t size() const { return num_blocks_; }
  bool shared(int32_t block) const { return references_[block] > 1; }

  // There is a free block. The one that was freed last comes first, and one that was never used
  // only where there is no other: a cache that is never full touches few pages, and its books are
  // small.
  int32_t Allocate() {
    FATHOM_CHECK(free_count() > 0);
    if (free_.empty()) {
      references_.push_back(1);
      return static_cast<int32_t>(references_.size() - 1);
    }
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
  int64_t num_blocks_;
  std::vector<int32_t> references_;  // of the blocks that were ever used
  std::vector<int32_t> free_;        // of those
};

}  // namespace fathom
