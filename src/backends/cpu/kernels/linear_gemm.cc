#include "backends/cpu/kernels/linear_gemm.h"

#include <array>

#include "backends/cpu/heuristics.h"

namespace fathom {
namespace {

constexpr size_t kSumsStride = kGemmPanels * kPanelRows;

size_t RowTiles(const GemmKernel& kernel, size_t rows) {
  return (rows + kernel.row_tile - 1) / kernel.row_tile;
}

// Row tiles of a chunk: equal chunks of at most kGemmChunkRows rows.
size_t ChunkTiles(const GemmKernel& kernel, size_t rows) {
  const size_t tiles = RowTiles(kernel, rows);
  const size_t most = std::max<size_t>(1, kGemmChunkRows / kernel.row_tile);
  const size_t chunks = std::max<size_t>(1, (tiles + most - 1) / most);
  return (tiles + chunks - 1) / chunks;
}

size_t OwnBytes(const GemmKernel& kernel, size_t rows) {
  const size_t chunk_rows = ChunkTiles(kernel, rows) * kernel.row_tile;
  return kernel.own_bytes + kGemmSetTiles * chunk_rows * kSumsStride * sizeof(float);
}

// The tiles of one set, in the order in which they are multiplied.
struct TileSet {
  size_t count = 0;
  std::array<LinearTile, kGemmSetTiles> tiles;

  TileSet(const LinearJob& job, size_t unit, size_t end, size_t step) {
    for (; unit < end && count < kGemmSetTiles; unit += step) {
      tiles[count++] = MakeLinearTile(job, unit, std::min(step, end - unit));
    }
  }
};

// One set over one chunk of rows. step: the fields that all its calls share.
void RunSet(const GemmKernel& kernel, const TileSet& set, GemmStep step, float* sums) {
  const size_t first_row = step.first_tile * kernel.row_tile;
  const size_t rows = std::min(step.end_tile * kernel.row_tile, step.rows) - first_row;
  const size_t tile_sums = (step.end_tile - step.first_tile) * kernel.row_tile * kSumsStride;
  for (step.block = 0; step.block < step.blocks->count; ++step.block) {
    for (size_t t = 0; t < set.count; ++t) {
      const bool last = t + 1 == set.count;
      step.tile = &set.tiles[t];
      step.sums = sums + t * tile_sums;
      step.next = &set.tiles[last ? 0 : t + 1];
      step.next_block = step.block + (last ? 1 : 0);
      if (step.next_block == step.blocks->count) step.next = nullptr;
      kernel.multiply(step);
    }
  }
  for (size_t t = 0; t < set.count; ++t) {
    kernel.store(set.tiles[t], sums + t * tile_sums, set.tiles[t].panel_count * kPanelRows,
                 first_row, rows);
  }
}

}  // namespace

void BlockedGemm(const GemmKernel& kernel, LinearOp op, const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(op, call);
  if (job.rows == 0) return;
  const ColumnBlocks blocks(job.cols, kernel.block_target);
  const size_t row_tiles = RowTiles(kernel, job.rows);
  kernel.pack(job, blocks, Split(row_tiles, worker), call.scratch);
  worker.Barrier();
  const size_t unit_step = job.gated ? kGemmPanels / 2 : kGemmPanels;
  const Range units = Split(job.units, worker, unit_step);
  GemmStep step{.blocks = &blocks, .packed = call.scratch, .rows = job.rows};
  step.own = call.scratch + kernel.packed_bytes(blocks, job.rows) +
             static_cast<size_t>(worker.index) * OwnBytes(kernel, job.rows);
  auto* sums = reinterpret_cast<float*>(step.own + kernel.own_bytes);
  const size_t chunk = ChunkTiles(kernel, job.rows);
  if (units.empty()) return;
  if (kernel.begin != nullptr) kernel.begin();
  for (size_t tile = 0; tile < row_tiles; tile += chunk) {
    step.first_tile = tile;
    step.end_tile = std::min(tile + chunk, row_tiles);
    for (size_t unit = units.begin; unit < units.end; unit += kGemmSetTiles * unit_step) {
      RunSet(kernel, TileSet(job, unit, units.end, unit_step), step, sums);
    }
  }
  if (kernel.end != nullptr) kernel.end();
}

size_t BlockedGemmScratch(const GemmKernel& kernel, const OpCall& call, int workers) {
  const auto rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  const auto cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  const ColumnBlocks blocks(cols, kernel.block_target);
  return kernel.packed_bytes(blocks, rows) + static_cast<size_t>(workers) * OwnBytes(kernel, rows);
}

}  // namespace fathom
