#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace fathom {
namespace {

// What the bytes of the cache would hold: per (group, block, row) the value written last.
class Contents {
 public:
  KvCache::CopyBlock copier() {
    return [this](int group, int64_t from, int64_t to, int64_t rows) {
      for (int64_t row = 0; row < rows; ++row) {
        const auto value = rows_.find({group, from * kCacheBlockSize + row});
        ASSERT_NE(value, rows_.end());
        rows_[{group, to * kCacheBlockSize + row}] = value->second;
      }
      ++copies;
    };
  }
  void Write(int group, int64_t slot, int value) { rows_[{group, slot}] = value; }
  int Read(int group, int64_t slot) const { return rows_.at({group, slot}); }
  int copies = 0;

 private:
  std::map<std::pair<int, int64_t>, int> rows_;
};

// A sequence as it should be: the value of every token.
struct Expected {
  std::vector<int> tokens;
  int64_t window_low = 0;  // tokens below may be gone from the window group
};

constexpr int64_t kWindow = 40;

class KvCacheWalk {
 public:
  KvCacheWalk(uint32_t seed, int64_t num_blocks)
      : random_(seed),
        groups_{{.window = 0}, {.window = kWindow}},
        cache_(groups_, num_blocks, contents_.copier()) {}

  void Run(int steps) {
    for (int step = 0; step < steps; ++step) {
      switch (random_() % 10) {
        case 0:
          Create();
          break;
        case 1:
          Fork();
          break;
        case 2:
          Free();
          break;
        case 3:
          Truncate();
          break;
        default:
          Extend();
          break;
      }
      if (step % 7 == 0) Check();
      if (testing::Test::HasFatalFailure()) return;
    }
    while (!expected_.empty()) Free();
    EXPECT_EQ(cache_.free_blocks(), cache_.num_blocks()) << "blocks leaked";
  }

  int refused = 0;
  int copies() const { return contents_.copies; }

 private:
  KvCache::Handle Pick() {
    return std::next(expected_.begin(), random_() % expected_.size())->first;
  }

  void Create() {
    const KvCache::Handle handle = cache_.Create();
    ASSERT_FALSE(expected_.contains(handle));
    ASSERT_EQ(cache_.length(handle), 0);
    expected_[handle] = {};
  }
  void Fork() {
    if (expected_.empty()) return;
    const KvCache::Handle source = Pick();
    const KvCache::Handle handle = cache_.Fork(source);
    ASSERT_FALSE(expected_.contains(handle));
    expected_[handle] = expected_[source];
  }
  void Free() {
    if (expected_.empty()) return;
    const KvCache::Handle handle = Pick();
    cache_.Free(handle);
    expected_.erase(handle);
  }
  void Truncate() {
    if (expected_.empty()) return;
    const KvCache::Handle handle = Pick();
    Expected& expected = expected_[handle];
    int64_t length = random_() % (expected.tokens.size() + 1);
    if (!cache_.CanTruncate(handle, length)) length = 0;
    cache_.Truncate(handle, length);
    expected.tokens.resize(length);
    expected.window_low = std::min(expected.window_low, length);
  }
  void Extend() {
    if (expected_.empty()) return Create();
    const KvCache::Handle handle = Pick();
    Expected& expected = expected_[handle];
    const int64_t count = random_() % 4 == 0 ? random_() % 70 : 1;
    const int64_t before = cache_.free_blocks();
    if (!cache_.Extend(handle, count)) {
      ++refused;
      ASSERT_EQ(cache_.free_blocks(), before);
      ASSERT_EQ(cache_.length(handle), static_cast<int64_t>(expected.tokens.size()));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      const auto position = static_cast<int64_t>(expected.tokens.size());
      expected.tokens.push_back(++next_value_);
      for (int group = 0; group < 2; ++group) {
        contents_.Write(group, cache_.Slot(handle, group, position), next_value_);
      }
    }
    cache_.FreeBehindWindow(handle);
    expected.window_low = std::max<int64_t>(
        expected.window_low, static_cast<int64_t>(expected.tokens.size()) - kWindow + 1);
  }
  // Every token that a query may see reads back what was written for it.
  void Check() {
    for (const auto& [handle, expected] : expected_) {
      const auto length = static_cast<int64_t>(expected.tokens.size());
      ASSERT_EQ(cache_.length(handle), length);
      for (int group = 0; group < 2; ++group) {
        ASSERT_EQ(static_cast<int64_t>(cache_.block_table(handle, group).size()),
                  KvCache::BlocksFor(length));
        const int64_t low = group == 0 ? 0 : expected.window_low;
        for (int64_t position = std::max<int64_t>(low, 0); position < length; ++position) {
          ASSERT_GE(cache_.block_table(handle, group)[position / kCacheBlockSize], 0);
          ASSERT_EQ(contents_.Read(group, cache_.Slot(handle, group, position)),
                    expected.tokens[position]);
        }
      }
    }
  }

  std::mt19937 random_;
  Contents contents_;
  std::vector<CacheGroupSpec> groups_;
  KvCache cache_;
  std::map<KvCache::Handle, Expected> expected_;
  int next_value_ = 0;
};

TEST(KvCache, RandomWalksKeepEveryTokenAndLeakNothing) {
  int refused = 0, copies = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    KvCacheWalk walk(seed, seed % 2 ? 12 : 200);
    walk.Run(1500);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    refused += walk.refused;
    copies += walk.copies();
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(copies, 100);
}

TEST(KvCache, ForkSharesUntilOneWrites) {
  const std::vector<CacheGroupSpec> groups = {{}};
  int copies = 0;
  KvCache cache(groups, 10, [&](int, int64_t, int64_t, int64_t rows) {
    ++copies;
    EXPECT_EQ(rows, 8);
  });
  const auto first = cache.Create();
  ASSERT_TRUE(cache.Extend(first, 40));
  EXPECT_EQ(cache.free_blocks(), 8);
  const auto second = cache.Fork(first);
  EXPECT_EQ(cache.free_blocks(), 8);
  ASSERT_TRUE(cache.Extend(second, 1));
  EXPECT_EQ(copies, 1);
  EXPECT_EQ(cache.free_blocks(), 7);
  EXPECT_EQ(cache.block_table(first, 0)[0], cache.block_table(second, 0)[0]);
  EXPECT_NE(cache.block_table(first, 0)[1], cache.block_table(second, 0)[1]);
  // The first one alone holds its block now: no second copy.
  ASSERT_TRUE(cache.Extend(first, 1));
  EXPECT_EQ(copies, 1);
  cache.Free(first);
  cache.Free(second);
  EXPECT_EQ(cache.free_blocks(), 10);
}

TEST(KvCache, WindowGroupsLetGoOfWhatNoQuerySees) {
  const std::vector<CacheGroupSpec> groups = {{.window = 33}};
  KvCache cache(groups, 100, {});
  const auto sequence = cache.Create();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(cache.Extend(sequence, 1));
    cache.FreeBehindWindow(sequence);
    EXPECT_LE(cache.num_blocks() - cache.free_blocks(), 3);
    // The next query sees 32 earlier keys and itself.
    const int64_t oldest = std::max<int64_t>(0, i + 1 - 32);
    EXPECT_GE(cache.block_table(sequence, 0)[oldest / kCacheBlockSize],
              oldest / kCacheBlockSize < static_cast<int64_t>(cache.block_table(sequence, 0).size())
                  ? 0
                  : -1);
  }
  EXPECT_FALSE(cache.CanTruncate(sequence, 900));
  EXPECT_TRUE(cache.CanTruncate(sequence, 0));
  cache.Truncate(sequence, 0);
  EXPECT_EQ(cache.free_blocks(), 100);
}

TEST(KvCache, KeepsThePrefixesOfFreedSequences) {
  const std::vector<CacheGroupSpec> groups = {{.window = 0}, {.window = 0}};
  KvCache cache(groups, 4, [](int, int64_t, int64_t, int64_t) {});
  cache.KeepPrefixes(true);
  std::vector<int32_t> ids(100);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  const auto first = cache.Create();
  ASSERT_TRUE(cache.Extend(first, 70));
  const std::vector<int32_t> table(cache.block_table(first, 1).begin(),
                                   cache.block_table(first, 1).end());
  cache.Free(first, ids);
  EXPECT_EQ(cache.free_blocks(), 2);
  // Two sequences share what is kept; neither takes the block of its last id.
  const auto second = cache.Create(), third = cache.Create();
  EXPECT_EQ(cache.Reuse(second, ids), 64);
  EXPECT_EQ(cache.Reuse(third, std::span(ids).first(64)), 32);
  EXPECT_EQ(cache.block_table(second, 1)[0], table[0]);
  EXPECT_EQ(cache.block_table(second, 1)[1], table[1]);
  ASSERT_TRUE(cache.Extend(third, 32));
  EXPECT_NE(cache.block_table(third, 0)[1], cache.block_table(second, 0)[1]);
  cache.Free(third);
  cache.Free(second);
  EXPECT_EQ(cache.free_blocks(), 2);
  // The end of the text goes first where room is needed, then its beginning.
  const auto large = cache.Create();
  ASSERT_TRUE(cache.Extend(large, 3 * kCacheBlockSize));
  const auto fourth = cache.Create();
  EXPECT_EQ(cache.Reuse(fourth, ids), 32);
  cache.Free(fourth);
  ASSERT_TRUE(cache.Extend(large, 1));
  EXPECT_EQ(cache.Reuse(cache.Create(), ids), 0);
  EXPECT_FALSE(cache.Extend(large, kCacheBlockSize));
}

TEST(KvCache, BlocksBehindAWindowAreNotKept) {
  const std::vector<CacheGroupSpec> groups = {{.window = 0}, {.window = 20}};
  KvCache cache(groups, 8, [](int, int64_t, int64_t, int64_t) {});
  cache.KeepPrefixes(true);
  const std::vector<int32_t> ids(100, 5);
  const auto first = cache.Create();
  ASSERT_TRUE(cache.Extend(first, 96));
  cache.FreeBehindWindow(first);
  cache.Free(first, ids);
  EXPECT_EQ(cache.Reuse(cache.Create(), ids), 0);
  EXPECT_EQ(cache.free_blocks(), 8);
}

}  // namespace
}  // namespace fathom
