#include "base/block_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace fathom {
namespace {

TEST(BlockArena, BlocksLieBesideEachOtherAndAreZero) {
  BlockArena arena;
  const std::span<std::byte> first = *arena.Allocate(100);
  const std::span<std::byte> second = *arena.Allocate(1 << 20);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(second.data(), first.data() + 128);
  EXPECT_TRUE(
      std::all_of(second.begin(), second.end(), [](std::byte b) { return b == std::byte{0}; }));
  std::fill(second.begin(), second.end(), std::byte{7});
  // One that the mapping does not hold gets a mapping of its own.
  const std::span<std::byte> large = *arena.Allocate(size_t{65} << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % kBufferAlignment, 0u);
  std::fill_n(large.begin(), 4096, std::byte{8});
  EXPECT_EQ(second[(1 << 20) - 1], std::byte{7});
  arena.Discard(second);
  EXPECT_EQ(second[size_t{1} << 19], std::byte{0});
  EXPECT_EQ(large[0], std::byte{8});
  EXPECT_FALSE(arena.Allocate(SIZE_MAX - 5).ok());
}

}  // namespace
}  // namespace fathom
