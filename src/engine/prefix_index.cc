#include "engine/prefix_index.h"

#include <algorithm>

#include "base/check.h"

namespace fathom {

size_t PrefixIndex::Hash::operator()(const Key& key) const {
  uint64_t hash = key.parent;
  for (const int32_t id : key.ids) {
    hash = (hash ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 32;
  }
  return hash;
}

PrefixIndex::Key PrefixIndex::MakeKey(uint64_t parent, Ids ids) {
  Key key{parent, {}};
  std::copy(ids.begin(), ids.end(), key.ids.begin());
  return key;
}

const PrefixIndex::Entry* PrefixIndex::Find(uint64_t parent, Ids ids) const {
  const auto found = entries_.find(MakeKey(parent, ids));
  return found == entries_.end() ? nullptr : &found->second.entry;
}

const PrefixIndex::Entry& PrefixIndex::Insert(uint64_t parent, Ids ids,
                                              std::vector<int32_t> blocks) {
  const auto [at, is_new] = entries_.try_emplace(MakeKey(parent, ids));
  FATHOM_CHECK(is_new);
  at->second.entry = {++last_number_, std::move(blocks)};
  at->second.place = order_.insert(order_.begin(), &at->first);
  return at->second.entry;
}

void PrefixIndex::Touch(uint64_t parent, Ids ids) {
  const auto found = entries_.find(MakeKey(parent, ids));
  FATHOM_CHECK(found != entries_.end());
  order_.splice(order_.begin(), order_, found->second.place);
}

std::vector<int32_t> PrefixIndex::EvictOldest() {
  const auto found = entries_.find(*order_.back());
  std::vector<int32_t> blocks = std::move(found->second.entry.blocks);
  order_.pop_back();
  entries_.erase(found);
  return blocks;
}

}  // namespace fathom
