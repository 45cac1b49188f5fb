// The blocked GEMM of linear, linear_group and linear_gated for many rows: the loops around a
// multiplication that a file of this folder brings for its types and instruction set.
//
//   pack       all workers: rows of x as the multiplication reads them, cut along K in blocks of
//              about 256 columns
//   barrier
//   multiply   each worker its panels:
//     chunk of rows          its activations of one block and the sums of one set fit L2 together
//       set of tiles         a few tiles of two panels
//         block of columns   the activations of the block come to L2 once a set
//           tile             its part of the panels lies in L1
//             multiply       row tile by row tile: sums in registers, carried in scratch
//       store                sums -> y
#pragma once

#include <algorithm>
#include <cstddef>

#include "backends/cpu/kernels/linear_call.h"

namespace fathom {

// The cut of K: equal blocks of about `target` columns, at most 1.5 times as many, a multiple of
// 64; the last one may be shorter.
struct ColumnBlocks {
  ColumnBlocks(size_t cols_in, size_t target) : cols(cols_in) {
    const size_t wanted = std::max<size_t>(1, (cols + target / 2 - 1) / target);
    size = std::max<size_t>(1, ((cols + wanted - 1) / wanted + 63) / 64) * 64;
    count = (cols + size - 1) / size;
  }
  static constexpr size_t Most(size_t target) { return target + target / 2; }
  size_t First(size_t block) const { return block * size; }
  size_t ColsOf(size_t block) const { return std::min(size, cols - First(block)); }

  size_t cols = 0;
  size_t size = 0;
  size_t count = 0;
};

inline constexpr size_t kGemmPanels = 2;  // of a tile

// Packed activations are cells, one a row tile and block, those of one block side by side: what a
// multiplication reads lies in few pages.
struct GemmCells {
  size_t row_tiles = 0;
  size_t blocks = 0;
  size_t bytes = 0;  // of a cell

  size_t All() const { return row_tiles * blocks * bytes; }
  size_t At(size_t row_tile, size_t block) const { return (block * row_tiles + row_tile) * bytes; }
};

// What one call of a multiplication works on.
struct GemmStep {
  const LinearTile* tile = nullptr;  // one or two panels
  const ColumnBlocks* blocks = nullptr;
  size_t block = 0;
  const std::byte* packed = nullptr;  // of the whole job
  size_t first_tile = 0;              // row tiles
  size_t end_tile = 0;
  size_t rows = 0;           // of the whole job
  std::byte* own = nullptr;  // this worker's own scratch, kernel.own_bytes
  float* sums = nullptr;     // [rows of the tiles, 16 panels]; written anew by block 0
  // What is multiplied next, to be asked for meanwhile; null at the end.
  const LinearTile* next = nullptr;
  size_t next_block = 0;
};

struct GemmKernel {
  size_t row_tile = 0;      // rows of one register tile
  size_t block_target = 0;  // columns of a block, about; a multiple of 128
  // Bytes that the rows of the job take, packed; a multiple of 64.
  size_t (*packed_bytes)(const ColumnBlocks& blocks, size_t rows) = nullptr;
  void (*pack)(const LinearJob& job, const ColumnBlocks& blocks, Range row_tiles,
               std::byte* packed) = nullptr;
  size_t own_bytes = 0;  // a multiple of 64
  // Around all multiplications of one worker; null: nothing.
  void (*begin)() = nullptr;
  void (*multiply)(const GemmStep& step) = nullptr;
  void (*end)() = nullptr;
  void (*store)(const LinearTile& tile, const float* sums, size_t sums_stride, size_t first_row,
                size_t rows) = nullptr;
};

// What comes next, to L2: a few lines of either panel at a time, all of them after `times` times.
class NextPanels {
 public:
  // bytes_a_column: of a panel.
  NextPanels(const GemmStep& step, size_t bytes_a_column, size_t times) {
    if (step.next == nullptr) return;
    const size_t bytes = step.blocks->ColsOf(step.next_block) * bytes_a_column;
    left_ = (bytes + 63) / 64;
    count_ = (left_ + times - 1) / times;
    panel_count_ = step.next->panel_count;
    for (size_t p = 0; p < panel_count_; ++p) {
      panels_[p] = step.next->panels[p].data + step.blocks->First(step.next_block) * bytes_a_column;
    }
  }
  void Prefetch() {
    for (size_t i = std::min(count_, left_); i > 0; --i, --left_) {
      for (size_t p = 0; p < panel_count_; ++p) {
        __builtin_prefetch(panels_[p], 0, 2);
        panels_[p] += 64;
      }
    }
  }

 private:
  size_t count_ = 0;
  size_t left_ = 0;
  size_t panel_count_ = 0;
  const std::byte* panels_[kGemmPanels] = {};
};

void BlockedGemm(const GemmKernel& kernel, LinearOp op, const OpCall& call, const Worker& worker);
size_t BlockedGemmScratch(const GemmKernel& kernel, const OpCall& call, int workers);

}  // namespace fathom
