#include "base/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace fathom {
namespace {

bool AllZero(const AlignedBuffer& buffer) {
  return std::all_of(buffer.data(), buffer.data() + buffer.size(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

TEST(AlignedBuffer, IsAlignedZeroAndWritable) {
  for (const size_t size : {size_t{1}, size_t{63}, size_t{64}, size_t{1000}, size_t{65536},
                            size_t{100'000}, kHugePageBytes, 3 * kHugePageBytes + 5}) {
    auto buffer = AlignedBuffer::Allocate(size);
    ASSERT_TRUE(buffer.ok()) << buffer.status().message();
    EXPECT_EQ(buffer->size(), size);
    const size_t alignment = size >= kHugePageBytes ? kHugePageBytes : kBufferAlignment;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % alignment, 0u) << size;
    EXPECT_TRUE(AllZero(*buffer));
    std::fill_n(buffer->data(), size, std::byte{0xA5});
  }
}

TEST(AlignedBuffer, MovesAndNeverCopies) {
  static_assert(!std::is_copy_constructible_v<AlignedBuffer>);
  auto made = AlignedBuffer::Allocate(1 << 20);
  ASSERT_TRUE(made.ok());
  std::byte* data = made->data();
  AlignedBuffer first = *std::move(made);
  AlignedBuffer second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), size_t{1} << 20);
  second.as<float>()[3] = 2.5f;
  EXPECT_EQ(second.as<float>()[3], 2.5f);
}

TEST(AlignedBuffer, EmptyIsFine) {
  auto buffer = AlignedBuffer::Allocate(0);
  ASSERT_TRUE(buffer.ok());
  EXPECT_TRUE(buffer->empty());
}

TEST(AlignedBuffer, RefusesTheImpossible) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX / 2, size_t{1} << 60}) {
    auto buffer = AlignedBuffer::Allocate(size);
    ASSERT_FALSE(buffer.ok());
    EXPECT_EQ(buffer.status().code(), StatusCode::kRunTime);
  }
  auto overflow = AlignedBuffer::AllocateArray(size_t{1} << 62, 8);
  ASSERT_FALSE(overflow.ok());
  EXPECT_NE(overflow.status().message().find("overflows"), std::string::npos);
}

TEST(AlignedBuffer, DiscardedPagesReadAsZeros) {
  for (const size_t size : {size_t{1000}, size_t{5} << 20}) {
    auto buffer = AlignedBuffer::Allocate(size);
    ASSERT_TRUE(buffer.ok());
    std::fill_n(buffer->data(), size, std::byte{1});
    buffer->Discard(0, size / 2);
    EXPECT_EQ(buffer->data()[0], std::byte{0});
    EXPECT_EQ(buffer->data()[size - 1], std::byte{1});
    buffer->data()[0] = std::byte{7};
    EXPECT_EQ(buffer->data()[0], std::byte{7});
  }
}

}  // namespace
}  // namespace fathom
