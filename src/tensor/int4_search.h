// The search for the scale and the zero point of one group of kInt4Panel16 (quantized_weight.h).
#pragma once

#include <cstdint>

namespace fathom {

// Most elements of a group.
inline constexpr int64_t kMaxInt4Group = 64;

struct Int4Choice {
  uint16_t scale = 0;  // bf16; 0: all elements are 0
  uint8_t zero = 0;
  float q[kMaxInt4Group] = {};  // whole numbers from 0 to 15
};

// `values` are finite, count <= kMaxInt4Group.
Int4Choice SearchInt4(const float* values, int64_t count);

}  // namespace fathom
