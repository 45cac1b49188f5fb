// AMX tiles: tdpbf16ps and tdpbssd, 2 x 2 blocks of tiles (4 sums, 2 + 2 operands fill the 8
// tiles).
#include "machine/probes/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace fathom {
namespace {

using enum CpuFeature;

#define FATHOM_AMX __attribute__((target("avx512f,amx-tile,amx-int8,amx-bf16")))

// The 64 bytes that ldtilecfg reads (Intel SDM, LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

constexpr int kTileBytes = 1024;
constexpr int kProducts = 8;  // of two tiles, a round

// Tiles 0-3: sums, zero. 4, 5: A. 6, 7: B and -B.
FATHOM_AMX void LoadTiles(const std::byte* operands) {
  const TileConfig config;
  // GCC 12 declares 8 of the 64 bytes as read and drops the other stores.
  asm volatile("" ::"r"(&config) : "memory");
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operands, 64);
  _tile_loadd(5, operands + kTileBytes, 64);
  _tile_loadd(6, operands + kPeakB, 64);
  _tile_loadd(7, operands + kPeakMinusB, 64);
}

FATHOM_AMX float StoreTiles() {
  alignas(64) float sums[256];
  float total = 0;
  _tile_stored(0, sums, 64);
  total += sums[0];
  _tile_stored(1, sums, 64);
  total += sums[0];
  _tile_stored(2, sums, 64);
  total += sums[0];
  _tile_stored(3, sums, 64);
  total += sums[0];
  _tile_release();
  return total;
}

FATHOM_AMX float Bf16Amx(const std::byte* operands, int64_t rounds) {
  LoadTiles(operands);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    _tile_dpbf16ps(0, 4, 7);
    _tile_dpbf16ps(1, 4, 6);
    _tile_dpbf16ps(2, 5, 7);
    _tile_dpbf16ps(3, 5, 6);
  }
  return StoreTiles();
}

FATHOM_AMX float Int8Amx(const std::byte* operands, int64_t rounds) {
  LoadTiles(operands);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
    _tile_dpbssd(0, 4, 7);
    _tile_dpbssd(1, 4, 6);
    _tile_dpbssd(2, 5, 7);
    _tile_dpbssd(3, 5, 6);
  }
  return StoreTiles();
}

constexpr PeakKernel kPeakKernels[] = {
    {"amx tdpbf16ps",
     PeakKind::kBf16,
     {kAvx512f, kAmxTile, kAmxInt8, kAmxBf16},
     kProducts * 16 * 16 * 32 * 2,
     Bf16Amx},
    {"amx tdpbssd",
     PeakKind::kInt8,
     {kAvx512f, kAmxTile, kAmxInt8, kAmxBf16},
     kProducts * 16 * 16 * 64 * 2,
     Int8Amx},
};

}  // namespace

std::span<const PeakKernel> AmxPeakKernels() { return kPeakKernels; }

}  // namespace fathom

#else

namespace fathom {
std::span<const PeakKernel> AmxPeakKernels() { return {}; }
}  // namespace fathom

#endif
