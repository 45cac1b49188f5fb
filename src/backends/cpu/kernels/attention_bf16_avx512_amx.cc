// attention over a bf16 cache with bf16 products and float32 sums, by AMX tiles or by vdpbf16ps: an
// online softmax (FlashAttention, Dao et al. 2022) over tiles of queries. Decode is
// attention_decode_avx512.cc's.
//
// Lanes are queries, so that masks, maxima and exponentials go lane by lane. For a tile of up to 64
// queries in blocks of 16, and 64 keys at a time:
//
//   Q  [block][D / 2][16]     pairs of dims of 16 queries, once a tile: operand lines of 64 bytes
//   S' [64 keys][64 queries]  = K Q', K as it lies in the cache
//   P  [block][32][16]        exp2(S' - maximum) as pairs of keys: again operand lines
//   V' [Dv][64 keys]          transposed from the cache
//   O' [Dv][64 queries]       = O' * correction + V' P
//
// Both engines compute out[row][query] (+)= a[row] . b[query] over pairs: a in rows, b in lines.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/attention_avx512.h"
#include "backends/cpu/kernels/attention_call.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS ",amx-tile,amx-bf16")
namespace fathom {
namespace {

constexpr size_t kQueries = 64;  // of a tile
constexpr size_t kKeys = 64;     // of a round
constexpr size_t kRowBytes = kQueries * sizeof(float);

size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// A worker's scratch, in floats.
struct Layout {
  size_t head_dim, value_dim;  // padded to whole tiles

  explicit Layout(const AttentionJob& job)
      : head_dim(RoundUp(static_cast<size_t>(job.head_dim), 32)),
        value_dim(RoundUp(static_cast<size_t>(job.value_dim), 16)) {}
  size_t Queries() const { return kQueries * head_dim / 2; }
  size_t Keys() const { return kKeys * head_dim / 2; }
  size_t Values() const { return value_dim * kKeys / 2; }
  size_t Scores() const { return kKeys * kQueries; }
  size_t Probabilities() const { return kKeys / 2 * kQueries; }
  size_t Outputs() const { return value_dim * kQueries; }
  size_t Total() const {
    return Queries() + Keys() + Values() + Scores() + Probabilities() + Outputs();
  }
};

struct Scratch {
  uint32_t *queries, *keys, *values;
  float* scores;
  uint32_t* probabilities;
  float* outputs;

  Scratch(const Layout& layout, float* base) {
    queries = reinterpret_cast<uint32_t*>(base);
    keys = queries + layout.Queries();
    values = keys + layout.Keys();
    scores = reinterpret_cast<float*>(values + layout.Values());
    probabilities = reinterpret_cast<uint32_t*>(scores + layout.Scores());
    outputs = reinterpret_cast<float*>(probabilities + layout.Probabilities());
  }
};

// --- the two engines
// --------------------------------------------------------------------------------

// out[rows][kQueries] (+)= a [rows of a_stride bytes] . b [blocks][lines][16], rows and lines
// multiples of 16.
struct AmxEngine {
  static constexpr bool kTiles = true;

  static void Multiply(const void* a, size_t a_stride, size_t rows, const uint32_t* b,
                       size_t blocks, size_t lines, bool carry, float* out) {
    for (size_t row = 0; row < rows; row += 32) {
      const std::byte* a0 = static_cast<const std::byte*>(a) + row * a_stride;
      const bool two_rows = row + 16 < rows;
      for (size_t block = 0; block < blocks; block += 2) {
        float* to = out + row * kQueries + block * 16;
        const uint32_t* b0 = b + block * lines * 16;
        Tiles(a0, two_rows ? a0 + 16 * a_stride : nullptr, a_stride, b0,
              block + 1 < blocks ? b0 + lines * 16 : nullptr, lines, carry, to);
      }
    }
  }

 private:
  static void Tiles(const std::byte* a0, const std::byte* a1, size_t a_stride, const uint32_t* b0,
                    const uint32_t* b1, size_t lines, bool carry, float* out) {
    float* lower = out + 16 * kQueries;
    if (carry) {
      _tile_loadd(0, out, kRowBytes);
      if (b1 != nullptr) _tile_loadd(1, out + 16, kRowBytes);
      if (a1 != nullptr) _tile_loadd(2, lower, kRowBytes);
      if (a1 != nullptr && b1 != nullptr) _tile_loadd(3, lower + 16, kRowBytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (size_t line = 0; line < lines; line += 16) {
      _tile_loadd(4, a0 + line * 4, a_stride);
      _tile_loadd(6, b0 + line * 16, 64);
      _tile_dpbf16ps(0, 4, 6);
      if (b1 != nullptr) {
        _tile_loadd(7, b1 + line * 16, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
      if (a1 == nullptr) continue;
      _tile_loadd(5, a1 + line * 4, a_stride);
      _tile_dpbf16ps(2, 5, 6);
      if (b1 != nullptr) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, kRowBytes);
    if (b1 != nullptr) _tile_stored(1, out + 16, kRowBytes);
    if (a1 != nullptr) _tile_stored(2, lower, kRowBytes);
    if (a1 != nullptr && b1 != nullptr) _tile_stored(3, lower + 16, kRowBytes);
  }
};

struct DotEngine {
  static constexpr bool kTiles = false;

  static void Multiply(const void* a, size_t a_stride, size_t rows, const uint32_t* b,
                       size_t blocks, size_t lines, bool carry, float* out) {
    for (size_t row = 0; row < rows; row += 8) {
      const std::byte* at = static_cast<const std::byte*>(a) + row * a_stride;
      float* to = out + row * kQueries;
      size_t block = 0;
      for (; block + 2 <= blocks; block += 2) {
        Rows<2>(at, a_stride, b + block * lines * 16, lines, carry, to + block * 16);
      }
      if (block < blocks)
        Rows<1>(at, a_stride, b + block * lines * 16, lines, carry, to + block * 16);
    }
  }

 private:
  template <size_t kBlocks>
  static void Rows(const std::byte* a, size_t a_stride, const uint32_t* b, size_t lines, bool carry,
                   float* out) {
    __m512 acc[8][kBlocks];
    for (size_t r = 0; r < 8; ++r) {
      for (size_t i = 0; i < kBlocks; ++i) {
        acc[r][i] = carry ? _mm512_load_ps(out + r * kQueries + i * 16) : _mm512_setzero_ps();
      }
    }
    for (size_t line = 0; line < lines; ++line) {
      __m512bh bs[kBlocks];
      for (size_t i = 0; i < kBlocks; ++i) {
        bs[i] = reinterpret_cast<__m512bh>(_mm512_load_si512(b + (i * lines + line) * 16));
      }
      for (size_t r = 0; r < 8; ++r) {
        int pair;
        std::memcpy(&pair, a + r * a_stride + line * 4, 4);
        const auto as = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        for (size_t i = 0; i < kBlocks; ++i) acc[r][i] = _mm512_dpbf16_ps(acc[r][i], bs[i], as);
      }
    }
    for (size_t r = 0; r < 8; ++r) {
      for (size_t i = 0; i < kBlocks; ++i) _mm512_store_ps(out + r * kQueries + i * 16, acc[r][i]);
    }
  }
};

// --- shuffles
// ---------------------------------------------------------------------------------------

// rows[i] lane j <-> rows[j] lane i.
inline void Transpose16(__m512i rows[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xDD);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    rows[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
    rows[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
  }
}

// The item's queries, times `scale`, as lines of pairs; dims and queries beyond are zero.
void PackQueries(const AttentionJob& job, const AttentionItem& item, float scale, uint32_t* out) {
  const auto lines = static_cast<int64_t>(Layout(job).head_dim / 2);
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t first = 0; first < item.queries; first += 16) {
    uint32_t* block = out + first * lines;
    for (int64_t k = 0; k < 2 * lines; k += 32) {
      __m512i rows[16];
      for (int64_t i = 0; i < 16; ++i) {
        rows[i] = _mm512_setzero_si512();
        if (first + i >= item.queries) continue;
        const float* q = job.Query(item.sequence, item.head, item.first_query + first + i) + k;
        const int64_t left = job.head_dim - k;
        const __m512 low = _mm512_maskz_loadu_ps(FirstLanes(left), q);
        const __m512 high = _mm512_maskz_loadu_ps(FirstLanes(left - 16), q + 16);
        rows[i] = reinterpret_cast<__m512i>(
            _mm512_cvtne2ps_pbh(_mm512_mul_ps(high, factor), _mm512_mul_ps(low, factor)));
      }
      Transpose16(rows);
      for (int64_t i = 0; i < 16; ++i) _mm512_store_si512(block + (k / 2 + i) * 16, rows[i]);
    }
  }
}

// Rows [0, count) of one block's values [32, Dv] -> columns [0, 32) of V' (64 keys a row), zeros
// for the rows behind.
void TransposeValues(const uint16_t* values, int64_t count, int64_t value_dim, uint32_t* out) {
  for (int64_t d = 0; d < value_dim; d += 16) {
    const __mmask16 dims = FirstLanes(value_dim - d);
    __m512i rows[16];
    for (int64_t pair = 0; pair < 16; ++pair) {
      const auto load = [&](int64_t key) {
        if (key >= count) return _mm512_setzero_si512();
        return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(dims, values + key * value_dim + d));
      };
      rows[pair] = _mm512_or_si512(load(2 * pair), _mm512_slli_epi32(load(2 * pair + 1), 16));
    }
    Transpose16(rows);
    for (int64_t i = 0; i < 16; ++i) {
      _mm512_store_si512(out + (d + i) * static_cast<int64_t>(kKeys / 2), rows[i]);
    }
  }
}

// Rows of `dim` elements -> rows of `padded`, zeros behind.
void PadRows(const uint16_t* rows, int64_t count, int64_t dim, size_t padded, uint32_t* out) {
  auto* to = reinterpret_cast<uint16_t*>(out);
  for (int64_t i = 0; i < 32; ++i, to += padded) {
    const auto bytes = static_cast<size_t>(i < count ? dim : 0) * 2;
    std::memcpy(to, rows + i * dim, bytes);
    std::memset(reinterpret_cast<char*>(to) + bytes, 0, padded * 2 - bytes);
  }
}

// --- softmax
// ----------------------------------------------------------------------------------------

struct Tile {
  alignas(64) float largest[kQueries];
  alignas(64) float sum[kQueries];
  alignas(64) int32_t position[kQueries];  // cache index of the query's token; -1: no query
  int64_t first_position = 0, last_position = 0;
  size_t blocks = 0;  // of 16 queries
};

// Keys [first_key, first_key + rows) of which `count` exist, one block of queries: scores -> P, the
// tile's maxima and sums, O' corrected.
void SoftmaxBlock(const AttentionJob& job, Tile& tile, size_t block, int64_t first_key,
                  int64_t count, const Scratch& scratch) {
  const size_t lane = block * 16;
  const int64_t last = first_key + count - 1;
  const bool masked = last > tile.first_position ||
                      (job.window > 0 && first_key <= tile.last_position - job.window);
  const __m512i position = _mm512_load_si512(tile.position + lane);
  const __m512i oldest =
      _mm512_sub_epi32(position, _mm512_set1_epi32(static_cast<int>(job.window)));
  const __m512 before = _mm512_load_ps(tile.largest + lane);
  __m512 largest = before;
  for (int64_t j = 0; j < count; ++j) {
    float* at = scratch.scores + j * static_cast<int64_t>(kQueries) + lane;
    __m512 score = _mm512_load_ps(at);
    if (job.softcap != 0) score = SoftCap(score, job.softcap);
    if (masked) {
      const __m512i key = _mm512_set1_epi32(static_cast<int>(first_key + j));
      __mmask16 seen = _mm512_cmple_epi32_mask(key, position);
      if (job.window > 0) seen &= _mm512_cmpgt_epi32_mask(key, oldest);
      score = _mm512_mask_mov_ps(_mm512_set1_ps(-3e38f), seen, score);
    }
    if (masked || job.softcap != 0) _mm512_store_ps(at, score);
    largest = _mm512_max_ps(largest, score);
  }
  __m512 sum = _mm512_setzero_ps();
  uint32_t* pairs = scratch.probabilities + block * (kKeys / 2) * 16;
  const __m512i interleave = _mm512_or_si512(
      _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
      _mm512_slli_epi32(
          _mm512_set_epi32(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16), 16));
  const auto probability = [&](int64_t j) {
    if (j >= count) return _mm512_setzero_ps();
    const float* at = scratch.scores + j * static_cast<int64_t>(kQueries) + lane;
    return Exp2(_mm512_sub_ps(_mm512_load_ps(at), largest));
  };
  for (int64_t j = 0; j < static_cast<int64_t>(kKeys); j += 2) {
    const __m512 even = probability(j), odd = probability(j + 1);
    sum = _mm512_add_ps(sum, _mm512_add_ps(even, odd));
    // 16 of each key -> pairs.
    const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    _mm512_store_si512(pairs + j * 8, _mm512_permutexvar_epi16(interleave, both));
  }
  const __m512 correction = Exp2(_mm512_sub_ps(before, largest));
  _mm512_store_ps(tile.sum + lane,
                  _mm512_fmadd_ps(_mm512_load_ps(tile.sum + lane), correction, sum));
  _mm512_store_ps(tile.largest + lane, largest);
  if (_mm512_cmpeq_ps_mask(before, largest) == 0xFFFF) return;
  for (int64_t d = 0; d < job.value_dim; ++d) {
    float* at = scratch.outputs + d * static_cast<int64_t>(kQueries) + lane;
    _mm512_store_ps(at, _mm512_mul_ps(_mm512_load_ps(at), correction));
  }
}

// --- a tile of queries
// ------------------------------------------------------------------------------

void StartTile(const AttentionJob& job, const AttentionItem& item, Tile& tile,
               const Scratch& scratch) {
  const int64_t offset = job.cache_offset[item.sequence];
  tile.first_position = offset + item.first_query / job.group;
  tile.last_position = item.last_key;
  tile.blocks = static_cast<size_t>(item.queries + 15) / 16;
  for (size_t i = 0; i < kQueries; ++i) {
    const int64_t query = item.first_query + static_cast<int64_t>(i);
    tile.largest[i] = kLowest;
    tile.sum[i] = 0;
    tile.position[i] = static_cast<int64_t>(i) < item.queries
                           ? static_cast<int32_t>(offset + query / job.group)
                           : -1;
  }
  // With a softcap the scores are needed as they are; else exp becomes exp2 for nothing.
  PackQueries(job, item, job.softcap != 0 ? job.scale : job.scale * kLog2E, scratch.queries);
  std::memset(scratch.outputs, 0, Layout(job).Outputs() * sizeof(float));
}

// y = O / sum, 16 queries x 16 dims at a time.
void FinishTile(const AttentionJob& job, const AttentionItem& item, const Tile& tile,
                const Scratch& scratch) {
  for (size_t block = 0; block < tile.blocks; ++block) {
    const __m512 factor =
        _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_load_ps(tile.sum + block * 16));
    for (int64_t d = 0; d < job.value_dim; d += 16) {
      __m512i rows[16];
      for (int64_t i = 0; i < 16; ++i) {
        const float* at = scratch.outputs + (d + i) * static_cast<int64_t>(kQueries) + block * 16;
        rows[i] = _mm512_castps_si512(_mm512_mul_ps(_mm512_load_ps(at), factor));
      }
      Transpose16(rows);
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t query = static_cast<int64_t>(block) * 16 + i;
        if (query >= item.queries) break;
        float* y = job.Output(item.sequence, item.head, item.first_query + query) + d;
        _mm512_mask_storeu_ps(y, FirstLanes(job.value_dim - d), _mm512_castsi512_ps(rows[i]));
      }
    }
  }
}

template <class Engine>
void PrefillTile(const AttentionJob& job, const AttentionItem& item, const Scratch& scratch) {
  const Layout layout(job);
  Tile tile;
  StartTile(job, item, tile, scratch);
  const bool direct = job.head_dim % 32 == 0;
  const size_t lines = layout.head_dim / 2;
  constexpr int64_t kBlock = 32;
  for (int64_t first = item.first_key / kBlock * kBlock; first <= item.last_key;
       first += static_cast<int64_t>(kKeys)) {
    const int64_t count = std::min<int64_t>(kKeys, item.last_key - first + 1);
    for (int64_t half = 0; half * kBlock < static_cast<int64_t>(kKeys); ++half) {
      const int64_t there = std::min(kBlock, count - half * kBlock);
      uint32_t* values = scratch.values + half * kBlock / 2;
      if (there <= 0) {
        TransposeValues(nullptr, 0, job.value_dim, values);
        continue;
      }
      const int64_t index = first / kBlock + half;
      const auto* keys = job.Keys<uint16_t>(item.sequence, item.head, index);
      const void* a = keys;
      if (!direct) {
        PadRows(keys, there, job.head_dim, layout.head_dim, scratch.keys);
        a = scratch.keys;
      }
      Engine::Multiply(a, layout.head_dim * 2, RoundUp(static_cast<size_t>(there), 16),
                       scratch.queries, tile.blocks, lines, false,
                       scratch.scores + half * kBlock * static_cast<int64_t>(kQueries));
      TransposeValues(job.Values<uint16_t>(item.sequence, item.head, index), there, job.value_dim,
                      values);
    }
    for (size_t block = 0; block < tile.blocks; ++block) {
      SoftmaxBlock(job, tile, block, first, count, scratch);
    }
    Engine::Multiply(scratch.values, kKeys * 2, layout.value_dim, scratch.probabilities,
                     tile.blocks, kKeys / 2, true, scratch.outputs);
  }
  FinishTile(job, item, tile, scratch);
}

// --- the kernel
// -------------------------------------------------------------------------------------

size_t WorkerFloats(const AttentionJob& job) {
  return std::max(Layout(job).Total(), DotDecodeScratchFloats(job));
}

template <class Engine>
void Flash(const OpCall& call, const Worker& worker) {
  const AttentionJob job = MakeAttentionJob(call);
  float* base = reinterpret_cast<float*>(call.scratch);
  float* own = base + static_cast<size_t>(worker.index) * WorkerFloats(job);
  float* partials = base + static_cast<size_t>(worker.count) * WorkerFloats(job);
  const Scratch scratch(Layout(job), own);
  bool configured = false;
  const int64_t partial_count = ForMyAttentionItems(
      job, static_cast<int64_t>(kQueries), worker, [&](const AttentionItem& item) {
        if (item.decode) return DotDecodeBf16(job, item, own, partials);
        if (Engine::kTiles && !configured) AmxConfigure();
        configured = true;
        PrefillTile<Engine>(job, item, scratch);
      });
  if (Engine::kTiles && configured) AmxRelease();
  if (partial_count == 0) return;
  worker.Barrier();
  N_AVX3::MergePartialResults(job, partials, worker);
}

size_t FlashScratch(const OpCall& call, int workers) {
  const AttentionJob job = MakeAttentionJob(call);
  const auto partials = static_cast<size_t>(MaxPartials(call) * PartialFloats(job));
  return (static_cast<size_t>(workers) * WorkerFloats(job) + partials) * sizeof(float);
}

// Blocks of 32 keys are two tiles.
bool Accepts(const OpCall& call) { return call.inputs[1].tensor.shape[2] == 32; }

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {

void AddAttentionBf16Kernels(CpuKernelTable& table) {
  CpuKernel row{.name = "attention_bf16_dot_flash_avx512",
                .description = "online softmax over cache blocks, vdpbf16ps",
                .op = "attention",
                .variant = KernelVariant::kFlash,
                .cache_dtype = DType::kBF16,
                .features = kAvx512Bf16Features,
                .accepts = Accepts,
                .scratch_bytes = FlashScratch,
                .run = Flash<DotEngine>,
                .compute_epsilon = 0x1p-7};
  table.Add(row);
  row.name = "attention_bf16_flash_amx";
  row.description = "online softmax over cache blocks, AMX tiles";
  row.features = kAmxBf16Features;
  row.run = Flash<AmxEngine>;
  table.Add(row);
}

}  // namespace fathom

#endif  // __x86_64__
