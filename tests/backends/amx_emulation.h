// The tile instructions in plain code (Intel SDM, volume 2: LDTILECFG, TILELOADD, TDPBF16PS,
// TDPBSSD, TILESTORED), so that the AMX kernels run on any CPU with AVX-512: the class that they
// take instead of AmxTiles (amx_tiles.h). It also finds what the hardware would not tell: a tile
// that is used before it is configured, and an access outside of the memory that was named.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "backends/cpu/kernels/amx_tiles.h"
#include "tensor/convert.h"

namespace fathom {

class EmulatedTiles {
 public:
  // Of this thread: forgets all tiles; loads and stores must lie inside what is named from here on.
  static void Reset() {
    State() = {};
    Allowed().clear();
  }
  static void Allow(const void* data, size_t size) {
    Allowed().push_back({static_cast<const std::byte*>(data), size});
  }

  static void Configure() {
    Tiles& tiles = State();
    tiles = {};
    EXPECT_EQ(kAmxTileConfig.palette, 1);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&kAmxTileConfig) % 64, 0u);
    for (int tile = 0; tile < 8; ++tile) {
      tiles.rows[tile] = kAmxTileConfig.rows[tile];
      tiles.row_bytes[tile] = kAmxTileConfig.row_bytes[tile];
      EXPECT_TRUE(tiles.rows[tile] <= 16 && tiles.row_bytes[tile] <= 64) << "a general protection";
    }
    tiles.configured = true;
  }
  static void Release() { State().configured = false; }

  template <int kTile>
  static void Zero() {
    Tiles& tiles = Usable();
    std::memset(tiles.bytes[kTile], 0, sizeof(tiles.bytes[kTile]));
  }
  template <int kTile>
  static void Load(const void* from, size_t stride) {
    Tiles& tiles = Usable();
    Zero<kTile>();
    for (size_t r = 0; r < tiles.rows[kTile]; ++r) {
      const std::byte* row = static_cast<const std::byte*>(from) + r * stride;
      if (Check(row, tiles.row_bytes[kTile])) {
        std::memcpy(tiles.bytes[kTile][r], row, tiles.row_bytes[kTile]);
      }
    }
  }
  template <int kTile>
  static void LoadOnce(const void* from, size_t stride) {
    Load<kTile>(from, stride);
  }
  template <int kTile>
  static void Store(void* to, size_t stride) {
    Tiles& tiles = Usable();
    for (size_t r = 0; r < tiles.rows[kTile]; ++r) {
      std::byte* row = static_cast<std::byte*>(to) + r * stride;
      if (Check(row, tiles.row_bytes[kTile])) {
        std::memcpy(row, tiles.bytes[kTile][r], tiles.row_bytes[kTile]);
      }
    }
  }
  // sum[m][n] += a[m][k] * b[k][n] over the elements of each four bytes; b holds a group of four
  // bytes of one column after the other in a row.
  template <int kSum, int kA, int kB>
  static void DotBF16() {
    ForEachFour<kSum, kA, kB, float>([](float sum, const uint8_t* a, const uint8_t* b) {
      for (int i = 0; i < 4; i += 2) {
        uint16_t x = 0, y = 0;
        std::memcpy(&x, a + i, sizeof(x));
        std::memcpy(&y, b + i, sizeof(y));
        sum += BF16ToFloat(x) * BF16ToFloat(y);
      }
      return sum;
    });
  }
  template <int kSum, int kA, int kB>
  static void DotInt8() {
    ForEachFour<kSum, kA, kB, int32_t>([](int32_t sum, const uint8_t* a, const uint8_t* b) {
      for (int i = 0; i < 4; ++i) sum += static_cast<int8_t>(a[i]) * static_cast<int8_t>(b[i]);
      return sum;
    });
  }

 private:
  struct Tiles {
    bool configured = false;
    size_t rows[8] = {};
    size_t row_bytes[8] = {};
    uint8_t bytes[8][16][64] = {};
  };
  struct Span {
    const std::byte* data;
    size_t size;
  };

  static Tiles& State() {
    thread_local Tiles tiles;
    return tiles;
  }
  static std::vector<Span>& Allowed() {
    thread_local std::vector<Span> spans;
    return spans;
  }
  static Tiles& Usable() {
    EXPECT_TRUE(State().configured) << "an undefined instruction: no configuration";
    return State();
  }
  static bool Check(const std::byte* row, size_t size) {
    for (const Span& span : Allowed()) {
      if (row >= span.data && row + size <= span.data + span.size) return true;
    }
    ADD_FAILURE() << "a tile reaches outside of the call's memory";
    return false;
  }
  template <int kSum, int kA, int kB, typename T, typename Product>
  static void ForEachFour(Product product) {
    Tiles& tiles = Usable();
    EXPECT_TRUE(kSum != kA && kSum != kB && kA != kB) << "an undefined instruction";
    EXPECT_EQ(tiles.row_bytes[kA] / 4, tiles.rows[kB]);
    for (size_t m = 0; m < tiles.rows[kSum]; ++m) {
      for (size_t k = 0; k < tiles.rows[kB]; ++k) {
        for (size_t n = 0; n < tiles.row_bytes[kSum] / 4; ++n) {
          T sum = 0;
          std::memcpy(&sum, tiles.bytes[kSum][m] + 4 * n, sizeof(sum));
          sum = product(sum, tiles.bytes[kA][m] + 4 * k, tiles.bytes[kB][k] + 4 * n);
          std::memcpy(tiles.bytes[kSum][m] + 4 * n, &sum, sizeof(sum));
        }
      }
    }
  }
};

}  // namespace fathom
