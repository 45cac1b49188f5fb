// The AMX tile configuration of our kernels, and the scope in which it holds.
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

namespace fathom {

// Palette 1, eight tiles of 16 rows x 64 bytes: 16 x 16 floats, or 16 rows x 32 bf16.
struct alignas(64) AmxTileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Configures the tiles of this thread. Inline assembly, because _tile_loadconfig of GCC 12 claims
// to read 8 of the 64 bytes only, and the stores of the rest may be dropped.
inline void AmxConfigure() {
  static constexpr AmxTileConfig kConfig;
  asm volatile("ldtilecfg %0" : : "m"(kConfig));
}
inline void AmxRelease() { asm volatile("tilerelease"); }

}  // namespace fathom

#endif  // __x86_64__
