// The checksum sees every single changed bit, cut ends and swapped words.
#include "base/checksum.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace fathom {
namespace {

std::vector<uint8_t> Bytes(size_t size) {
  std::vector<uint8_t> bytes(size);
  uint32_t state = 7;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525 + 1) >> 24);
  return bytes;
}

TEST(Checksum, ChangesWithEveryBit) {
  for (const size_t size : {1u, 7u, 8u, 63u, 64u, 65u, 200u}) {
    std::vector<uint8_t> bytes = Bytes(size);
    std::set<uint64_t> seen = {Checksum(bytes.data(), size)};
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      EXPECT_TRUE(seen.insert(Checksum(bytes.data(), size)).second) << size << " " << bit;
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
  }
}

TEST(Checksum, TellsLengthsOrdersAndSeedsApart) {
  const std::vector<uint8_t> zeros(300);
  std::set<uint64_t> seen;
  for (size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_TRUE(seen.insert(Checksum(zeros.data(), size)).second) << size;
  }
  std::vector<uint8_t> bytes = Bytes(256);
  const uint64_t sum = Checksum(bytes.data(), bytes.size());
  for (const size_t step : {8u, 16u, 64u}) {
    std::vector<uint8_t> swapped = bytes;
    std::swap_ranges(swapped.begin(), swapped.begin() + 8,
                     swapped.begin() + static_cast<ptrdiff_t>(step));
    EXPECT_NE(Checksum(swapped.data(), swapped.size()), sum) << step;
  }
  EXPECT_NE(Checksum(bytes.data(), bytes.size(), 1), sum);
}

}  // namespace
}  // namespace fathom
