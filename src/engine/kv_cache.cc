#include "engine/kv_cache.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace fathom {

namespace {

constexpr int32_t kFreed = -1;

PrefixIndex::Ids IdsOfBlock(std::span<const int32_t> ids, int64_t block) {
  return ids.subspan(static_cast<size_t>(block * kCacheBlockSize)).first<kCacheBlockSize>();
}

}  // namespace

KvCache::KvCache(std::span<const CacheGroupSpec> groups, int64_t num_blocks, CopyBlock copy)
    : groups_(groups.begin(), groups.end()),
      num_blocks_(num_blocks),
      copy_(std::move(copy)),
      pools_(groups.size(), BlockPool(num_blocks)) {
  FATHOM_CHECK(num_blocks * kCacheBlockSize <= std::numeric_limits<int32_t>::max());
}

KvCache::Handle KvCache::Create() {
  Handle handle;
  if (unused_.empty()) {
    handle = static_cast<Handle>(sequences_.size());
    sequences_.emplace_back();
    sequences_.back().tables.resize(pools_.size());
    sequences_.back().freed_until.resize(pools_.size());
  } else {
    handle = unused_.back();
    unused_.pop_back();
  }
  Sequence& sequence = sequences_[handle];
  sequence.alive = true;
  sequence.length = 0;
  for (auto& table : sequence.tables) table.clear();
  std::ranges::fill(sequence.freed_until, 0);
  return handle;
}

KvCache::Handle KvCache::Fork(Handle source) {
  const Handle handle = Create();  // may move sequences_
  const Sequence& from = sequences_[source];
  FATHOM_CHECK(from.alive);
  Sequence& to = sequences_[handle];
  to.length = from.length;
  to.tables = from.tables;
  to.freed_until = from.freed_until;
  for (size_t group = 0; group < pools_.size(); ++group) {
    for (const int32_t block : to.tables[group]) {
      if (block != kFreed) pools_[group].Share(block);
    }
  }
  return handle;
}

void KvCache::Keep(const Sequence& sequence, std::span<const int32_t> ids) {
  const int64_t full =
      std::min(sequence.length, static_cast<int64_t>(ids.size())) / kCacheBlockSize;
  std::vector<uint64_t> parents;
  uint64_t parent = PrefixIndex::kRoot;
  for (int64_t block = 0; block < full; ++block) {
    const PrefixIndex::Entry* entry = prefixes_.Find(parent, IdsOfBlock(ids, block));
    if (entry == nullptr) {
      std::vector<int32_t> blocks;
      for (const auto& tables : sequence.tables) blocks.push_back(tables[block]);
      // Behind a window: whoever starts from here would miss it.
      if (std::ranges::find(blocks, kFreed) != blocks.end()) break;
      for (int group = 0; group < num_groups(); ++group) pools_[group].Share(blocks[group]);
      entry = &prefixes_.Insert(parent, IdsOfBlock(ids, block), std::move(blocks));
    }
    parents.push_back(parent);
    parent = entry->number;
  }
  // The ends of texts are evicted first: what is before them is of no use the other way round.
  for (size_t block = parents.size(); block-- > 0;) {
    prefixes_.Touch(parents[block], IdsOfBlock(ids, static_cast<int64_t>(block)));
  }
}

void KvCache::Evict() {
  const std::vector<int32_t> blocks = prefixes_.EvictOldest();
  for (int group = 0; group < num_groups(); ++group) pools_[group].Release(blocks[group]);
}

void KvCache::KeepPrefixes(bool keep) {
  keeps_prefixes_ = keep;
  while (!keep && !prefixes_.empty()) Evict();
}

int64_t KvCache::Reuse(Handle handle, std::span<const int32_t> ids) {
  Sequence& sequence = sequences_[handle];
  FATHOM_CHECK(sequence.alive && sequence.length == 0);
  uint64_t parent = PrefixIndex::kRoot;
  const auto count = static_cast<int64_t>(ids.size());
  for (int64_t block = 0; (block + 1) * kCacheBlockSize < count; ++block) {
    const PrefixIndex::Entry* entry = prefixes_.Find(parent, IdsOfBlock(ids, block));
    if (entry == nullptr) break;
    for (int group = 0; group < num_groups(); ++group) {
      pools_[group].Share(entry->blocks[group]);
      sequence.tables[group].push_back(entry->blocks[group]);
    }
    sequence.length += kCacheBlockSize;
    parent = entry->number;
  }
  return sequence.length;
}

void KvCache::Free(Handle handle, std::span<const int32_t> ids) {
  FATHOM_CHECK(sequences_[handle].alive);
  if (keeps_prefixes_) Keep(sequences_[handle], ids);
  Truncate(handle, 0);
  sequences_[handle].alive = false;
  unused_.push_back(handle);
}

int64_t KvCache::BlocksNeeded(const Sequence& sequence, int group, int64_t new_length) const {
  const std::vector<int32_t>& table = sequence.tables[group];
  int64_t needed = BlocksFor(new_length) - static_cast<int64_t>(table.size());
  // The block that holds the next token is written to: a shared one must be copied first.
  const bool inside = sequence.length % kCacheBlockSize != 0;
  if (inside && new_length > sequence.length && pools_[group].shared(table.back())) ++needed;
  return needed;
}

bool KvCache::Extend(Handle handle, int64_t count) {
  Sequence& sequence = sequences_[handle];
  FATHOM_CHECK(sequence.alive && count >= 0);
  const int64_t new_length = sequence.length + count;
  for (int group = 0; group < num_groups(); ++group) {
    const int64_t needed = BlocksNeeded(sequence, group, new_length);
    while (needed > pools_[group].free_count() && !prefixes_.empty()) Evict();
    if (needed > pools_[group].free_count()) return false;
  }
  for (int group = 0; group < num_groups(); ++group) {
    std::vector<int32_t>& table = sequence.tables[group];
    BlockPool& pool = pools_[group];
    const int64_t rows = sequence.length % kCacheBlockSize;
    if (rows != 0 && count > 0 && pool.shared(table.back())) {
      const int32_t copy = pool.Allocate();
      copy_(group, table.back(), copy, rows);
      pool.Release(table.back());
      table.back() = copy;
    }
    while (static_cast<int64_t>(table.size()) < BlocksFor(new_length)) {
      table.push_back(pool.Allocate());
    }
  }
  sequence.length = new_length;
  return true;
}

bool KvCache::CanTruncate(Handle handle, int64_t length) const {
  const Sequence& sequence = sequences_[handle];
  if (length == 0 || length == sequence.length) return true;
  for (int group = 0; group < num_groups(); ++group) {
    const int64_t window = groups_[group].window;
    if (window == 0) continue;
    // The query at `length` sees keys from length - window + 1 on.
    const int64_t first = std::max<int64_t>(0, length - window + 1);
    if (first / kCacheBlockSize < sequence.freed_until[group]) return false;
  }
  return true;
}

void KvCache::Truncate(Handle handle, int64_t length) {
  Sequence& sequence = sequences_[handle];
  FATHOM_CHECK(sequence.alive && length >= 0 && length <= sequence.length);
  FATHOM_CHECK(CanTruncate(handle, length));
  for (int group = 0; group < num_groups(); ++group) {
    std::vector<int32_t>& table = sequence.tables[group];
    const int64_t kept = BlocksFor(length);
    while (static_cast<int64_t>(table.size()) > kept) {
      if (table.back() != kFreed) pools_[group].Release(table.back());
      table.pop_back();
    }
    sequence.freed_until[group] = std::min(sequence.freed_until[group], kept);
  }
  sequence.length = length;
}

void KvCache::FreeBehindWindow(Handle handle) {
  Sequence& sequence = sequences_[handle];
  for (int group = 0; group < num_groups(); ++group) {
    const int64_t window = groups_[group].window;
    if (window == 0) continue;
    const int64_t first = std::max<int64_t>(0, sequence.length - window + 1);
    std::vector<int32_t>& table = sequence.tables[group];
    const int64_t until =
        std::min<int64_t>(first / kCacheBlockSize, static_cast<int64_t>(table.size()));
    for (int64_t block = sequence.freed_until[group]; block < until; ++block) {
      pools_[group].Release(table[block]);
      table[block] = kFreed;
    }
    sequence.freed_until[group] = std::max(sequence.freed_until[group], until);
  }
}

int64_t KvCache::free_blocks() const {
  int64_t least = num_blocks_;
  for (const BlockPool& pool : pools_) least = std::min(least, pool.free_count());
  return least;
}

}  // namespace fathom
