// AMX tiles: their configuration, the scope in which it holds, and the instructions.
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace fathom {

// Palette 1, eight tiles of 16 rows x 64 bytes: 16 x 16 floats, 16 rows x 32 bf16 or 64 int8.
struct alignas(64) AmxTileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline constexpr AmxTileConfig kAmxTileConfig;
inline constexpr size_t kAmxTileBytes = 1024;

// Configures the tiles of this thread. Inline assembly, because _tile_loadconfig of GCC 12 claims
// to read 8 of the 64 bytes only, and the stores of the rest may be dropped.
inline void AmxConfigure() { asm volatile("ldtilecfg %0" : : "m"(kAmxTileConfig)); }
inline void AmxRelease() { asm volatile("tilerelease"); }

// The instructions as a class, which kernels take as a parameter: tests give them one that computes
// the same in plain code (tests/backends/amx_emulation.h). Assembly once more: the compilers'
// intrinsics want a tile's number as a literal. `stride`: bytes from row to row.
struct AmxTiles {
  static void Configure() { AmxConfigure(); }
  static void Release() { AmxRelease(); }

  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void Load(const void* from, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  // Past L1, as far as the CPU heeds the hint.
  template <int kTile>
  static void LoadOnce(const void* from, size_t stride) {
    asm volatile("tileloaddt1 (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(from), "r"(stride), "i"(kTile)
                 : "memory");
  }
  template <int kTile>
  static void Store(void* to, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sum += a . b: float32 sums of pairs of bf16.
  template <int kSum, int kA, int kB>
  static void DotBF16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
  // sum += a . b: int32 sums of fours of signed bytes.
  template <int kSum, int kA, int kB>
  static void DotInt8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
};

}  // namespace fathom

#endif  // __x86_64__
