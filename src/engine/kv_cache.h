// KvCache: which physical block holds which tokens of which sequence.
//
//   sequence 0, group 0:  logical block   0    1    2        tokens 0-31, 32-63, 64-69
//                         block table   [ 7,   3,   9 ]
//   sequence 1, a fork:                 [ 7,   3,   4 ]      block 9 was copied when one wrote
//   sequence 0, group 1 (window 16):    [-1,  -1,   5 ]      blocks that no query sees are free
//
// Every group (layers of one window) has block tables of its own; block b of a group means block b
// of each of its layers' caches. The bytes are the backend's (CacheStore); only the copies that a
// fork needs are asked for here.
//
// Prefixes: where they are kept (KeepPrefixes), the full blocks of a freed sequence stay in an
// index as long as nobody else needs their room, and a new sequence starts from those that hold its
// first tokens. One cache has one model in one type; a model whose old keys change as a text grows
// (Graph::cache_depends_on_length) must not keep any.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/block_pool.h"
#include "engine/prefix_index.h"
#include "graph/plan.h"

namespace fathom {

class KvCache {
 public:
  // copy(group, from, to, rows): rows [0, rows) of block `from` become those of block `to`.
  using CopyBlock = std::function<void(int group, int64_t from, int64_t to, int64_t rows)>;
  using Handle = int32_t;

  KvCache(std::span<const CacheGroupSpec> groups, int64_t num_blocks, CopyBlock copy);

  // An empty sequence.
  Handle Create();
  // A sequence with the same tokens; blocks are shared until one of both writes.
  Handle Fork(Handle source);
  // `ids`: the tokens that it holds (more may follow); their full blocks may be kept. Empty: none.
  void Free(Handle sequence, std::span<const int32_t> ids = {});

  void KeepPrefixes(bool keep);
  // The empty sequence takes over the kept blocks that hold the beginning of `ids`, never the last
  // id: its logits are still to be computed. Returns the number of tokens, as length() then is.
  int64_t Reuse(Handle sequence, std::span<const int32_t> ids);

  int64_t length(Handle sequence) const { return sequences_[sequence].length; }

  // Room for `count` more tokens: blocks are allocated, and a shared last block is copied. False,
  // with nothing changed, where there are too few blocks.
  bool Extend(Handle sequence, int64_t count);
  // Forgets the tokens from `length` on. The windows of a group must not reach what
  // FreeBehindWindow let go: see CanTruncate. 0 is always possible.
  void Truncate(Handle sequence, int64_t length);
  bool CanTruncate(Handle sequence, int64_t length) const;
  // Frees the blocks that no query from position length(sequence) on will see. Called between
  // steps.
  void FreeBehindWindow(Handle sequence);

  // Physical block of each logical block; -1: freed. Ends at the last block with tokens.
  std::span<const int32_t> block_table(Handle sequence, int group) const {
    return sequences_[sequence].tables[group];
  }
  // Where the token at `position` goes: block * kCacheBlockSize + row.
  int32_t Slot(Handle sequence, int group, int64_t position) const {
    const int32_t block = sequences_[sequence].tables[group][position / kCacheBlockSize];
    return static_cast<int32_t>(block * kCacheBlockSize + position % kCacheBlockSize);
  }

  int num_groups() const { return static_cast<int>(pools_.size()); }
  // Blocks of the group with the fewest.
  int64_t free_blocks() const;
  int64_t num_blocks() const { return num_blocks_; }

  // Blocks that a sequence of `length` tokens takes in the group that needs most.
  static int64_t BlocksFor(int64_t length) {
    return (length + kCacheBlockSize - 1) / kCacheBlockSize;
  }

 private:
  struct Sequence {
    bool alive = false;
    int64_t length = 0;
    std::vector<std::vector<int32_t>> tables;  // per group
    std::vector<int64_t> freed_until;          // per group: logical blocks below are -1
  };

  // Blocks that Extend takes in one group, the copy of a shared one included.
  int64_t BlocksNeeded(const Sequence& sequence, int group, int64_t new_length) const;
  void Keep(const Sequence& sequence, std::span<const int32_t> ids);
  void Evict();

  std::vector<CacheGroupSpec> groups_;
  int64_t num_blocks_;
  CopyBlock copy_;
  std::vector<BlockPool> pools_;  // per group
  std::vector<Sequence> sequences_;
  std::vector<Handle> unused_;
  bool keeps_prefixes_ = false;
  PrefixIndex prefixes_;
};

}  // namespace fathom
