// Decode attention over a bf16 cache by vdpbf16ps: one query a head, the heads of a key/value head
// up to four at a time, one block of 32 keys at a time with the softmax carried along.
//
//   scores   a tile of 16 products: 4 keys x 4 heads (16 x 1, 8 x 2), lanes are pairs of dims; the
//            16 sums over lanes come out of one transposing addition
//   values   two rows are interleaved into pairs of keys, lanes are dims; the probabilities are
//            broadcast pairs
//
// Loops over what lies in registers are unrolled by a pragma: where the compiler does it by itself,
// it does so too late, and every sum is stored and loaded again at each step.
//
// The cache is read at the speed of memory only where it is asked for far ahead: two streams a core
// are too few for the CPU's own prefetch, which ends with each page.
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
  static constexpr size_t kScores = kMaxHeads * kBlock;
  static constexpr size_t kProbabilities = kMaxHeads * kBlock / 2;
  size_t Total() const {
    return RoundUp(Queries() + kScores + kProbabilities + Outputs() + 2 * heads, 16);
  }
};

// Rows of one block and key/value head.
struct Rows {
  const uint16_t *keys, *values;
  size_t count = 0;
  bool prefetch = true;  // the rows behind; once, not for every few of many query heads
};

// Quarters of 4 lanes: x0 + x1, x2 + x3, y0 + y1, y2 + y3.
inline __m512 AddQuarters(__m512 x, __m512 y) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
}

// Lane i: the sum of the lanes of a[i].
inline __m512 SumsOfLanes(const __m512 a[16]) {
  __m512 v[4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    const __m512* b = a + 4 * g;
    const __m512 low =
        _mm512_add_ps(_mm512_unpacklo_ps(b[0], b[1]), _mm512_unpackhi_ps(b[0], b[1]));
    const __m512 high =
        _mm512_add_ps(_mm512_unpacklo_ps(b[2], b[3]), _mm512_unpackhi_ps(b[2], b[3]));
    const __m512d l = _mm512_castps_pd(low), h = _mm512_castps_pd(high);
    v[g] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(l, h)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(l, h)));
  }
  return AddQuarters(AddQuarters(v[0], v[1]), AddQuarters(v[2], v[3]));
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
  for (size_t i = 0; i < kKeys; ++i) at[i] = rows.keys + std::min(key + i, rows.count - 1) * dim;
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
  const __m512 sums = SumsOfLanes(acc);
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

// One head's scores of a block -> pairs of probabilities; returns the correction of what was summed
// before.
inline float SoftmaxRow(const AttentionJob& job, size_t count, const float* scores, float* largest,
                        float* sum, uint32_t* pairs) {
  __m512 low = _mm512_load_ps(scores), high = _mm512_load_ps(scores + 16);
  if (job.softcap != 0) {
    low = SoftCap(low, job.softcap);
    high = SoftCap(high, job.softcap);
  }
  const auto keys = static_cast<int64_t>(count);
  const __m512 none = _mm512_set1_ps(-3e38f);
  low = _mm512_mask_mov_ps(none, FirstLanes(keys), low);
  high = _mm512_mask_mov_ps(none, FirstLanes(keys - 16), high);
  const float before = *largest;
  *largest = std::max(before, _mm512_reduce_max_ps(_mm512_max_ps(low, high)));
  const __m512 top = _mm512_set1_ps(*largest);
  low = Exp2(_mm512_sub_ps(low, top));
  high = Exp2(_mm512_sub_ps(high, top));
  const float correction = _mm512_cvtss_f32(Exp2(_mm512_set1_ps(before - *largest)));
  *sum = *sum * correction + _mm512_reduce_add_ps(_mm512_add_ps(low, high));
  _mm512_store_si512(pairs, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  return correction;
}

// outputs[h][32 kSlices dims] = outputs * correction[h] + probabilities . values. `last`: which of
// the last slice's dims exist.
template <size_t kHeads, size_t kSlices>
inline void AddValues(const uint16_t* values, size_t count, size_t dim, const uint32_t* pairs,
                      const float* correction, __mmask32 last, float* outputs, size_t stride) {
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
  for (size_t key = 0; key < count; key += 2) {
    const uint16_t* row = values + key * dim;
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
  float* scores;
  uint32_t* pairs;
  DecodeState state;

  Scratch(const Layout& layout, float* base) {
    queries = reinterpret_cast<uint16_t*>(base);
    scores = base + layout.Queries();
    pairs = reinterpret_cast<uint32_t*>(scores + Layout::kScores);
    state.outputs = scores + Layout::kScores + Layout::kProbabilities;
    state.largest = state.outputs + layout.Outputs();
    state.sum = state.largest + layout.heads;
    state.stride = static_cast<int64_t>(layout.value_dim);
  }
};

// Asks for what lies kAttentionPrefetchBytes behind rows [row, row + count), to L2: blocks are
// handed out in order, so that this is mostly what comes next. (To L1 it gives nothing: too few
// lines can be on their way there.)
inline void PrefetchBehind(const uint16_t* rows, size_t row, size_t count, size_t dim) {
  const auto* bytes = reinterpret_cast<const char*>(rows + row * dim) + kAttentionPrefetchBytes;
  for (size_t at = 0; at < count * dim * 2; at += 64) _mm_prefetch(bytes + at, _MM_HINT_T1);
}

// kHeads query heads, the item's `first` one on, against the rows of one block.
template <size_t kHeads>
void DecodeHeads(const AttentionJob& job, const Rows& rows, const Layout& layout,
                 const Scratch& scratch, size_t first) {
  const auto dim = static_cast<size_t>(job.head_dim),
             value_dim = static_cast<size_t>(job.value_dim);
  const uint16_t* q = scratch.queries + first * layout.head_dim;
  constexpr size_t kKeys = kTileKeys<kHeads>;
  for (size_t key = 0; key < rows.count; key += kKeys) {
    if (rows.prefetch) {
      PrefetchBehind(rows.keys, key, kKeys, dim);
      PrefetchBehind(rows.values, key, kKeys, value_dim);
    }
    ScoreTile<kHeads>(q, layout.head_dim, rows, key, dim, scratch.scores);
  }
  float correction[kHeads];
  const DecodeState& state = scratch.state;
  for (size_t h = 0; h < kHeads; ++h) {
    correction[h] =
        SoftmaxRow(job, rows.count, scratch.scores + h * kBlock, state.largest + first + h,
                   state.sum + first + h, scratch.pairs + h * kBlock / 2);
  }
  float* outputs = state.outputs + first * layout.value_dim;
  for (size_t d = 0; d < value_dim; d += 64) {
    const size_t left = value_dim - d;
    const auto add = left > 32 ? AddValues<kHeads, 2> : AddValues<kHeads, 1>;
    add(rows.values + d, rows.count, value_dim, scratch.pairs, correction,
        FirstPairs(left > 32 ? left - 32 : left), outputs + d, layout.value_dim);
  }
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

}  // namespace

size_t DotDecodeScratchFloats(const AttentionJob& job) { return Layout(job).Total(); }

void DotDecodeBf16(const AttentionJob& job, const AttentionItem& item, float* floats,
                   float* partials) {
  const Layout layout(job);
  const Scratch scratch(layout, floats);
  StartItem(job, item, layout, scratch);
  const auto group = static_cast<size_t>(job.group);
  ForEachDecodeBlock(job, item, [&](int64_t block, int64_t row, int64_t count, int64_t head) {
    Rows rows;
    rows.keys = job.Keys<uint16_t>(item.sequence, head, block) + row * job.head_dim;
    rows.values = job.Values<uint16_t>(item.sequence, head, block) + row * job.value_dim;
    rows.count = static_cast<size_t>(count);
    size_t first = static_cast<size_t>(head - item.head) * group;
    for (size_t left = group; left > 0;) {
      const size_t some = std::min(kMaxHeads, left);
      if (some == 4) DecodeHeads<4>(job, rows, layout, scratch, first);
      if (some == 3) DecodeHeads<3>(job, rows, layout, scratch, first);
      if (some == 2) DecodeHeads<2>(job, rows, layout, scratch, first);
      if (some == 1) DecodeHeads<1>(job, rows, layout, scratch, first);
      rows.prefetch = false;
      first += some;
      left -= some;
    }
  });
  FinishDecodeItem(job, item, scratch.state, 1 / kLog2E, partials);
}

}  // namespace fathom
FATHOM_END_TARGET

#endif  // __x86_64__
