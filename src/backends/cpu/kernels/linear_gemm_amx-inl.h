// The AMX multiplications of the blocked GEMM (linear_gemm.h), for any class of tiles
// (amx_tiles.h). Included inside a target region and an anonymous namespace of fathom, behind its
// includes:
//   <immintrin.h>, amx_tiles.h, linear_gemm.h, linear_quantized_block.h
//
//   activations  cells [32 rows][block] of tiles [2 x 16 rows][columns / 32 or 64], a tile = 16
//                rows x 64 bytes in one run: no two lines of a tile meet in a cache set.
//                Integers: 32 float scales behind the tiles
//   weights      bf16: 16 lines of a panel are a tile as they lie. Integers: unpacked once a block
//                into the worker's own scratch, then likewise
//   sums         2 x 2 tiles in registers over one block: its part of two panels in L1, activations
//                from L2. bf16: carried in scratch. Integers: stored, and turned into floats during
//                the next multiplication, so that vectors work while the tiles do

constexpr size_t kAmxRows = 32;  // of two tiles of activations
constexpr size_t kAmxBlockCols = 512;
constexpr size_t kAmxMostCols = ColumnBlocks::Most(kAmxBlockCols);
constexpr size_t kAmxSumsStride = kGemmPanels * kPanelRows * sizeof(float);
constexpr size_t kAmxScaleBytes = kAmxRows * sizeof(float);

// Cells of tiles of `tile_cols` columns, `tail` bytes behind them.
struct AmxCells {
  size_t tiles = 0;  // along K, of a whole block
  GemmCells cells;

  AmxCells(const ColumnBlocks& cut, size_t rows, size_t tile_cols, size_t tail)
      : tiles((cut.size + tile_cols - 1) / tile_cols),
        cells{(rows + kAmxRows - 1) / kAmxRows, cut.count, 2 * tiles * kAmxTileBytes + tail} {}
  size_t At(size_t row_tile, size_t block) const { return cells.At(row_tile, block); }
  // Where row r of a cell begins: its 64 bytes of tile after tile, kAmxTileBytes apart.
  size_t Row(size_t r) const { return r / 16 * tiles * kAmxTileBytes + r % 16 * 64; }
};

struct AmxBf16Product {
  template <class Tiles, int kSum, int kA, int kB>
  static void Dot() {
    Tiles::template DotBF16<kSum, kA, kB>();
  }
};
struct AmxInt8Product {
  template <class Tiles, int kSum, int kA, int kB>
  static void Dot() {
    Tiles::template DotInt8<kSum, kA, kB>();
  }
};

// sums [32, kAmxSumsStride] (+)= two row tiles times kPanels panels, `depth` tiles along K.
// beside(): called once a tile along K.
template <class Tiles, class Product, size_t kPanels, class Beside>
void AmxMultiply(const std::byte* const* a, const std::byte* const* b, size_t depth, bool carry,
                 std::byte* sums, size_t stride, Beside beside) {
  std::byte* lower = sums + 16 * stride;
  if (carry) {
    Tiles::template Load<0>(sums, stride);
    Tiles::template Load<2>(lower, stride);
    if constexpr (kPanels == 2) {
      Tiles::template Load<1>(sums + 64, stride);
      Tiles::template Load<3>(lower + 64, stride);
    }
  } else {
    Tiles::template Zero<0>();
    Tiles::template Zero<2>();
    if constexpr (kPanels == 2) {
      Tiles::template Zero<1>();
      Tiles::template Zero<3>();
    }
  }
  for (size_t k = 0; k < depth; ++k) {
    const size_t at = k * kAmxTileBytes;
    Tiles::template Load<6>(b[0] + at, 64);
    Tiles::template LoadOnce<4>(a[0] + at, 64);
    Product::template Dot<Tiles, 0, 4, 6>();
    if constexpr (kPanels == 2) {
      Tiles::template Load<7>(b[1] + at, 64);
      Product::template Dot<Tiles, 1, 4, 7>();
    }
    Tiles::template LoadOnce<5>(a[1] + at, 64);
    Product::template Dot<Tiles, 2, 5, 6>();
    if constexpr (kPanels == 2) Product::template Dot<Tiles, 3, 5, 7>();
    beside();
  }
  Tiles::template Store<0>(sums, stride);
  Tiles::template Store<2>(lower, stride);
  if constexpr (kPanels == 2) {
    Tiles::template Store<1>(sums + 64, stride);
    Tiles::template Store<3>(lower + 64, stride);
  }
}

// --- bf16

template <class Tiles>
struct AmxBf16 {
  static AmxCells CellsOf(const ColumnBlocks& blocks, size_t rows) {
    return AmxCells(blocks, rows, 32, 0);
  }
  static size_t PackedBytes(const ColumnBlocks& blocks, size_t rows) {
    return CellsOf(blocks, rows).cells.All();
  }

  // x [cols], or zeros, as one row of a cell.
  static void PackRow(const float* x, size_t cols, std::byte* to) {
    for (size_t k = 0; k < cols; k += 32, to += kAmxTileBytes) {
      const size_t left = x == nullptr ? 0 : std::min<size_t>(32, cols - k);
      const auto mask = static_cast<uint32_t>((uint64_t{1} << left) - 1);
      const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + k);
      const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + k + 16);
      _mm512_store_si512(to, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
  }
  static void Pack(const LinearJob& job, const ColumnBlocks& blocks, Range row_tiles,
                   std::byte* packed) {
    const AmxCells cells = CellsOf(blocks, job.rows);
    for (size_t tile = row_tiles.begin; tile < row_tiles.end; ++tile) {
      for (size_t r = 0; r < kAmxRows; ++r) {
        const size_t row = tile * kAmxRows + r;
        for (size_t block = 0; block < blocks.count; ++block) {
          const float* x = row < job.rows ? job.x + row * job.cols + blocks.First(block) : nullptr;
          PackRow(x, blocks.ColsOf(block), packed + cells.At(tile, block) + cells.Row(r));
        }
      }
    }
  }

  template <size_t kPanels>
  static void MultiplyRows(const GemmStep& step) {
    const ColumnBlocks& blocks = *step.blocks;
    const AmxCells cells = CellsOf(blocks, step.rows);
    const size_t depth = (blocks.ColsOf(step.block) + 31) / 32;
    const std::byte* b[kPanels];
    for (size_t p = 0; p < kPanels; ++p) {
      b[p] = step.tile->panels[p].data + blocks.First(step.block) / 32 * kAmxTileBytes;
    }
    NextPanels next(step, 32, (step.end_tile - step.first_tile) * depth);
    auto* sums = reinterpret_cast<std::byte*>(step.sums);
    constexpr size_t kStride = kPanels * kPanelRows * sizeof(float);
    for (size_t tile = step.first_tile; tile < step.end_tile; ++tile) {
      const std::byte* cell = step.packed + cells.At(tile, step.block);
      const std::byte* const a[] = {cell, cell + cells.tiles * kAmxTileBytes};
      AmxMultiply<Tiles, AmxBf16Product, kPanels>(a, b, depth, step.block != 0, sums, kStride,
                                                  [&] { next.Prefetch(); });
      sums += kAmxRows * kStride;
    }
  }
  static void Multiply(const GemmStep& step) {
    if (step.tile->panel_count == kGemmPanels) return MultiplyRows<2>(step);
    MultiplyRows<1>(step);
  }

  static constexpr GemmKernel kKernel = {.row_tile = kAmxRows,
                                         .block_target = kAmxBlockCols,
                                         .packed_bytes = PackedBytes,
                                         .pack = Pack,
                                         .begin = Tiles::Configure,
                                         .multiply = Multiply,
                                         .end = Tiles::Release,
                                         .store = N_AVX3::StoreLinearTile};
};

// --- int8 and int4

template <class Tiles, class Format>
struct AmxIntegers {
  static constexpr size_t kIntegerBytes = kAmxRows * kAmxSumsStride;

  static AmxCells CellsOf(const ColumnBlocks& blocks, size_t rows) {
    return AmxCells(blocks, rows, 64, kAmxScaleBytes);
  }
  static size_t PackedBytes(const ColumnBlocks& blocks, size_t rows) {
    return CellsOf(blocks, rows).cells.All();
  }
  static float* ScalesOf(const AmxCells& cells, std::byte* cell) {
    return reinterpret_cast<float*>(cell + 2 * cells.tiles * kAmxTileBytes);
  }

  static void Pack(const LinearJob& job, const ColumnBlocks& blocks, Range row_tiles,
                   std::byte* packed) {
    const AmxCells cells = CellsOf(blocks, job.rows);
    for (size_t tile = row_tiles.begin; tile < row_tiles.end; ++tile) {
      for (size_t block = 0; block < blocks.count; ++block) {
        std::byte* cell = packed + cells.At(tile, block);
        const size_t first = blocks.First(block), cols = blocks.ColsOf(block);
        for (size_t r = 0; r < kAmxRows; ++r) {
          const size_t row = tile * kAmxRows + r;
          const bool inside = row < job.rows;
          const QuantizedBlock q =
              QuantizeBlock(inside ? job.x + row * job.cols + first : nullptr, inside ? cols : 0,
                            cols, kAmxTileBytes, cell + cells.Row(r));
          ScalesOf(cells, cell)[r] = q.scale;
        }
      }
    }
  }

  // The integers of the row tile before, on their way into the sums.
  template <size_t kPanels>
  struct Pending {
    const int32_t* integers = nullptr;
    const float* scales = nullptr;  // of the rows
    float* sums = nullptr;
    size_t row = kAmxRows;  // the next; kAmxRows: none is left
    bool carry = false;
    __m512 panel_scales[kPanels];

    void Rows(size_t count) {
      const size_t end = std::min(row + count, kAmxRows);
      for (; row < end; ++row) {
        const __m512 x = _mm512_set1_ps(scales[row]);
        for (size_t p = 0; p < kPanels; ++p) {
          const size_t at = (row * kPanels + p) * kPanelRows;
          const __m512 values = _mm512_cvtepi32_ps(_mm512_load_si512(integers + at));
          const __m512 before = carry ? _mm512_load_ps(sums + at) : _mm512_setzero_ps();
          const __m512 scale = _mm512_mul_ps(panel_scales[p], x);
          _mm512_store_ps(sums + at, _mm512_fmadd_ps(values, scale, before));
        }
      }
    }
  };

  template <size_t kPanels>
  static void MultiplyRows(const GemmStep& step) {
    const ColumnBlocks& blocks = *step.blocks;
    const AmxCells cells = CellsOf(blocks, step.rows);
    const size_t first = blocks.First(step.block), cols = blocks.ColsOf(step.block);
    const size_t depth = (cols + 63) / 64;
    std::byte* integers = step.own + kGemmPanels * PanelBlock::Bytes(kAmxMostCols);
    Pending<kPanels> pending;
    pending.carry = step.block != 0;
    const std::byte* b[kPanels];
    for (size_t p = 0; p < kPanels; ++p) {
      const PanelBlock block{step.own + p * PanelBlock::Bytes(kAmxMostCols)};
      UnpackBlock<Format>(step.tile->panels[p], first, cols, PanelBytes::kSigned, block);
      b[p] = block.lines();
      pending.panel_scales[p] = _mm512_load_ps(block.scales());
    }
    NextPanels next(step, Format::kColumnBytes, (step.end_tile - step.first_tile) * depth);
    const size_t rows_a_step = (kAmxRows + depth - 1) / depth;
    constexpr size_t kStride = kPanels * kPanelRows * sizeof(int32_t);
    float* sums = step.sums;
    size_t turn = 0;
    for (size_t tile = step.first_tile; tile < step.end_tile; ++tile) {
      std::byte* cell = const_cast<std::byte*>(step.packed) + cells.At(tile, step.block);
      const std::byte* const a[] = {cell, cell + cells.tiles * kAmxTileBytes};
      std::byte* to = integers + turn * kIntegerBytes;
      AmxMultiply<Tiles, AmxInt8Product, kPanels>(a, b, depth, false, to, kStride, [&] {
        next.Prefetch();
        pending.Rows(rows_a_step);
      });
      pending.integers = reinterpret_cast<const int32_t*>(to);
      pending.scales = ScalesOf(cells, cell);
      pending.sums = sums;
      pending.row = 0;
      turn = 1 - turn;
      sums += kAmxRows * kPanels * kPanelRows;
    }
    pending.Rows(kAmxRows);
  }
  static void Multiply(const GemmStep& step) {
    if (step.tile->panel_count == kGemmPanels) return MultiplyRows<2>(step);
    MultiplyRows<1>(step);
  }

  static constexpr GemmKernel kKernel = {
      .row_tile = kAmxRows,
      .block_target = kAmxBlockCols,
      .packed_bytes = PackedBytes,
      .pack = Pack,
      .own_bytes = kGemmPanels * PanelBlock::Bytes(kAmxMostCols) + 2 * kIntegerBytes,
      .begin = Tiles::Configure,
      .multiply = Multiply,
      .end = Tiles::Release,
      .store = N_AVX3::StoreLinearTile};
};
