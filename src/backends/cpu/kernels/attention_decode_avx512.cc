// Decode attention over a bf16 cache by vdpbf16ps: one query a head, the heads of a key/value head
// up to four at a time, one block of 32 keys at a time with the softmax carried along.
//
//   block    the scores of all heads, one stream through the keys; the softmax of up to 16 heads
//            together; then all heads' values, one stream
//   scores   a tile of 16 products: 4 keys x 4 heads (16 x 1, 8 x 2), lanes are pairs of dims; the
//            16 sums over lanes come out of one transposing addition
//   values   two rows are interleaved into pairs of keys, lanes are dims; the probabilities are
//            broadcast pairs
//
// Loops over what lies in registers are unrolled by a pragma: where the compiler does it by itself,
// it does so too late, and every sum is stored and loaded again at each step.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/attention_avx512.h"
#include "backends/cpu/kernels/attention_call.h"
#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS)
namespace fathom {
namespace {

constexpr size_t kBlock = 32;    // keys
constexpr size_t kMaxHeads = 4;  // at a time
constexpr size_t kSoftmaxHeads = 16;

size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// A worker's scratch, in floats.
struct Layout {
  size_t head_dim, value_dim, heads;  // dims padded to whole vectors of bf16

  explicit Layout(const AttentionJob& job)
      : head_dim(RoundUp(static_cast<size_t>(job.head_dim), 32)),
        value_dim(RoundUp(static_cast<size_t>(job.value_dim), 32)),
        heads(static_cast<size_t>(job.num_heads)) {}
  size_t Queries() const { return heads * head_dim / 2; }
  size_t Outputs() const { return heads * value_dim; }
  size_t Scores() const { return heads * kBlock; }
  size_t Probabilities() const { return heads * kBlock / 2; }
  // Of a float a head, whole vectors of them.
  size_t OfHeads() const { return RoundUp(heads, kSoftmaxHeads); }
  size_t Total() const {
    return Queries() + Scores() + Probabilities() + RoundUp(Outputs(), 16) + 3 * OfHeads();
  }
};

// Rows of one block and key/value head.
struct Rows {
  const uint16_t* data = nullptr;
  size_t count = 0;
  bool prefetch = true;  // the rows behind; once, not for every few of many query heads
};

// Asks for `bytes` that lie kAttentionPrefetchBytes behind `rows`, to L2: the heads of a block lie
// one behind the other and blocks are handed out in order, so that this is mostly what comes next.
// (To L1 it gives nothing: too few lines can be on their way there.) Inlined by force: GCC 12 drops
// calls of a function that does nothing but prefetch.
[[gnu::always_inline]] inline void PrefetchBehind(const uint16_t* rows, size_t bytes) {
  const char* behind = reinterpret_cast<const char*>(rows) + kAttentionPrefetchBytes;
  for (size_t at = 0; at < bytes; at += 64) _mm_prefetch(behind + at, _MM_HINT_T1);
}

template <bool kMax>
inline __m512 Both(__m512 x, __m512 y) {
  return kMax ? _mm512_max_ps(x, y) : _mm512_add_ps(x, y);
}
// Quarters of 4 lanes: x0 + x1, x2 + x3, y0 + y1, y2 + y3.
template <bool kMax>
inline __m512 BothOfQuarters(__m512 x, __m512 y) {
  return Both<kMax>(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
}

// Lane i: the sum (the largest) of the lanes of a[i].
template <bool kMax = false>
inline __m512 OfLanes(const __m512 a[16]) {
  __m512 v[4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    const __m512* b = a + 4 * g;
    const __m512 low = Both<kMax>(_mm512_unpacklo_ps(b[0], b[1]), _mm512_unpackhi_ps(b[0], b[1]));
    const __m512 high = Both<kMax>(_mm512_unpacklo_ps(b[2], b[3]), _mm512_unpackhi_ps(b[2], b[3]));
    const __m512d l = _mm512_castps_pd(low), h = _mm512_castps_pd(high);
    v[g] = Both<kMax>(_mm512_castpd_ps(_mm512_unpacklo_pd(l, h)),
                      _mm512_castpd_ps(_mm512_unpackhi_pd(l, h)));
  }
  return BothOfQuarters<kMax>(BothOfQuarters<kMax>(v[0], v[1]), BothOfQuarters<kMax>(v[2], v[3]));
}

// The first `count` of 32 bf16.
inline __mmask32 FirstPairs(size_t count) {
  return count >= 32 ? 0xFFFFFFFF : static_cast<__mmask32>((1u << count) - 1);
}

template <size_t kHeads>
constexpr size_t kTileKeys = kHeads == 1   ? 16
                             : kHeads == 2 ? 8
                                           : 4;

// scores[h][key], kTileKeys keys from `key` on; the last row stands in for rows beyond it.
template <size_t kHeads>
inline void ScoreTile(const uint16_t* q, size_t q_stride, const Rows& rows, size_t key, size_t dim,
                      float* scores) {
  constexpr size_t kKeys = kTileKeys<kHeads>;
  const uint16_t* at[kKeys];
#pragma GCC unroll 16
  for (size_t i = 0; i < kKeys; ++i) at[i] = rows.data + std::min(key + i, rows.count - 1) * dim;
  __m512 acc[16];
#pragma GCC unroll 16
  for (size_t i = 0; i < 16; ++i) acc[i] = _mm512_setzero_ps();
  for (size_t d = 0; d < dim; d += 32) {
    const __mmask32 dims = FirstPairs(dim - d);
    __m512bh qs[kHeads];
#pragma GCC unroll 16
    for (size_t h = 0; h < kHeads; ++h) {
      qs[h] = reinterpret_cast<__m512bh>(_mm512_load_si512(q + h * q_stride + d));
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < kKeys; ++i) {
      const auto pairs = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(dims, at[i] + d));
#pragma GCC unroll 16
      for (size_t h = 0; h < kHeads; ++h) {
        acc[h * kKeys + i] = _mm512_dpbf16_ps(acc[h * kKeys + i], pairs, qs[h]);
      }
    }
  }
  const __m512 sums = OfLanes(acc);
  if constexpr (kHeads == 1) {
    _mm512_store_ps(scores + key, sums);
  } else if constexpr (kHeads == 2) {
    _mm256_store_ps(scores + key, _mm512_castps512_ps256(sums));
    _mm256_store_ps(scores + kBlock + key, _mm512_extractf32x8_ps(sums, 1));
  } else {
    _mm_store_ps(scores + key, _mm512_castps512_ps128(sums));
    _mm_store_ps(scores + kBlock + key, _mm512_extractf32x4_ps(sums, 1));
    _mm_store_ps(scores + 2 * kBlock + key, _mm512_extractf32x4_ps(sums, 2));
    if (kHeads == 4) _mm_store_ps(scores + 3 * kBlock + key, _mm512_extractf32x4_ps(sums, 3));
  }
}

// One head's scores of a block.
struct BlockScores {
  __m512 low, high;

  BlockScores(const AttentionJob& job, size_t count, const float* scores)
      : low(_mm512_load_ps(scores)), high(_mm512_load_ps(scores + 16)) {
    if (job.softcap != 0) {
      low = SoftCap(low, job.softcap);
      high = SoftCap(high, job.softcap);
    }
    const auto keys = static_cast<int64_t>(count);
    const __m512 none = _mm512_set1_ps(-3e38f);
    low = _mm512_mask_mov_ps(none, FirstLanes(keys), low);
    high = _mm512_mask_mov_ps(none, FirstLanes(keys - 16), high);
  }
};

// Scores of a block -> pairs of probabilities, up to 16 heads together; corrections: of what was
// summed before.
void SoftmaxHeads(const AttentionJob& job, size_t count, size_t heads, const float* scores,
                  float* largest, float* sum, float* corrections, uint32_t* pairs) {
  __m512 of_head[kSoftmaxHeads];
  for (size_t h = 0; h < kSoftmaxHeads; ++h) {
    const BlockScores block(job, count, scores + std::min(h, heads - 1) * kBlock);
    of_head[h] = _mm512_max_ps(block.low, block.high);
  }
  const __m512 before = _mm512_loadu_ps(largest);
  const __m512 tops = _mm512_max_ps(before, OfLanes<true>(of_head));
  const __m512 correction = Exp2(_mm512_sub_ps(before, tops));
  const __mmask16 mine = FirstLanes(static_cast<int64_t>(heads));
  _mm512_mask_storeu_ps(largest, mine, tops);
  _mm512_mask_storeu_ps(corrections, mine, correction);
  for (size_t h = 0; h < heads; ++h) {
    const BlockScores block(job, count, scores + h * kBlock);
    const __m512 top = _mm512_set1_ps(largest[h]);
    const __m512 low = Exp2(_mm512_sub_ps(block.low, top));
    const __m512 high = Exp2(_mm512_sub_ps(block.high, top));
    of_head[h] = _mm512_add_ps(low, high);
    _mm512_store_si512(pairs + h * kBlock / 2,
                       reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
  const __m512 sums = _mm512_fmadd_ps(_mm512_loadu_ps(sum), correction, OfLanes(of_head));
  _mm512_mask_storeu_ps(sum, mine, sums);
}

// outputs[h][32 kSlices dims] = outputs * correction[h] + probabilities . values. `last`: which of
// the last slice's dims exist.
template <size_t kHeads, size_t kSlices>
inline void AddValues(const Rows& rows, size_t dim, const uint32_t* pairs, const float* correction,
                      __mmask32 last, float* outputs, size_t stride) {
  const __m512i even = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                        8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i odd = _mm512_add_epi16(even, _mm512_set1_epi16(16));
  __m512 acc[kHeads][2 * kSlices];
#pragma GCC unroll 16
  for (size_t h = 0; h < kHeads; ++h) {
    const __m512 factor = _mm512_set1_ps(correction[h]);
#pragma GCC unroll 16
    for (size_t i = 0; i < 2 * kSlices; ++i) {
      acc[h][i] = _mm512_mul_ps(_mm512_load_ps(outputs + h * stride + 16 * i), factor);
    }
  }
  const size_t count = rows.count;
  for (size_t key = 0; key < count; key += 2) {
    const uint16_t* row = rows.data + key * dim;
    if (rows.prefetch) PrefetchBehind(row, 4 * dim);
    // An odd number of rows: the last pair's second one is zero.
    const __mmask32 second = key + 1 < count ? 0xFFFFFFFF : 0;
    __m512bh ps[kHeads];
#pragma GCC unroll 16
    for (size_t h = 0; h < kHeads; ++h) {
      ps[h] = reinterpret_cast<__m512bh>(
          _mm512_set1_epi32(static_cast<int>(pairs[h * kBlock / 2 + key / 2])));
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < kSlices; ++i) {
      const __mmask32 dims = i + 1 == kSlices ? last : 0xFFFFFFFF;
      const __m512i a = _mm512_maskz_loadu_epi16(dims, row + 32 * i);
      const __m512i b = _mm512_maskz_loadu_epi16(dims & second, row + dim + 32 * i);
      const auto low = reinterpret_cast<__m512bh>(_mm512_permutex2var_epi16(a, even, b));
      const auto high = reinterpret_cast<__m512bh>(_mm512_permutex2var_epi16(a, odd, b));
#pragma GCC unroll 16
      for (size_t h = 0; h < kHeads; ++h) {
        acc[h][2 * i] = _mm512_dpbf16_ps(acc[h][2 * i], low, ps[h]);
        acc[h][2 * i + 1] = _mm512_dpbf16_ps(acc[h][2 * i + 1], high, ps[h]);
      }
    }
  }
#pragma GCC unroll 16
  for (size_t h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (size_t i = 0; i < 2 * kSlices; ++i) {
      _mm512_store_ps(outputs + h * stride + 16 * i, acc[h][i]);
    }
  }
}

struct Scratch {
  uint16_t* queries;
  float *scores, *corrections;
  uint32_t* pairs;
  DecodeState state;

  Scratch(const Layout& layout, float* base) {
    queries = reinterpret_cast<uint16_t*>(base);
    scores = base + layout.Queries();
    pairs = reinterpret_cast<uint32_t*>(scores + layout.Scores());
    state.outputs = scores + layout.Scores() + layout.Probabilities();
    state.largest = state.outputs + RoundUp(layout.Outputs(), 16);
    state.sum = state.largest + layout.OfHeads();
    corrections = state.sum + layout.OfHeads();
    state.stride = static_cast<int64_t>(layout.value_dim);
  }
};

// The scores of kHeads query heads, the item's `first` one on, and the keys of one block.
template <size_t kHeads>
void ScoreHeads(const Rows& rows, size_t dim, const Layout& layout, const Scratch& scratch,
                size_t first) {
  constexpr size_t kKeys = kTileKeys<kHeads>;
  const uint16_t* q = scratch.queries + first * layout.head_dim;
  for (size_t key = 0; key < rows.count; key += kKeys) {
    if (rows.prefetch) PrefetchBehind(rows.data + key * dim, kKeys * dim * 2);
    ScoreTile<kHeads>(q, layout.head_dim, rows, key, dim, scratch.scores + first * kBlock);
  }
}

// Their outputs += the values of that block.
template <size_t kHeads>
void AddHeads(Rows rows, size_t dim, const Layout& layout, const Scratch& scratch, size_t first) {
  float* outputs = scratch.state.outputs + first * layout.value_dim;
  for (size_t d = 0; d < dim; d += 64) {
    const size_t left = dim - d;
    const auto add = left > 32 ? AddValues<kHeads, 2> : AddValues<kHeads, 1>;
    add(rows, dim, scratch.pairs + first * kBlock / 2, scratch.corrections + first,
        FirstPairs(left > 32 ? left - 32 : left), outputs + d, layout.value_dim);
    rows.data += 64;
    rows.prefetch = false;
  }
}

// each(heads, rows, first query head) for a key/value head's query heads, up to four at a time.
template <class Each>
inline void ForFewHeads(size_t group, Rows rows, size_t first, const Each& each) {
  for (size_t left = group; left > 0;) {
    const size_t some = std::min(kMaxHeads, left);
    each(some, rows, first);
    rows.prefetch = false;
    first += some;
    left -= some;
  }
}

void ScoreFew(size_t heads, const Rows& rows, size_t dim, const Layout& layout,
              const Scratch& scratch, size_t first) {
  if (heads == 4) return ScoreHeads<4>(rows, dim, layout, scratch, first);
  if (heads == 3) return ScoreHeads<3>(rows, dim, layout, scratch, first);
  if (heads == 2) return ScoreHeads<2>(rows, dim, layout, scratch, first);
  ScoreHeads<1>(rows, dim, layout, scratch, first);
}

void AddFew(size_t heads, const Rows& rows, size_t dim, const Layout& layout,
            const Scratch& scratch, size_t first) {
  if (heads == 4) return AddHeads<4>(rows, dim, layout, scratch, first);
  if (heads == 3) return AddHeads<3>(rows, dim, layout, scratch, first);
  if (heads == 2) return AddHeads<2>(rows, dim, layout, scratch, first);
  AddHeads<1>(rows, dim, layout, scratch, first);
}

// The item's queries times `scale` as bf16; dims beyond are zero.
void StartItem(const AttentionJob& job, const AttentionItem& item, const Layout& layout,
               const Scratch& scratch) {
  // With a softcap the scores are needed as they are; else exp becomes exp2 for nothing.
  const __m512 scale = _mm512_set1_ps(job.softcap != 0 ? job.scale : job.scale * kLog2E);
  for (int64_t i = 0; i < item.heads * job.group; ++i) {
    const float* q = job.Query(item.sequence, item.head + i / job.group, i % job.group);
    uint16_t* out = scratch.queries + static_cast<size_t>(i) * layout.head_dim;
    for (size_t k = 0; k < layout.head_dim; k += 32) {
      const int64_t left = job.head_dim - static_cast<int64_t>(k);
      const __m512 low = _mm512_maskz_loadu_ps(FirstLanes(left), q + k);
      const __m512 high = _mm512_maskz_loadu_ps(FirstLanes(left - 16), q + k + 16);
      _mm512_store_si512(out + k, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(
                                      _mm512_mul_ps(high, scale), _mm512_mul_ps(low, scale))));
    }
    scratch.state.largest[i] = kLowest;
    scratch.state.sum[i] = 0;
  }
  std::memset(scratch.state.outputs, 0, layout.Outputs() * sizeof(float));
}

// Rows [row, row + count) of one block.
void DecodeBlock(const AttentionJob& job, const AttentionItem& item, const Layout& layout,
                 const Scratch& scratch, int64_t block, int64_t row, int64_t count) {
  const auto group = static_cast<size_t>(job.group);
  const auto key_dim = static_cast<size_t>(job.head_dim);
  const auto value_dim = static_cast<size_t>(job.value_dim);
  const auto rows = static_cast<size_t>(count);
  for (int64_t h = 0; h < item.heads; ++h) {
    const uint16_t* data =
        job.Keys<uint16_t>(item.sequence, item.head + h, block) + row * job.head_dim;
    ForFewHeads(group, {data, rows}, static_cast<size_t>(h) * group,
                [&](size_t heads, const Rows& some, size_t first) {
                  ScoreFew(heads, some, key_dim, layout, scratch, first);
                });
  }
  const size_t all = static_cast<size_t>(item.heads) * group;
  for (size_t h = 0; h < all; h += kSoftmaxHeads) {
    SoftmaxHeads(job, rows, std::min(kSoftmaxHeads, all - h), scratch.scores + h * kBlock,
                 scratch.state.largest + h, scratch.state.sum + h, scratch.corrections + h,
                 scratch.pairs + h * kBlock / 2);
  }
  for (int64_t h = 0; h < item.heads; ++h) {
    const uint16_t* data =
        job.Values<uint16_t>(item.sequence, item.head + h, block) + row * job.value_dim;
    ForFewHeads(group, {data, rows}, static_cast<size_t>(h) * group,
                [&](size_t heads, const Rows& some, size_t first) {
                  AddFew(heads, some, value_dim, layout, scratch, first);
                });
  }
}

}  // namespace

size_t DotDecodeScratchFloats(const AttentionJob& job) { return Layout(job).Total(); }

void DotDecodeBf16(const AttentionJob& job, const AttentionItem& item, float* floats,
                   float* partials) {
  const Layout layout(job);
  const Scratch scratch(layout, floats);
  StartItem(job, item, layout, scratch);
  for (int64_t key = item.first_key; key <= item.last_key;) {
    const int64_t block = key / job.block_size;
    const int64_t end = std::min((block + 1) * job.block_size, item.last_key + 1);
    DecodeBlock(job, item, layout, scratch, block, key % job.block_size, end - key);
    key = end;
  }
  FinishDecodeItem(job, item, scratch.state, 1 / kLog2E, partials);
}

}  // namespace fathom
FATHOM_END_TARGET

#endif  // __x86_64__
