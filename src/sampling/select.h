// Selection without sorting: where the cumulative weight of keys in ascending order crosses a
// limit.
//
// Three passes of a weighted radix select (11 + 11 + 10 bits of the key): each adds up the weights
// of its buckets, walks them until the limit is crossed, and goes on inside that bucket. The
// weights are integers (a probability times 2^52), so that a sum does not depend on its order and
// the sorted arm finds the same boundary to the bit.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

namespace fathom {

// float -> unsigned integer with the same order; both zeros alike. No NaN.
inline uint32_t OrderedKey(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

inline float FromOrderedKey(uint32_t key) {
  return std::bit_cast<float>(key & 0x80000000u ? key & 0x7FFFFFFFu : ~key);
}

// A probability as an integer share of 2^52, and such a sum as float32 (as torch's cumsum rounds
// its double accumulator).
inline constexpr double kWeightOne = 4503599627370496.0;  // 2^52
inline uint64_t ProbabilityWeight(float p) {
  return static_cast<uint64_t>(static_cast<double>(p) * kWeightOne);
}
inline float WeightToFloat(uint64_t weight) {
  return static_cast<float>(static_cast<double>(weight) / kWeightOne);
}

struct Boundary {
  bool found = false;
  uint32_t key = 0;            // the key at which the limit is crossed
  uint64_t weight_before = 0;  // of all smaller keys
};

// The smallest key whose cumulative weight, all entries of that key included, makes `crosses` true.
// crosses(uint64_t) is monotone. Not found: key is the largest, weight_before that of all others.
template <typename Weight, typename Crosses>
Boundary SelectBoundary(std::span<const uint32_t> keys, const Weight& weight,
                        const Crosses& crosses) {
  Boundary boundary;
  uint32_t prefix = 0;
  int shift = 32;
  for (const int bits : {11, 11, 10}) {
    const uint32_t prefix_bits = static_cast<uint32_t>(32 - shift);
    shift -= bits;
    std::array<uint64_t, 2048> sums{};
    std::array<bool, 2048> used{};
    for (size_t i = 0; i < keys.size(); ++i) {
      if (prefix_bits != 0 && keys[i] >> (32 - prefix_bits) != prefix) continue;
      const uint32_t bucket = keys[i] >> shift & ((1u << bits) - 1);
      sums[bucket] += weight(i);
      used[bucket] = true;
    }
    int chosen = -1;
    uint64_t before = boundary.weight_before, chosen_before = before;
    boundary.found = false;
    for (int bucket = 0; bucket < 1 << bits; ++bucket) {
      if (!used[bucket]) continue;
      chosen = bucket;
      chosen_before = before;
      before += sums[bucket];
      if (crosses(before)) {
        boundary.found = true;
        break;
      }
    }
    boundary.weight_before = chosen_before;
    prefix = prefix << bits | static_cast<uint32_t>(chosen < 0 ? 0 : chosen);
  }
  boundary.key = prefix;
  return boundary;
}

}  // namespace fathom
