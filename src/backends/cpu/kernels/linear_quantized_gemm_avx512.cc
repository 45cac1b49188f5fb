// linear, linear_group and linear_gated over kInt8Panel16 and kInt4Panel16 weights with vpdpbusd,
// for many rows (linear_gemm.h): the sums of a whole block of columns are integers.
//
// Scales that change every 64 or 32 columns would cost a conversion and two multiplications for
// every 16 (8) products of a sum. So a part of a panel, unpacked once for all rows, becomes int8 of
// one scale a row and block: the largest of its groups' (int8), or what its range needs (int4); the
// activations are rounded by the same blocks.
//
//   weights      w + 128 as bytes, lines as in kInt8Panel16, one float scale a row
//   activations  cells [row tile][block]: 12 rows of kRowStride int8, then 12 float scales, then
//                12 sums of what the products of w + 128 have too much, negative
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/linear_gemm.h"
#include "backends/cpu/kernels/linear_quantized_block.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_VNNI_SETS)
namespace fathom {
namespace {

constexpr size_t kTileRows = 12;
constexpr size_t kBlockCols = 256;
constexpr size_t kMostCols = ColumnBlocks::Most(kBlockCols);
constexpr size_t kRowStride = kMostCols;  // a constant: one register addresses all rows
constexpr size_t kScalesAt = kTileRows * kRowStride;
constexpr size_t kCorrectionsAt = kScalesAt + 64;
constexpr size_t kCellBytes = kCorrectionsAt + 64;

GemmCells CellsOf(const ColumnBlocks& blocks, size_t rows) {
  return {(rows + kTileRows - 1) / kTileRows, blocks.count, kCellBytes};
}
size_t PackedBytes(const ColumnBlocks& blocks, size_t rows) { return CellsOf(blocks, rows).All(); }

void Pack(const LinearJob& job, const ColumnBlocks& blocks, Range row_tiles, std::byte* packed) {
  const GemmCells cells = CellsOf(blocks, job.rows);
  for (size_t tile = row_tiles.begin; tile < row_tiles.end; ++tile) {
    const size_t rows = std::min(kTileRows, job.rows - tile * kTileRows);
    for (size_t m = 0; m < rows; ++m) {
      const float* x = job.x + (tile * kTileRows + m) * job.cols;
      for (size_t block = 0; block < blocks.count; ++block) {
        std::byte* cell = packed + cells.At(tile, block);
        const QuantizedBlock q = QuantizeBlock(x + blocks.First(block), blocks.ColsOf(block),
                                               blocks.ColsOf(block), 64, cell + m * kRowStride);
        reinterpret_cast<float*>(cell + kScalesAt)[m] = q.scale;
        reinterpret_cast<int32_t*>(cell + kCorrectionsAt)[m] = -128 * q.sum;
      }
    }
  }
}

// sum + the four products of unsigned by signed bytes in each lane. As text: around the intrinsic
// GCC 12 copies and spills the sums.
inline __m512i DotFour(__m512i sum, __m512i bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(signed_bytes));
  return sum;
}

// sums [kM, kP * 16] (+)= the rows of a cell times kP parts of panels.
template <size_t kM, size_t kP>
void MultiplyTile(const PanelBlock* panels, const std::byte* cell, size_t lines, bool carry,
                  float* sums) {
  __m512i acc[kM][kP];
  const auto* corrections = reinterpret_cast<const int32_t*>(cell + kCorrectionsAt);
  const auto* scales = reinterpret_cast<const float*>(cell + kScalesAt);
#pragma GCC unroll 16
  for (size_t m = 0; m < kM; ++m) {
#pragma GCC unroll 16
    for (size_t p = 0; p < kP; ++p) acc[m][p] = _mm512_set1_epi32(corrections[m]);
  }
  for (size_t line = 0; line < lines; ++line) {
    __m512i w[kP];
#pragma GCC unroll 16
    for (size_t p = 0; p < kP; ++p) w[p] = _mm512_load_si512(panels[p].lines() + line * 64);
    const std::byte* x = cell + line * 4;
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
      int32_t four = 0;
      std::memcpy(&four, x + m * kRowStride, sizeof(four));
      const __m512i fours = _mm512_set1_epi32(four);
#pragma GCC unroll 16
      for (size_t p = 0; p < kP; ++p) acc[m][p] = DotFour(acc[m][p], w[p], fours);
    }
  }
#pragma GCC unroll 16
  for (size_t p = 0; p < kP; ++p) {
    const __m512 scale = _mm512_load_ps(panels[p].scales());
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
      float* to = sums + m * kP * kPanelRows + p * kPanelRows;
      const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(scales[m]));
      const __m512 before = carry ? _mm512_load_ps(to) : _mm512_setzero_ps();
      _mm512_store_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[m][p]), both, before));
    }
  }
}

template <size_t kM, size_t kP>
void MultiplyRows(size_t rows, const PanelBlock* panels, const std::byte* cell, size_t lines,
                  bool carry, float* sums) {
  if constexpr (kM > 1) {
    if (rows < kM) return MultiplyRows<kM - 1, kP>(rows, panels, cell, lines, carry, sums);
  }
  MultiplyTile<kM, kP>(panels, cell, lines, carry, sums);
}

template <class Format>
void Multiply(const GemmStep& step) {
  const size_t panel_count = step.tile->panel_count;
  const PanelBlock panels[] = {{step.own}, {step.own + PanelBlock::Bytes(kMostCols)}};
  const ColumnBlocks& blocks = *step.blocks;
  const size_t first = blocks.First(step.block), cols = blocks.ColsOf(step.block);
  for (size_t p = 0; p < panel_count; ++p) {
    UnpackBlock<Format>(step.tile->panels[p], first, cols, PanelBytes::kPlus128, panels[p]);
  }
  const GemmCells cells = CellsOf(blocks, step.rows);
  const size_t lines = (cols + 3) / 4;
  const size_t stride = panel_count * kPanelRows;
  NextPanels next(step, Format::kColumnBytes, step.end_tile - step.first_tile);
  const bool carry = step.block != 0;
  float* sums = step.sums;
  for (size_t tile = step.first_tile; tile < step.end_tile; ++tile) {
    next.Prefetch();
    const std::byte* cell = step.packed + cells.At(tile, step.block);
    const size_t rows = std::min(kTileRows, step.rows - tile * kTileRows);
    if (panel_count == kGemmPanels) {
      MultiplyRows<kTileRows, 2>(rows, panels, cell, lines, carry, sums);
    } else {
      MultiplyRows<kTileRows, 1>(rows, panels, cell, lines, carry, sums);
    }
    sums += kTileRows * stride;
  }
}

template <class Format>
constexpr GemmKernel kKernel = {.row_tile = kTileRows,
                                .block_target = kBlockCols,
                                .packed_bytes = PackedBytes,
                                .pack = Pack,
                                .own_bytes = kGemmPanels* PanelBlock::Bytes(kMostCols),
                                .multiply = Multiply<Format>,
                                .store = N_AVX3::StoreLinearTile};

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {
namespace {

template <class Format, LinearOp kOp>
void Gemm(const OpCall& call, const Worker& worker) {
  BlockedGemm(kKernel<Format>, kOp, call, worker);
}
template <class Format>
size_t GemmScratch(const OpCall& call, int workers) {
  return BlockedGemmScratch(kKernel<Format>, call, workers);
}

template <class Format>
void AddRows(CpuKernelTable& table, const char* name) {
  const LinearRow row{.name = name,
                      .suffix = "avx512",
                      .description = "int8 of one scale a block of columns, integer sums a block",
                      .variant = KernelVariant::kGemm,
                      .format = Format::kFormat,
                      .dtype = Format::kDType,
                      .features = kAvx512VnniFeatures,
                      .scratch_bytes = GemmScratch<Format>,
                      .compute_epsilon = BlockEpsilon(kMostCols),
                      .linear = Gemm<Format, LinearOp::kLinear>,
                      .group = Gemm<Format, LinearOp::kGroup>,
                      .gated = Gemm<Format, LinearOp::kGated>};
  AddLinearRows(table, row);
}

}  // namespace

void AddLinearQuantizedGemmAvx512Kernels(CpuKernelTable& table) {
  AddRows<Int8Block>(table, "int8_panel16_dot_gemm");
  AddRows<Int4Block>(table, "int4_panel16_dot_gemm");
}

}  // namespace fathom

#endif  // __x86_64__
