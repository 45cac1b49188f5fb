// PrefixIndex: full cache blocks of texts that are over, found again by what they hold.
//
// A block is known by the block before it and its own ids, compared whole: a key and value hang on
// every id before them, so two texts share a block only where they share all of it. The block
// before is named by a number that is never given twice; what follows an evicted block is therefore
// never found, and falls out in its turn.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "graph/plan.h"

namespace fathom {

class PrefixIndex {
 public:
  using Ids = std::span<const int32_t, kCacheBlockSize>;
  static constexpr uint64_t kRoot = 0;  // before the first block

  struct Entry {
    uint64_t number = 0;
    std::vector<int32_t> blocks;  // physical, one a cache group
  };

  bool empty() const { return entries_.empty(); }
  // Null: no such block.
  const Entry* Find(uint64_t parent, Ids ids) const;
  // There is no such block yet.
  const Entry& Insert(uint64_t parent, Ids ids, std::vector<int32_t> blocks);
  // Makes it the one that is evicted last.
  void Touch(uint64_t parent, Ids ids);
  // Removes the one that was touched longest ago and returns its blocks. Not empty.
  std::vector<int32_t> EvictOldest();

 private:
  struct Key {
    uint64_t parent;
    std::array<int32_t, kCacheBlockSize> ids;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  struct Kept {
    Entry entry;
    std::list<const Key*>::iterator place;
  };
  static Key MakeKey(uint64_t parent, Ids ids);

  std::unordered_map<Key, Kept, Hash> entries_;
  std::list<const Key*> order_;  // touched last first
  uint64_t last_number_ = kRoot;
};

}  // namespace fathom
