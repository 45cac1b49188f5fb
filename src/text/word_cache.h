// A cache of words and their ids: what makes natural text fast, since few words make up most of it.
//
//   ShortWordCache   words up to 16 bytes and 3 ids; entries of 32 bytes, two to a cache line:
//     | word bytes 0-7 | word bytes 8-15 | id 0 | id 1 | id 2 | size u8, count u8, - |
//   LongWordCache    words up to 44 bytes and 18 ids; entries of 128 bytes:
//     | hash u64 | size u8 | count u8 | - | word 44 bytes | ids 18 x 4 bytes |
//
// Both are fixed in size and forget by overwriting.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

namespace fathom {

class ShortWordCache {
 public:
  static constexpr size_t kMaxBytes = 16;
  static constexpr size_t kMaxIds = 3;

  struct Key {
    uint64_t low;
    uint64_t high;
    uint32_t size;  // 1 .. 16
  };
  struct alignas(32) Entry {
    uint64_t low = 0;
    uint64_t high = 0;
    int32_t ids[kMaxIds] = {};
    uint8_t size = 0;  // 0: empty
    uint8_t count = 0;
    uint16_t unused = 0;
  };

  ShortWordCache() : entries_(std::make_unique<Entry[]>(kEntries)) {}

  // The word's key; reads 16 bytes where they are readable.
  static Key MakeKey(const uint8_t* word, size_t size, const uint8_t* readable_end) {
    Key key{0, 0, static_cast<uint32_t>(size)};
    if (readable_end - word >= 16) [[likely]] {
      std::memcpy(&key.low, word, 8);
      std::memcpy(&key.high, word + 8, 8);
      key.low &= kMasks[size];
      key.high &= kMasks[size + 17];
    } else {
      uint8_t bytes[16] = {};
      std::memcpy(bytes, word, size);
      std::memcpy(&key.low, bytes, 8);
      std::memcpy(&key.high, bytes + 8, 8);
    }
    return key;
  }

  const Entry* Find(const Key& key) const {
    const size_t place = Place(key);
    for (const size_t i : {place, place ^ 1}) {
      const Entry& entry = entries_[i];
      if (entry.low == key.low && entry.high == key.high && entry.size == key.size) return &entry;
    }
    return nullptr;
  }

  void Insert(const Key& key, const int32_t* ids, size_t count) {
    const size_t place = Place(key);
    entries_[place ^ 1] = entries_[place];  // the older of the two is forgotten
    Entry& entry = entries_[place];
    entry.low = key.low;
    entry.high = key.high;
    entry.size = static_cast<uint8_t>(key.size);
    entry.count = static_cast<uint8_t>(count);
    for (size_t i = 0; i < count; ++i) entry.ids[i] = ids[i];
  }

 private:
  static constexpr int kBits = 15;
  static constexpr size_t kEntries = size_t{1} << kBits;
  static const uint64_t kMasks[34];  // [size] for the low half, [17 + size] for the high one

  static size_t Place(const Key& key) {
    const uint64_t mixed = (key.low ^ (key.high * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    return (mixed ^ (mixed << 17)) >> (64 - kBits);
  }

  std::unique_ptr<Entry[]> entries_;
};

class LongWordCache {
 public:
  static constexpr size_t kMaxBytes = 44;
  static constexpr size_t kMaxIds = 18;

  struct alignas(128) Entry {
    uint64_t hash = 0;
    uint8_t size = 0;
    uint8_t count = 0;
    uint8_t word[kMaxBytes] = {};
    int32_t ids[kMaxIds] = {};
  };

  LongWordCache() : entries_(std::make_unique<Entry[]>(kEntries)) {}

  const Entry* Find(uint64_t hash, const uint8_t* word, size_t size) const {
    const Entry& entry = entries_[hash % kEntries];
    const bool equal =
        entry.hash == hash && entry.size == size && std::memcmp(entry.word, word, size) == 0;
    return equal ? &entry : nullptr;
  }

  void Insert(uint64_t hash, const uint8_t* word, size_t size, const int32_t* ids, size_t count) {
    Entry& entry = entries_[hash % kEntries];
    entry.hash = hash;
    entry.size = static_cast<uint8_t>(size);
    entry.count = static_cast<uint8_t>(count);
    std::memcpy(entry.word, word, size);
    std::memcpy(entry.ids, ids, count * sizeof(int32_t));
  }

 private:
  static constexpr size_t kEntries = 4096;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace fathom
