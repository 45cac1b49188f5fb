// A vocabulary: token string <-> id, over strings in one pool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fathom/status.h"
#include "text/model.h"

namespace fathom {

// 64 well-mixed bits of a string; not for use against chosen collisions.
uint64_t HashBytes(const char* data, size_t size);

class TokenTable {
 public:
  // Takes the entries of a file. kBadFile: an id that is negative, beyond 2^31 - 2 or given twice.
  // A repeated string keeps its last id, as in serde's maps.
  static Result<TokenTable> Make(StringPool pool,
                                 const std::vector<std::pair<StringPool::Ref, int64_t>>& entries);

  // The id, or -1.
  int32_t Find(std::string_view token) const {
    const uint32_t entry = Lookup(token, HashBytes(token.data(), token.size()));
    return entry == kNone ? -1 : entries_[entry].id;
  }
  // The same where most strings are no tokens: a near filter tells.
  int32_t FindRare(std::string_view token) const {
    const uint64_t hash = HashBytes(token.data(), token.size());
    const uint64_t bit = FilterBit(hash);
    return (filter_[bit / 64] >> (bit % 64) & 1) == 0 ? -1 : FindHashed(token, hash);
  }
  // The same in two steps: the hash first, which also calls the table's line into the cache.
  uint64_t HashAhead(std::string_view token) const {
    const uint64_t hash = HashBytes(token.data(), token.size());
    __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
    return hash;
  }
  int32_t FindHashed(std::string_view token, uint64_t hash) const {
    const uint32_t entry = Lookup(token, hash);
    return entry == kNone ? -1 : entries_[entry].id;
  }
  // Find(left + right). Files list the products of merges in the order of the merges: what follows
  // the last product is looked at first.
  struct Hint {
    size_t next = 0;
    std::string joined;
  };
  int32_t FindJoined(std::string_view left, std::string_view right, Hint& hint) const;
  std::optional<std::string_view> TokenOf(int32_t id) const;
  size_t size() const { return entries_.size(); }
  size_t max_token_bytes() const { return max_token_bytes_; }
  int32_t max_id() const { return max_id_; }
  // Entry i, in file order, for i < size().
  std::string_view token(size_t i) const { return pool_.Get(entries_[i].text); }
  int32_t id(size_t i) const { return entries_[i].id; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    StringPool::Ref text;
    int32_t id;
  };
  struct Slot {
    uint32_t entry = kNone;
    uint32_t hash = 0;  // the upper half, to skip most comparisons
  };
  // Four bits a slot.
  uint64_t FilterBit(uint64_t hash) const { return hash & (filter_.size() * 64 - 1); }
  uint32_t Lookup(std::string_view token, uint64_t hash) const;
  Status IndexIds();

  StringPool pool_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;                          // open addressing, power of two
  std::vector<uint64_t> filter_;                     // a bit for the hash of each token
  std::vector<uint32_t> by_id_;                      // entry of an id, where ids are dense enough
  std::unordered_map<int32_t, uint32_t> by_far_id_;  // the ids beyond by_id_
  int32_t max_id_ = -1;
  size_t max_token_bytes_ = 0;
};

}  // namespace fathom
