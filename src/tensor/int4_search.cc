#include "tensor/int4_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/convert.h"
#include "tensor/quantized_weight.h"

namespace fathom {
namespace {

// What is left of either end of a group's range.
constexpr std::array<float, 5> kShrinks = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f};
constexpr int64_t kLanes = 8;

// Eight floats, which every compiler makes of what the CPU has. The sums of eight lanes, added up
// in one order, are the same everywhere, and so is the choice.
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

// The group in lanes; behind its end zeros, whose errors `last` takes away.
struct Group {
  Lanes values[kMaxInt4Group / kLanes] = {};
  Lanes last = {};  // 1 where the last lanes hold an element
};

struct Range {
  float low = 0, high = 0;
};

// What q is of wanted = value / scale + zero: the nearest whole number (ties to even) in 0..15.
#define FATHOM_INT4_ROUND(wanted, rounded)            \
  Lanes rounded = ((wanted) + 0x1.8p23f) - 0x1.8p23f; \
  rounded = rounded < 0.0f ? Lanes{} : rounded;       \
  rounded = rounded > 15.0f ? Lanes{} + 15.0f : rounded

// Always inlined, so that it is compiled for the CPU of the function around it. Errors are in units
// of the widest scale, which neither overflow nor vanish.
[[gnu::always_inline]] inline void SearchLanes(const Group& group, int64_t blocks, Range range,
                                               Int4Choice* choice) {
  float best = INFINITY, best_inverse = 0, best_zero = 0;
  float widest = 0;  // the scale of the whole range
  for (const float low_share : kShrinks) {
    for (const float high_share : kShrinks) {
      const float bottom = range.low * low_share;
      const uint16_t bits = FloatToBF16(range.high * high_share / 15.0f - bottom / 15.0f);
      const float step = BF16ToFloat(bits);
      if (!(step >= kSmallestScale)) continue;
      if (widest == 0) widest = step;
      const float share = step / widest;
      const float inverse = 1.0f / step;
      const float scaled = -bottom * inverse * 16.0f;
      const float point = std::min((scaled + 0x1.8p23f) - 0x1.8p23f, 255.0f);
      const float zero = point * 0.0625f;
      Lanes sums = {};
      for (int64_t b = 0; b < blocks; ++b) {
        const Lanes wanted = group.values[b] * inverse + zero;
        FATHOM_INT4_ROUND(wanted, q);
        Lanes error = wanted - q;
        if (b == blocks - 1) error *= group.last;
        sums += error * error;
      }
      const float error = (((sums[0] + sums[4]) + (sums[2] + sums[6])) +
                           ((sums[1] + sums[5]) + (sums[3] + sums[7]))) *
                          share * share;
      if (!(error < best)) continue;
      best = error;
      best_inverse = inverse;
      best_zero = zero;
      choice->scale = bits;
      choice->zero = static_cast<uint8_t>(point);
    }
  }
  if (choice->scale == 0) return;
  for (int64_t b = 0; b < blocks; ++b) {
    const Lanes wanted = group.values[b] * best_inverse + best_zero;
    FATHOM_INT4_ROUND(wanted, q);
    std::memcpy(choice->q + b * kLanes, &q, sizeof(q));
  }
}

// The usual groups with their number of blocks known to the compiler.
[[gnu::always_inline]] inline void SearchBlocks(const Group& group, int64_t blocks, Range range,
                                                Int4Choice* choice) {
  if (blocks == 4) return SearchLanes(group, 4, range, choice);
  if (blocks == 2) return SearchLanes(group, 2, range, choice);
  SearchLanes(group, blocks, range, choice);
}

void SearchAnywhere(const Group& group, int64_t blocks, Range range, Int4Choice* choice) {
  SearchBlocks(group, blocks, range, choice);
}

#if defined(__x86_64__)
// Without fma, which would round differently.
[[gnu::target("avx2")]] void SearchAvx2(const Group& group, int64_t blocks, Range range,
                                        Int4Choice* choice) {
  SearchBlocks(group, blocks, range, choice);
}
bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}
#endif

}  // namespace

Int4Choice SearchInt4(const float* values, int64_t count) {
  FATHOM_CHECK(count >= 0 && count <= kMaxInt4Group);
  Int4Choice choice;
  Range range;
  for (int64_t i = 0; i < count; ++i) {
    range.low = std::min(range.low, values[i]);
    range.high = std::max(range.high, values[i]);
  }
  Group group;
  std::memcpy(group.values, values, static_cast<size_t>(count) * sizeof(float));
  const int64_t blocks = (count + kLanes - 1) / kLanes;
  for (int64_t k = 0; k < kLanes; ++k) group.last[k] = (blocks - 1) * kLanes + k < count ? 1 : 0;
#if defined(__x86_64__)
  if (HasAvx2()) {
    SearchAvx2(group, blocks, range, &choice);
    return choice;
  }
#endif
  SearchAnywhere(group, blocks, range, &choice);
  return choice;
}

}  // namespace fathom
