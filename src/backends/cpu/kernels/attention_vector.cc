// attention with an online softmax over the paged cache (FlashAttention, Dao et al. 2022), float32
// products, any cache type, for every target of Highway.
//
// Decode (one token): lanes are dims. Scores of the group's heads against a block of keys, their
// softmax, the weighted sum of the values; chunks are merged behind a barrier.
//
// Prefill: lanes are queries, so that maxima, exponentials and masks go lane by lane and any
// head_dim fits. With Q' = queries [D, kQueries]: S' = K Q' (a block of 32 keys x kQueries), P' =
// exp(S' - max), O' = O' * correction + V' P' [Dv, kQueries]; the keys and values are broadcast
// scalars.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/attention_call.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/attention_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

constexpr size_t kTileVecs = 2;
constexpr size_t kQueries = kTileVecs * kLanes;                 // of a prefill tile
constexpr size_t kBroadcasts = HWY_TARGET == HWY_AVX2 ? 4 : 8;  // rows of sums held in registers
constexpr size_t kMaxHeads = 4;                                 // decode: heads at a time
constexpr float kLowest = -1e30f;                               // below every score, yet finite

size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// A worker's scratch, in floats.
struct Layout {
  size_t block_size, head_dim, value_dim, heads;

  explicit Layout(const AttentionJob& job)
      : block_size(static_cast<size_t>(job.block_size)),
        head_dim(RoundUp(static_cast<size_t>(job.head_dim), 16)),
        value_dim(RoundUp(static_cast<size_t>(job.value_dim), 16)),
        heads(static_cast<size_t>(job.num_heads)) {}
  size_t Keys() const { return block_size * head_dim; }
  size_t Values() const { return block_size * value_dim; }
  size_t Queries() const { return std::max(head_dim * kQueries, heads * head_dim); }
  size_t Scores() const { return std::max(block_size * kQueries, kMaxHeads * block_size); }
  size_t Outputs() const { return std::max(value_dim * kQueries, heads * value_dim); }
  size_t Total() const {
    return RoundUp(Keys() + Values() + Queries() + Scores() + Outputs() + 2 * heads, 16);
  }
};

struct Scratch {
  float *keys, *values, *queries, *scores, *outputs;
  float* running;  // decode: the largest score and the sum of each head

  Scratch(const Layout& layout, float* base) {
    keys = base;
    values = keys + layout.Keys();
    queries = values + layout.Values();
    scores = queries + layout.Queries();
    outputs = scores + layout.Scores();
    running = outputs + layout.Outputs();
  }
};

// tanh(score / softcap) * softcap
HWY_INLINE VF SoftCap(VF score, float softcap) {
  return hn::Mul(Tanh(hn::Mul(score, Splat(1.0f / softcap))), Splat(softcap));
}

// --- prefill
// --------------------------------------------------------------------------------------

// Running maxima and sums of a tile's queries.
struct Running {
  HWY_ALIGN float largest[kQueries];
  HWY_ALIGN float sum[kQueries];
  HWY_ALIGN int32_t position[kQueries];  // cache index of the query's token; -1: no query
  int32_t first_position, last_position;
};

// Rows [0, count) of a block as float32 [count, dim]; the cache itself where it is float32.
template <class Element>
const float* WidenBlock(const typename Element::Type* rows, size_t count, size_t dim, float* out) {
  if constexpr (Element::kDType == DType::kF32) {
    return rows;
  } else {
    const size_t total = count * dim;
    size_t i = 0;
    for (; i + kLanes <= total; i += kLanes) {
      hn::StoreU(LoadElements<Element>(rows + i), F32(), out + i);
    }
    if (i < total)
      StoreSome<ElementF32>(LoadSome<Element>(rows + i, total - i), out + i, total - i);
    return out;
  }
}

// out[row][query] (+)= sum over i of a[row * row_stride + i * step] * b[i][query], kRows rows.
template <size_t kRows>
HWY_INLINE void Broadcasts(const float* a, size_t row_stride, size_t step, const float* b,
                           size_t count, bool carry, float* out) {
  const F32 d;
  VF acc[kRows][kTileVecs];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kTileVecs; ++v) {
      acc[r][v] = carry ? hn::Load(d, out + r * kQueries + v * kLanes) : hn::Zero(d);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    VF bs[kTileVecs];
    for (size_t v = 0; v < kTileVecs; ++v) bs[v] = hn::Load(d, b + i * kQueries + v * kLanes);
    for (size_t r = 0; r < kRows; ++r) {
      const VF scalar = Splat(a[r * row_stride + i * step]);
      for (size_t v = 0; v < kTileVecs; ++v) acc[r][v] = hn::MulAdd(scalar, bs[v], acc[r][v]);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kTileVecs; ++v) {
      hn::Store(acc[r][v], d, out + r * kQueries + v * kLanes);
    }
  }
}

HWY_INLINE void BroadcastsAll(const float* a, size_t rows, size_t row_stride, size_t step,
                              const float* b, size_t count, bool carry, float* out) {
  size_t r = 0;
  for (; r + kBroadcasts <= rows; r += kBroadcasts) {
    Broadcasts<kBroadcasts>(a + r * row_stride, row_stride, step, b, count, carry,
                            out + r * kQueries);
  }
  for (; r < rows; ++r) {
    Broadcasts<1>(a + r * row_stride, row_stride, step, b, count, carry, out + r * kQueries);
  }
}

// scores [count, kQueries] of keys [first_key, ...) -> probabilities; outputs rescaled where a
// maximum rose.
void SoftmaxBlock(const AttentionJob& job, Running& running, int64_t first_key, size_t count,
                  float* scores, float* outputs) {
  const F32 d;
  const I32 di;
  const auto last = first_key + static_cast<int64_t>(count) - 1;
  const bool masked = last > running.first_position ||
                      (job.window > 0 && first_key <= running.last_position - job.window);
  for (size_t v = 0; v < kTileVecs; ++v) {
    const size_t lane = v * kLanes;
    const VI position = hn::Load(di, running.position + lane);
    const VI oldest = hn::Sub(position, hn::Set(di, static_cast<int32_t>(job.window)));
    const VF before = hn::Load(d, running.largest + lane);
    VF largest = before;
    for (size_t j = 0; j < count; ++j) {
      float* at = scores + j * kQueries + lane;
      VF score = hn::Load(d, at);
      if (job.softcap != 0) score = SoftCap(score, job.softcap);
      if (masked) {
        const VI key = hn::Set(di, static_cast<int32_t>(first_key + static_cast<int64_t>(j)));
        auto seen = hn::Gt(position, hn::Sub(key, hn::Set(di, 1)));
        if (job.window > 0) seen = hn::And(seen, hn::Gt(key, oldest));
        score = hn::IfThenElse(hn::RebindMask(d, seen), score, Splat(-3e38f));
      }
      largest = hn::Max(largest, score);
      hn::Store(score, d, at);
    }
    VF sum = hn::Zero(d);
    for (size_t j = 0; j < count; ++j) {
      float* at = scores + j * kQueries + lane;
      const VF probability = ExpOfNonPositive(hn::Sub(hn::Load(d, at), largest));
      sum = hn::Add(sum, probability);
      hn::Store(probability, d, at);
    }
    const VF correction = ExpOfNonPositive(hn::Sub(before, largest));
    hn::Store(hn::MulAdd(hn::Load(d, running.sum + lane), correction, sum), d, running.sum + lane);
    hn::Store(largest, d, running.largest + lane);
    if (hn::AllTrue(d, hn::Eq(before, largest))) continue;
    for (int64_t i = 0; i < job.value_dim; ++i) {
      float* at = outputs + static_cast<size_t>(i) * kQueries + lane;
      hn::Store(hn::Mul(hn::Load(d, at), correction), d, at);
    }
  }
}

void StartTile(const AttentionJob& job, const AttentionItem& item, Running& running,
               const Scratch& scratch) {
  const int64_t offset = job.cache_offset[item.sequence];
  running.first_position = static_cast<int32_t>(offset + item.first_query / job.group);
  running.last_position = static_cast<int32_t>(item.last_key);
  for (size_t i = 0; i < kQueries; ++i) {
    running.largest[i] = kLowest;
    running.sum[i] = 0;
    running.position[i] = -1;
    if (i >= static_cast<size_t>(item.queries)) {
      for (int64_t k = 0; k < job.head_dim; ++k) scratch.queries[k * kQueries + i] = 0;
      continue;
    }
    const int64_t query = item.first_query + static_cast<int64_t>(i);
    running.position[i] = static_cast<int32_t>(offset + query / job.group);
    const float* q = job.Query(item.sequence, item.head, query);
    for (int64_t k = 0; k < job.head_dim; ++k) scratch.queries[k * kQueries + i] = q[k] * job.scale;
  }
  std::memset(scratch.outputs, 0, static_cast<size_t>(job.value_dim) * kQueries * sizeof(float));
}

template <class Element>
void PrefillTile(const AttentionJob& job, const AttentionItem& item, const Scratch& scratch) {
  using T = typename Element::Type;
  Running running;
  StartTile(job, item, running, scratch);
  const auto head_dim = static_cast<size_t>(job.head_dim);
  const auto value_dim = static_cast<size_t>(job.value_dim);
  for (int64_t block = item.first_key / job.block_size; block <= item.last_key / job.block_size;
       ++block) {
    const int64_t first = block * job.block_size;
    const auto count = static_cast<size_t>(std::min(job.block_size, item.last_key - first + 1));
    const float* keys = WidenBlock<Element>(job.Keys<T>(item.sequence, item.head, block), count,
                                            head_dim, scratch.keys);
    BroadcastsAll(keys, count, head_dim, 1, scratch.queries, head_dim, false, scratch.scores);
    SoftmaxBlock(job, running, first, count, scratch.scores, scratch.outputs);
    const float* values = WidenBlock<Element>(job.Values<T>(item.sequence, item.head, block), count,
                                              value_dim, scratch.values);
    BroadcastsAll(values, value_dim, 1, value_dim, scratch.scores, count, true, scratch.outputs);
  }
  for (int64_t i = 0; i < item.queries; ++i) {
    float* y = job.Output(item.sequence, item.head, item.first_query + i);
    const float factor = 1.0f / running.sum[i];
    for (size_t k = 0; k < value_dim; ++k) y[k] = scratch.outputs[k * kQueries + i] * factor;
  }
}

// --- decode
// ---------------------------------------------------------------------------------------

// The sum of a vector's blocks of four lanes.
template <class D>
HWY_INLINE void StoreFolded(D d, hn::Vec<D> value, float* four) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    StoreFolded(half, hn::Add(hn::LowerHalf(half, value), hn::UpperHalf(half, value)), four);
  } else {
    hn::Store(value, d, four);
  }
}

// The sums over the lanes of four vectors, at a third of what four sums by themselves take.
HWY_INLINE void SumsOfFour(VF a, VF b, VF c, VF e, float* sums) {
  const F32 d;
  const hn::Repartition<double, F32> pairs;
  const VF low = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const VF high = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto l = hn::BitCast(pairs, low), h = hn::BitCast(pairs, high);
  // Every block of four lanes now holds a part of all four.
  const VF parts = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, l, h)),
                           hn::BitCast(d, hn::InterleaveUpper(pairs, l, h)));
  StoreFolded(d, parts, sums);
}

// scores[h][j] for kHeads heads against one key.
template <class Element, size_t kHeads>
HWY_INLINE void ScoreKey(const float* q, size_t q_stride, const typename Element::Type* key,
                         size_t dim, float* scores, size_t stride) {
  const F32 d;
  VF acc[kHeads];
  for (size_t h = 0; h < kHeads; ++h) acc[h] = hn::Zero(d);
  size_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
    const VF ks = LoadElements<Element>(key + k);
    for (size_t h = 0; h < kHeads; ++h) {
      acc[h] = hn::MulAdd(hn::LoadU(d, q + h * q_stride + k), ks, acc[h]);
    }
  }
  if (k < dim) {
    const VF ks = LoadSome<Element>(key + k, dim - k);
    for (size_t h = 0; h < kHeads; ++h) {
      acc[h] = hn::MulAdd(LoadSome<ElementF32>(q + h * q_stride + k, dim - k), ks, acc[h]);
    }
  }
  if constexpr (kHeads == 1) {
    scores[0] = Sum(acc[0]);
  } else {
    HWY_ALIGN float sums[4];
    SumsOfFour(acc[0], acc[1], acc[kHeads > 2 ? 2 : 0], acc[kHeads > 3 ? 3 : 0], sums);
    for (size_t h = 0; h < kHeads; ++h) scores[h * stride] = sums[h];
  }
}

// outputs[h][...] = outputs[h][...] * correction[h] + scores[h][j] * values of `count` keys, for
// kHeads heads and kVecs vectors of dims. (Where the compiler unrolls by itself, it does so too
// late to keep the sums in registers.)
template <class Element, size_t kHeads, size_t kVecs>
HWY_INLINE void AddValueVectors(const typename Element::Type* values, size_t count, size_t dim,
                                const float* scores, size_t stride, const float* correction,
                                float* outputs, size_t out_stride) {
  const F32 d;
  VF acc[kHeads][kVecs];
#pragma GCC unroll 4
  for (size_t h = 0; h < kHeads; ++h) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVecs; ++v) {
      const VF before = hn::Load(d, outputs + h * out_stride + v * kLanes);
      acc[h][v] = hn::Mul(before, Splat(correction[h]));
    }
  }
  for (size_t j = 0; j < count; ++j) {
    VF vs[kVecs];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVecs; ++v) {
      vs[v] = LoadElements<Element>(values + j * dim + v * kLanes);
    }
#pragma GCC unroll 4
    for (size_t h = 0; h < kHeads; ++h) {
      const VF probability = Splat(scores[h * stride + j]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVecs; ++v) acc[h][v] = hn::MulAdd(probability, vs[v], acc[h][v]);
    }
  }
#pragma GCC unroll 4
  for (size_t h = 0; h < kHeads; ++h) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVecs; ++v) {
      hn::Store(acc[h][v], d, outputs + h * out_stride + v * kLanes);
    }
  }
}

template <class Element, size_t kHeads>
HWY_INLINE void AddValues(const typename Element::Type* values, size_t count, size_t dim,
                          const float* scores, size_t stride, const float* correction,
                          float* outputs, size_t out_stride) {
  size_t k = 0;
  for (; k + 2 * kLanes <= dim; k += 2 * kLanes) {
    AddValueVectors<Element, kHeads, 2>(values + k, count, dim, scores, stride, correction,
                                        outputs + k, out_stride);
  }
  for (; k + kLanes <= dim; k += kLanes) {
    AddValueVectors<Element, kHeads, 1>(values + k, count, dim, scores, stride, correction,
                                        outputs + k, out_stride);
  }
  if (k == dim) return;
  for (size_t h = 0; h < kHeads; ++h) {
    VF acc =
        hn::Mul(LoadSome<ElementF32>(outputs + h * out_stride + k, dim - k), Splat(correction[h]));
    for (size_t j = 0; j < count; ++j) {
      const VF vs = LoadSome<Element>(values + j * dim + k, dim - k);
      acc = hn::MulAdd(Splat(scores[h * stride + j]), vs, acc);
    }
    StoreSome<ElementF32>(acc, outputs + h * out_stride + k, dim - k);
  }
}

// scores [count] -> probabilities against the largest score so far; returns the correction of what
// was summed before. `scores` has room for whole vectors.
HWY_INLINE float SoftmaxRow(const AttentionJob& job, float* scores, size_t count, float* largest,
                            float* sum) {
  const F32 d;
  if (job.softcap != 0) {
    for (size_t i = 0; i < count; i += kLanes) {
      hn::StoreU(SoftCap(hn::LoadU(d, scores + i), job.softcap), d, scores + i);
    }
  }
  for (size_t i = count; i < RoundUp(count, kLanes); ++i) scores[i] = -3e38f;
  VF top = Splat(*largest);
  for (size_t i = 0; i < count; i += kLanes) top = hn::Max(top, hn::LoadU(d, scores + i));
  const float before = *largest;
  *largest = Max(top);
  VF total = hn::Zero(d);
  for (size_t i = 0; i < count; i += kLanes) {
    const VF probability = ExpOfNonPositive(hn::Sub(hn::LoadU(d, scores + i), Splat(*largest)));
    total = hn::Add(total, probability);
    hn::StoreU(probability, d, scores + i);
  }
  const float correction = hn::GetLane(ExpOfNonPositive(Splat(before - *largest)));
  *sum = *sum * correction + Sum(total);
  return correction;
}

// Asks for the bytes kAttentionPrefetchBytes behind a row, to L2: see attention_decode_avx512.cc.
HWY_INLINE void PrefetchBehind(const void* row, size_t size) {
  const auto* bytes = static_cast<const char*>(row) + kAttentionPrefetchBytes;
  for (size_t at = 0; at < size; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// kHeads heads against rows of one block. `prefetch`: also asks for the rows behind.
template <class Element, size_t kHeads>
void DecodeHeads(const AttentionJob& job, const typename Element::Type* keys,
                 const typename Element::Type* values, size_t count, const float* q,
                 size_t q_stride, float* scores, const DecodeState& state, size_t first,
                 bool prefetch) {
  const auto head_dim = static_cast<size_t>(job.head_dim);
  const auto stride = static_cast<size_t>(job.block_size);
  const auto value_dim = static_cast<size_t>(job.value_dim);
  for (size_t j = 0; j < count; ++j) {
    if (prefetch) {
      PrefetchBehind(keys + j * head_dim, head_dim * sizeof(*keys));
      PrefetchBehind(values + j * value_dim, value_dim * sizeof(*values));
    }
    ScoreKey<Element, kHeads>(q, q_stride, keys + j * head_dim, head_dim, scores + j, stride);
  }
  float correction[kHeads];
  for (size_t h = 0; h < kHeads; ++h) {
    correction[h] = SoftmaxRow(job, scores + h * stride, count, state.largest + first + h,
                               state.sum + first + h);
  }
  const auto out_stride = static_cast<size_t>(state.stride);
  AddValues<Element, kHeads>(values, count, value_dim, scores, stride, correction,
                             state.outputs + first * out_stride, out_stride);
}

template <class Element>
void DecodeItem(const AttentionJob& job, const AttentionItem& item, const Scratch& scratch,
                float* partials) {
  using T = typename Element::Type;
  const Layout layout(job);
  const auto group = static_cast<size_t>(job.group);
  const size_t heads = static_cast<size_t>(item.heads) * group;
  const DecodeState state{scratch.outputs, scratch.running, scratch.running + layout.heads,
                          static_cast<int64_t>(layout.value_dim)};
  for (size_t i = 0; i < heads; ++i) {
    const float* q = job.Query(item.sequence, item.head + static_cast<int64_t>(i / group),
                               static_cast<int64_t>(i % group));
    float* scaled = scratch.queries + i * layout.head_dim;
    for (int64_t k = 0; k < job.head_dim; ++k) scaled[k] = q[k] * job.scale;
    state.largest[i] = kLowest;
    state.sum[i] = 0;
  }
  std::memset(state.outputs, 0, heads * layout.value_dim * sizeof(float));
  ForEachDecodeBlock(
      job, item, [&](int64_t block, int64_t row, int64_t rows, int64_t head) HWY_ATTR {
        const T* keys = job.Keys<T>(item.sequence, head, block) + row * job.head_dim;
        const T* values = job.Values<T>(item.sequence, head, block) + row * job.value_dim;
        const auto count = static_cast<size_t>(rows);
        size_t first = static_cast<size_t>(head - item.head) * group;
        for (size_t left = group; left > 0;) {
          const size_t some = std::min(kMaxHeads, left);
          const auto run = [&](auto decode) {
            decode(job, keys, values, count, scratch.queries + first * layout.head_dim,
                   layout.head_dim, scratch.scores, state, first, left == group);
          };
          if (some == 4) run(DecodeHeads<Element, 4>);
          if (some == 3) run(DecodeHeads<Element, 3>);
          if (some == 2) run(DecodeHeads<Element, 2>);
          if (some == 1) run(DecodeHeads<Element, 1>);
          first += some;
          left -= some;
        }
      });
  FinishDecodeItem(job, item, state, 1.0f, partials);
}

// The chunks of one sequence and key/value head -> y; their partial results lie num_kv_heads apart.
void MergePartials(const AttentionJob& job, int64_t s, int64_t head, const float* partials,
                   int64_t count) {
  const F32 d;
  const int64_t floats = PartialFloats(job) * job.num_kv_heads;
  const auto dim = static_cast<size_t>(job.value_dim);
  const auto group = static_cast<size_t>(job.group);
  for (size_t h = 0; h < group; ++h) {
    const float* tops = partials + group * dim + h;
    float largest = kLowest, sum = 0;
    for (int64_t c = 0; c < count; ++c) largest = std::max(largest, tops[c * floats]);
    float* y = job.Output(s, head, static_cast<int64_t>(h));
    std::memset(y, 0, dim * sizeof(float));
    for (int64_t c = 0; c < count; ++c) {
      const float factor = hn::GetLane(ExpOfNonPositive(Splat(tops[c * floats] - largest)));
      sum += factor * tops[c * floats + static_cast<int64_t>(group)];
      const float* from = partials + c * floats + h * dim;
      size_t k = 0;
      for (; k + kLanes <= dim; k += kLanes) {
        hn::StoreU(hn::MulAdd(Splat(factor), hn::LoadU(d, from + k), hn::LoadU(d, y + k)), d,
                   y + k);
      }
      for (; k < dim; ++k) y[k] += factor * from[k];
    }
    for (size_t k = 0; k < dim; ++k) y[k] /= sum;
  }
}

void MergeAll(const AttentionJob& job, const float* partials, const Worker& worker) {
  int64_t first = 0, ordinal = 0;
  for (int64_t s = 0; s < job.sequences; ++s) {
    if (job.Tokens(s) != 1) continue;
    const DecodeChunks chunks(job, s);
    if (chunks.count == 1) continue;
    for (int64_t head = 0; head < job.num_kv_heads; ++head) {
      if (ordinal++ % worker.count != worker.index) continue;
      MergePartials(job, s, head, partials + (first + head) * PartialFloats(job), chunks.count);
    }
    first += chunks.count * job.num_kv_heads;
  }
}

size_t FlashScratch(const OpCall& call, int workers) {
  const AttentionJob job = MakeAttentionJob(call);
  const auto partials = static_cast<size_t>(MaxPartials(call) * PartialFloats(job));
  return (static_cast<size_t>(workers) * Layout(job).Total() + partials) * sizeof(float);
}

template <class Element>
void Flash(const OpCall& call, const Worker& worker) {
  const AttentionJob job = MakeAttentionJob(call);
  const Layout layout(job);
  float* base = reinterpret_cast<float*>(call.scratch);
  const Scratch scratch(layout, base + static_cast<size_t>(worker.index) * layout.Total());
  float* partials = base + static_cast<size_t>(worker.count) * layout.Total();
  const int64_t partial_count =
      ForMyAttentionItems(job, kQueries, worker, [&](const AttentionItem& item) {
        if (item.decode) {
          DecodeItem<Element>(job, item, scratch, partials);
        } else {
          PrefillTile<Element>(job, item, scratch);
        }
      });
  if (partial_count == 0) return;
  worker.Barrier();
  MergeAll(job, partials, worker);
}

FATHOM_BASELINE_BEGIN();
template <class Element>
void AddElement(CpuKernelTable& table, const char* name) {
  CpuKernel& row = table.Add(name, kIsaSuffix, "online softmax over cache blocks, float32 products",
                             "attention", kIsaFeatures, Flash<Element>);
  row.variant = KernelVariant::kFlash;
  row.cache_dtype = Element::kDType;
  row.scratch_bytes = FlashScratch;
}

void AddRows(CpuKernelTable& table) {
  AddElement<ElementF32>(table, "attention_f32_flash");
  AddElement<ElementF16>(table, "attention_f16_flash");
  AddElement<ElementBF16>(table, "attention_bf16_flash");
}
FATHOM_BASELINE_END();

}  // namespace

#if HWY_TARGET == HWY_AVX3
void MergePartialResults(const AttentionJob& job, const float* partials, const Worker& worker) {
  MergeAll(job, partials, worker);
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddAttentionKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
