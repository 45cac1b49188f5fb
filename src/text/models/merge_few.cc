// Merging few symbols: the pairs' ranks lie side by side, and of each sixteen the least is kept.
#include <algorithm>
#include <limits>

#include "text/models/bpe.h"

namespace fathom {
namespace {

// A pair's rank and, below it, its place: the least of these keys is the leftmost pair of the
// lowest rank.
//   | rank, 24 bits | place, 7 bits |
constexpr int kPlaceBits = 7;
constexpr int32_t kNoKey = std::numeric_limits<int32_t>::max();
constexpr size_t kGroup = 16;

int32_t KeyOf(uint32_t rank, size_t place) {
  if (rank == PairTable::kNoRank) return kNoKey;
  return static_cast<int32_t>(rank << kPlaceBits | place);
}

// The keys of up to 128 places, and the least of each group of them.
class Keys {
 public:
  explicit Keys(size_t count) : groups_((count + kGroup - 1) / kGroup) {}
  int32_t& operator[](size_t place) { return keys_[place]; }
  size_t padded() const { return groups_ * kGroup; }
  void Refresh(size_t group) {
    // In lanes, so that it is vector code.
    const int32_t* keys = keys_ + group * kGroup;
    int32_t lanes[kGroup / 2];
    for (size_t i = 0; i < kGroup / 2; ++i) lanes[i] = std::min(keys[i], keys[i + kGroup / 2]);
    for (size_t i = 0; i < kGroup / 4; ++i) lanes[i] = std::min(lanes[i], lanes[i + kGroup / 4]);
    least_[group] = std::min(std::min(lanes[0], lanes[1]), std::min(lanes[2], lanes[3]));
  }
  void RefreshAll() {
    for (size_t group = 0; group < groups_; ++group) Refresh(group);
  }
  int32_t Least() const {
    int32_t least = least_[0];
    for (size_t group = 1; group < groups_; ++group) least = std::min(least, least_[group]);
    return least;
  }

 private:
  size_t groups_;
  int32_t keys_[size_t{1} << kPlaceBits];
  int32_t least_[(size_t{1} << kPlaceBits) / kGroup];
};

}  // namespace

void BpeModel::MergeFew(MergeScratch& scratch) const {
  static_assert(kFewSymbols == size_t{1} << kPlaceBits && kFewRanks << kPlaceBits <= 1u << 31);
  const size_t count = scratch.symbols.size();
  int32_t* ids = scratch.symbols.data();
  Keys keys(count);
  // The places of the neighbours; one beyond the last is `count`, one before the first is itself.
  uint8_t next[kFewSymbols], previous[kFewSymbols + 1];
  for (size_t i = 0; i < keys.padded(); ++i) {
    keys[i] = i + 1 < count ? KeyOf(scratch.ranks[i], i) : kNoKey;
  }
  for (size_t i = 0; i < count; ++i) {
    next[i] = static_cast<uint8_t>(i + 1);
    previous[i] = static_cast<uint8_t>(i - (i > 0));
  }
  keys.RefreshAll();
  for (int32_t least = keys.Least(); least != kNoKey; least = keys.Least()) {
    const size_t place = static_cast<size_t>(least) % kFewSymbols;
    const size_t joined = next[place], later = next[joined], before = previous[place];
    ids[place] = merged_[static_cast<size_t>(least) >> kPlaceBits];
    next[place] = static_cast<uint8_t>(later);
    previous[later] = static_cast<uint8_t>(place);
    keys[joined] = kNoKey;
    keys[place] = later < count ? KeyOf(pairs_.Rank(ids[place], ids[later]), place) : kNoKey;
    if (before != place) keys[before] = KeyOf(pairs_.Rank(ids[before], ids[place]), before);
    keys.Refresh(place / kGroup);
    if (joined / kGroup != place / kGroup) keys.Refresh(joined / kGroup);
    if (before / kGroup != place / kGroup) keys.Refresh(before / kGroup);
  }
  scratch.begins.resize(count);
  size_t kept = 0;
  for (size_t place = 0; place < count; place = next[place]) {
    scratch.begins[kept] = static_cast<uint32_t>(place);
    ids[kept++] = ids[place];
  }
  scratch.symbols.resize(kept);
}

}  // namespace fathom
