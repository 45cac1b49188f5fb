// linear, linear_group and linear_gated over bf16 kPanel16 weights with AMX, for many rows.
//
// A = activations rounded to bf16, packed as tiles [K / depth][M / 16][depth / 32], a tile = 16
// rows x 32 columns, 1 KB in one run: what one round reads lies in one run too, and no two lines of
// a tile meet in a cache set. B = 16 lines of a panel: a tile as it lies. A round multiplies
// `depth` columns of two panels, in L1, with a chunk of rows from L2, two row tiles at a time: four
// tiles of sums in registers, carried from round to round in scratch. Meanwhile the next two panels
// come to L2.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_split.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS ",amx-tile,amx-bf16")
namespace fathom {
namespace {

constexpr size_t kTileBytes = 1024;
constexpr size_t kTilePanels = 2;
constexpr size_t kBlockRows = 32;  // two A tiles
constexpr size_t kSumsStride = kTilePanels * kPanelRows;

size_t DepthTiles(size_t cols) { return (cols + 31) / 32; }
// Row tiles, an even number: the last may be empty.
size_t RowTiles(size_t rows) { return (rows + 31) / 32 * 2; }

// Tiles along K of one round: equal rounds of at most kAmxDepthTiles.
size_t RoundTiles(size_t depth) {
  const size_t rounds = (depth + kAmxDepthTiles - 1) / kAmxDepthTiles;
  return (depth + rounds - 1) / rounds;
}

// The packed activations.
struct PackedRows {
  std::byte* data = nullptr;
  size_t row_tiles = 0;
  size_t depth = 0;  // tiles along K
  size_t round = 0;  // of them in one round

  // Tiles [k, min(k + round, depth)) of row tile m, one behind the other; k a multiple of `round`.
  std::byte* At(size_t m, size_t k) const {
    return data + (k * row_tiles + m * std::min(round, depth - k)) * kTileBytes;
  }
};

// Rows [16 tile, 16 tile + 16) of x, row by row as they lie; rows and columns beyond x are zero.
void PackRowTile(const LinearJob& job, size_t tile, const PackedRows& packed) {
  for (size_t r = 0; r < 16; ++r) {
    const size_t row = tile * 16 + r;
    const float* x = job.x + row * job.cols;
    for (size_t k = 0; k < packed.depth; k += packed.round) {
      std::byte* to = packed.At(tile, k) + r * 64;
      const size_t end = std::min(k + packed.round, packed.depth);
      for (size_t at = k; at < end; ++at, to += kTileBytes) {
        __m512i pairs = _mm512_setzero_si512();
        if (row < job.rows) {
          const size_t left = std::min<size_t>(32, job.cols - at * 32);
          const auto mask = static_cast<uint32_t>((uint64_t{1} << left) - 1);
          const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + at * 32);
          const __m512 high =
              _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + at * 32 + 16);
          pairs = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
        }
        _mm512_store_si512(to, pairs);
      }
    }
  }
}

// What goes on beside a multiplication, a little in each of its steps: the next panels come to L2
// and the sums of the block before go to y.
class Beside {
 public:
  // `lines` lines of each of two panels a step; 0: none.
  void Prefetch(const std::byte* first, const std::byte* second, size_t lines) {
    first_ = reinterpret_cast<const char*>(first);
    second_ = reinterpret_cast<const char*>(second);
    lines_ = lines;
  }
  // `tile` lives until the rows are stored.
  void Store(const LinearTile& tile, const float* sums, size_t first_row, size_t rows) {
    tile_ = &tile;
    sums_ = sums;
    row_ = first_row;
    end_ = first_row + rows;
    plain_ = !tile.gated && tile.panel_count == kTilePanels && tile.panels[0].rows == kPanelRows &&
             tile.panels[1].rows == kPanelRows;
  }
  void Step(size_t rows) {
    for (size_t i = 0; i < lines_; ++i, first_ += 64, second_ += 64) {
      _mm_prefetch(first_, _MM_HINT_T1);
      _mm_prefetch(second_, _MM_HINT_T1);
    }
    if (row_ == end_ || (!plain_ && ++steps_ % kStepsAStore != 0)) return;
    StoreRows(std::min(plain_ ? rows : rows * kStepsAStore, end_ - row_));
  }
  void Finish() {
    lines_ = 0;
    if (row_ == end_) return;
    StoreRows(end_ - row_);
  }

 private:
  void StoreRows(size_t count) {
    if (plain_) {
      StorePanel(tile_->panels[0], sums_, count);
      StorePanel(tile_->panels[1], sums_ + kPanelRows, count);
    } else {
      N_AVX3::StoreLinearTile(*tile_, sums_, kSumsStride, row_, count);
    }
    sums_ += count * kSumsStride;
    row_ += count;
  }
  void StorePanel(const LinearPanel& panel, const float* sums, size_t count) const {
    const __m512 bias = panel.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(panel.bias);
    float* y = panel.y + row_ * panel.y_stride;
    for (size_t i = 0; i < count; ++i, y += panel.y_stride, sums += kSumsStride) {
      _mm512_storeu_ps(y, _mm512_add_ps(_mm512_load_ps(sums), bias));
    }
  }

  static constexpr size_t kStepsAStore = 2;  // fewer rows at a time cost more calls than they hide

  size_t steps_ = 0;
  bool plain_ = false;  // two whole panels, nothing but a bias
  const char* first_ = nullptr;
  const char* second_ = nullptr;
  size_t lines_ = 0;
  const LinearTile* tile_ = nullptr;
  const float* sums_ = nullptr;
  size_t row_ = 0;
  size_t end_ = 0;
};

constexpr size_t kSumsBytes = kSumsStride * sizeof(float);

// sums [32, 32] (+)= two row tiles x two panels, `depth` tiles along K. The loads of A leave B in
// L1.
void Multiply2x2(const std::byte* a0, const std::byte* a1, const std::byte* b0, const std::byte* b1,
                 size_t depth, Beside& beside, bool carry, float* sums) {
  float* lower = sums + 16 * kSumsStride;
  const size_t rows_a_step = (kBlockRows + depth - 1) / depth;
  if (carry) {
    _tile_loadd(0, sums, kSumsBytes);
    _tile_loadd(1, sums + 16, kSumsBytes);
    _tile_loadd(2, lower, kSumsBytes);
    _tile_loadd(3, lower + 16, kSumsBytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (size_t k = 0; k < depth; ++k) {
    _tile_stream_loadd(4, a0 + k * kTileBytes, 64);
    _tile_loadd(6, b0 + k * kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b1 + k * kTileBytes, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stream_loadd(5, a1 + k * kTileBytes, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    beside.Step(rows_a_step);
  }
  _tile_stored(0, sums, kSumsBytes);
  _tile_stored(1, sums + 16, kSumsBytes);
  _tile_stored(2, lower, kSumsBytes);
  _tile_stored(3, lower + 16, kSumsBytes);
}

// sums [32, 16 of 32] (+)= two row tiles x one panel.
void Multiply2x1(const std::byte* a0, const std::byte* a1, const std::byte* b0, size_t depth,
                 bool carry, float* sums) {
  float* lower = sums + 16 * kSumsStride;
  if (carry) {
    _tile_loadd(0, sums, kSumsBytes);
    _tile_loadd(2, lower, kSumsBytes);
  } else {
    _tile_zero(0);
    _tile_zero(2);
  }
  for (size_t k = 0; k < depth; ++k) {
    _tile_loadd(4, a0 + k * kTileBytes, 64);
    _tile_loadd(6, b0 + k * kTileBytes, 64);
    _tile_loadd(5, a1 + k * kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
  }
  _tile_stored(0, sums, kSumsBytes);
  _tile_stored(2, lower, kSumsBytes);
}

// The sums of the blocks of one chunk, in a ring: those of the block before are still being stored
// while the next is multiplied. With one round two places do, which stay in L1.
struct Sums {
  static constexpr size_t kSlots = kAmxRowTiles / 2 + 1;
  alignas(64) float values[kSlots][kBlockRows * kSumsStride];
  size_t slots = kSlots;
  size_t first = 0;  // of the tile at hand

  float* Of(size_t block) { return values[(first + block) % slots]; }
};

// Row tiles [first, first + count) of the packed activations against one tile of panels. `after`:
// the tile that comes next. The sums of the last block are still to be stored at the end.
void GemmTile(const LinearJob& job, const LinearTile& tile, const LinearTile& after,
              const PackedRows& packed, size_t first, size_t count, Beside& beside, Sums& sums) {
  const size_t blocks = count / 2;
  // 16 lines a tile along K, over all blocks of rows. Few rows: the loads themselves are the
  // stream.
  size_t ahead = after.panel_count == kTilePanels ? (16 + blocks - 1) / blocks : 0;
  if (ahead > 4) ahead = 0;
  for (size_t k = 0; k < packed.depth; k += packed.round) {
    const size_t depth = std::min(packed.round, packed.depth - k);
    const std::byte* b = tile.panels[0].data + k * kTileBytes;
    for (size_t block = 0; block < blocks; ++block) {
      const size_t m = first + 2 * block;
      const std::byte* a0 = packed.At(m, k);
      const std::byte* a1 = a0 + depth * kTileBytes;
      float* block_sums = sums.Of(block);
      if (tile.panel_count == kTilePanels) {
        const size_t at = k * kTileBytes + std::min(block * ahead, 16 - ahead) * depth * 64;
        beside.Prefetch(after.panels[0].data + at, after.panels[1].data + at, ahead);
        Multiply2x2(a0, a1, b, tile.panels[1].data + k * kTileBytes, depth, beside, k != 0,
                    block_sums);
      } else {
        Multiply2x1(a0, a1, b, depth, k != 0, block_sums);
      }
      beside.Finish();
      if (k + depth == packed.depth) {
        beside.Store(tile, block_sums, m * 16, std::min(kBlockRows, job.rows - m * 16));
      }
    }
  }
  sums.first += blocks;
}

template <LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const size_t depth = DepthTiles(job.cols);
  const PackedRows packed{call.scratch, RowTiles(job.rows), depth, RoundTiles(depth)};
  // Either each worker has its rows, from packing to y, and no barrier; or all rows and its panels.
  const bool by_rows = SplitsGemmByRows(job.rows, worker.count);
  const Range mine = Split(packed.row_tiles, worker, 2);
  for (size_t tile = mine.begin; tile < mine.end; ++tile) PackRowTile(job, tile, packed);
  if (!by_rows) worker.Barrier();
  const size_t step = job.gated ? 1 : kTilePanels;
  const Range units = by_rows ? Range{0, job.units} : Split(job.units, worker, step);
  const Range row_tiles = by_rows ? mine : Range{0, packed.row_tiles};
  if (units.empty() || row_tiles.empty()) return;
  Sums sums;
  if (packed.round == depth) sums.slots = 2;
  Beside beside;
  AmxConfigure();
  for (size_t m = row_tiles.begin; m < row_tiles.end; m += kAmxRowTiles) {
    const size_t count = std::min(kAmxRowTiles, row_tiles.end - m);
    LinearTile tiles[3];  // the one before, whose last sums wait, this one and the next, in turns
    tiles[0] = MakeLinearTile(job, units.begin, std::min(step, units.size()));
    size_t turn = 0;
    for (size_t unit = units.begin; unit < units.end; unit += step) {
      const size_t following = unit + step < units.end ? unit + step : units.begin;
      const size_t next = (turn + 1) % 3;
      tiles[next] = MakeLinearTile(job, following, std::min(step, units.end - following));
      GemmTile(job, tiles[turn], tiles[next], packed, m, count, beside, sums);
      turn = next;
    }
    beside.Finish();
  }
  AmxRelease();
}

size_t GemmScratch(const OpCall& call, int workers) {
  const size_t rows = static_cast<size_t>(call.inputs[0].tensor.shape[0]);
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return RowTiles(rows) * DepthTiles(cols) * kTileBytes;
}

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {

void AddLinearBf16Panel16AmxKernels(CpuKernelTable& table) {
  const LinearRow row{.name = "bf16_panel16_gemm",
                      .suffix = "amx",
                      .description = "tiles of 32 x 32 sums, activations packed once",
                      .variant = KernelVariant::kGemm,
                      .dtype = DType::kBF16,
                      .features = kAmxBf16Features,
                      .scratch_bytes = GemmScratch,
                      .compute_epsilon = 0x1p-7,
                      .linear = Gemm<LinearOp::kLinear>,
                      .group = Gemm<LinearOp::kGroup>,
                      .gated = Gemm<LinearOp::kGated>};
  AddLinearRows(table, row);
  AddSplitRows<GemmScratch, Gemm<LinearOp::kLinear>, Gemm<LinearOp::kGroup>,
               Gemm<LinearOp::kGated>>(table, row, "bf16x3_panel16_gemm");
}

}  // namespace fathom

#endif  // __x86_64__
