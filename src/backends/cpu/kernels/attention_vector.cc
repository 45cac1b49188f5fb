// attention with an online softmax over the paged cache (FlashAttention, Dao et al. 2022), float32
// products, any cache type, for every target of Highway.
//
// Decode (one token): lanes are dims. Scores of the group's heads against a chunk of keys, their
// softmax, the weighted sum of the values; chunks are merged behind a barrier.
//
// Prefill: lanes are queries, so that maxima, exponentials and masks go lane by lane and any
// head_dim fits. With Q' = queries [D, kQueries]: S' = K Q' (a block of 32 keys x kQueries), P' =
// exp(S' - max), O' = O' * correction + V' P' [Dv, kQueries]; the keys and values are broadcast
// scalars.
#include <algorithm>
#include <cstring>

#include "backends/cpu/heuristics.h"
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
  size_t block_size, head_dim, value_dim, group;

  explicit Layout(const AttentionJob& job)
      : block_size(static_cast<size_t>(job.block_size)),
        head_dim(RoundUp(static_cast<size_t>(job.head_dim), 16)),
        value_dim(RoundUp(static_cast<size_t>(job.value_dim), 16)),
        group(static_cast<size_t>(job.group)) {}
  size_t Keys() const { return block_size * head_dim; }
  size_t Values() const { return block_size * value_dim; }
  size_t Queries() const { return std::max(head_dim * kQueries, group * head_dim); }
  size_t Scores() const {
    return std::max(block_size * kQueries, group * static_cast<size_t>(kAttentionChunkKeys));
  }
  size_t Outputs() const { return std::max(value_dim * kQueries, group * value_dim); }
  size_t Total() const { return RoundUp(Keys() + Values() + Queries() + Scores() + Outputs(), 16); }
};

struct Scratch {
  float *keys, *values, *queries, *scores, *outputs;

  Scratch(const Layout& layout, float* base) {
    keys = base;
    values = keys + layout.Keys();
    queries = values + layout.Values();
    scores = queries + layout.Queries();
    outputs = scores + layout.Scores();
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
  for (size_t h = 0; h < kHeads; ++h) scores[h * stride] = Sum(acc[h]);
}

// outputs[h][...] += scores[h][j] * values of `count` keys, kHeads heads.
template <class Element, size_t kHeads>
HWY_INLINE void AddValues(const typename Element::Type* values, size_t count, size_t dim,
                          const float* scores, size_t stride, float* outputs, size_t out_stride) {
  const F32 d;
  size_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
    VF acc[kHeads];
    for (size_t h = 0; h < kHeads; ++h) acc[h] = hn::Load(d, outputs + h * out_stride + k);
    for (size_t j = 0; j < count; ++j) {
      const VF vs = LoadElements<Element>(values + j * dim + k);
      for (size_t h = 0; h < kHeads; ++h) {
        acc[h] = hn::MulAdd(Splat(scores[h * stride + j]), vs, acc[h]);
      }
    }
    for (size_t h = 0; h < kHeads; ++h) hn::Store(acc[h], d, outputs + h * out_stride + k);
  }
  if (k == dim) return;
  for (size_t h = 0; h < kHeads; ++h) {
    VF acc = LoadSome<ElementF32>(outputs + h * out_stride + k, dim - k);
    for (size_t j = 0; j < count; ++j) {
      const VF vs = LoadSome<Element>(values + j * dim + k, dim - k);
      acc = hn::MulAdd(Splat(scores[h * stride + j]), vs, acc);
    }
    StoreSome<ElementF32>(acc, outputs + h * out_stride + k, dim - k);
  }
}

// scores [count] -> probabilities; largest and sum of one query.
void SoftmaxRow(const AttentionJob& job, float* scores, size_t count, float* largest, float* sum) {
  const F32 d;
  const size_t whole = count / kLanes * kLanes;
  for (size_t i = count; i < RoundUp(count, kLanes); ++i) scores[i] = -3e38f;
  if (job.softcap != 0) {
    for (size_t i = 0; i < count; i += kLanes) {
      hn::StoreU(SoftCap(hn::LoadU(d, scores + i), job.softcap), d, scores + i);
    }
    for (size_t i = count; i < RoundUp(count, kLanes) && whole != count; ++i) scores[i] = -3e38f;
  }
  VF top = Splat(kLowest);
  for (size_t i = 0; i < count; i += kLanes) top = hn::Max(top, hn::LoadU(d, scores + i));
  *largest = Max(top);
  VF total = hn::Zero(d);
  for (size_t i = 0; i < count; i += kLanes) {
    const VF probability = ExpOfNonPositive(hn::Sub(hn::LoadU(d, scores + i), Splat(*largest)));
    total = hn::Add(total, probability);
    hn::StoreU(probability, d, scores + i);
  }
  *sum = Sum(total);
}

template <class Element, size_t kHeads>
void DecodeHeads(const AttentionJob& job, const AttentionItem& item, const float* q,
                 size_t q_stride, float* scores, float* outputs, size_t out_stride, float* largest,
                 float* sum) {
  using T = typename Element::Type;
  constexpr size_t kStride = static_cast<size_t>(kAttentionChunkKeys);
  const auto head_dim = static_cast<size_t>(job.head_dim);
  const auto value_dim = static_cast<size_t>(job.value_dim);
  const auto for_blocks = [&](auto visit) {
    for (int64_t key = item.first_key; key <= item.last_key;) {
      const int64_t block = key / job.block_size;
      const int64_t end = std::min((block + 1) * job.block_size, item.last_key + 1);
      visit(block, static_cast<size_t>(key % job.block_size), static_cast<size_t>(end - key),
            static_cast<size_t>(key - item.first_key));
      key = end;
    }
  };
  for_blocks([&](int64_t block, size_t row, size_t count, size_t at) HWY_ATTR {
    const T* keys = job.Keys<T>(item.sequence, item.head, block) + row * head_dim;
    for (size_t j = 0; j < count; ++j) {
      ScoreKey<Element, kHeads>(q, q_stride, keys + j * head_dim, head_dim, scores + at + j,
                                kStride);
    }
  });
  const auto count = static_cast<size_t>(item.last_key - item.first_key + 1);
  for (size_t h = 0; h < kHeads; ++h) {
    SoftmaxRow(job, scores + h * kStride, count, largest + h, sum + h);
    std::memset(outputs + h * out_stride, 0, out_stride * sizeof(float));
  }
  for_blocks([&](int64_t block, size_t row, size_t rows, size_t at) HWY_ATTR {
    const T* values = job.Values<T>(item.sequence, item.head, block) + row * value_dim;
    AddValues<Element, kHeads>(values, rows, value_dim, scores + at, kStride, outputs, out_stride);
  });
}

// The item's result: into y, or as a partial result [G, Dv] sums, [G] largest, [G] sum.
template <class Element>
void DecodeItem(const AttentionJob& job, const AttentionItem& item, const Scratch& scratch,
                float* partials) {
  const Layout layout(job);
  const auto group = static_cast<size_t>(job.group);
  for (size_t h = 0; h < group; ++h) {
    const float* q = job.Query(item.sequence, item.head, static_cast<int64_t>(h));
    float* scaled = scratch.queries + h * layout.head_dim;
    for (int64_t k = 0; k < job.head_dim; ++k) scaled[k] = q[k] * job.scale;
  }
  float* partial = item.partial < 0 ? nullptr : partials + item.partial * PartialFloats(job);
  for (size_t h = 0; h < group;) {
    const size_t heads = std::min(kMaxHeads, group - h);
    float largest[kMaxHeads], sum[kMaxHeads];
    const float* q = scratch.queries + h * layout.head_dim;
    const auto run = [&](auto decode) {
      decode(job, item, q, layout.head_dim, scratch.scores, scratch.outputs, layout.value_dim,
             largest, sum);
    };
    if (heads == 4) run(DecodeHeads<Element, 4>);
    if (heads == 3) run(DecodeHeads<Element, 3>);
    if (heads == 2) run(DecodeHeads<Element, 2>);
    if (heads == 1) run(DecodeHeads<Element, 1>);
    for (size_t i = 0; i < heads; ++i, ++h) {
      const float* from = scratch.outputs + i * layout.value_dim;
      const auto dim = static_cast<size_t>(job.value_dim);
      if (partial != nullptr) {
        std::memcpy(partial + h * dim, from, dim * sizeof(float));
        partial[group * dim + h] = largest[i];
        partial[group * dim + group + h] = sum[i];
        continue;
      }
      float* y = job.Output(item.sequence, item.head, static_cast<int64_t>(h));
      for (size_t k = 0; k < dim; ++k) y[k] = from[k] / sum[i];
    }
  }
}

// Chunks [first, first + count) of one sequence and key/value head -> y.
void MergePartials(const AttentionJob& job, const AttentionItem& item, const float* partials,
                   int64_t count) {
  const F32 d;
  const int64_t floats = PartialFloats(job);
  const auto dim = static_cast<size_t>(job.value_dim);
  const auto group = static_cast<size_t>(job.group);
  for (size_t h = 0; h < group; ++h) {
    const float* tops = partials + group * dim + h;
    float largest = kLowest, sum = 0;
    for (int64_t c = 0; c < count; ++c) largest = std::max(largest, tops[c * floats]);
    float* y = job.Output(item.sequence, item.head, static_cast<int64_t>(h));
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
  AttentionItem open;  // the sequence and head whose chunks are being counted
  int64_t first = -1, count = 0, ordinal = 0;
  const auto finish = [&] {
    if (first >= 0 && ordinal++ % worker.count == worker.index) {
      MergePartials(job, open, partials + first * PartialFloats(job), count);
    }
    first = -1;
  };
  ForEachAttentionItem(job, kQueries, kAttentionChunkKeys, [&](const AttentionItem& item) {
    if (item.partial < 0) return;
    if (first >= 0 && open.sequence == item.sequence && open.head == item.head) {
      ++count;
      return;
    }
    finish();
    open = item;
    first = item.partial;
    count = 1;
  });
  finish();
}

size_t FlashScratch(const OpCall& call, int workers) {
  const AttentionJob job = MakeAttentionJob(call);
  const auto partials =
      static_cast<size_t>(MaxPartials(call, kAttentionChunkKeys) * PartialFloats(job));
  return (static_cast<size_t>(workers) * Layout(job).Total() + partials) * sizeof(float);
}

template <class Element>
void Flash(const OpCall& call, const Worker& worker) {
  const AttentionJob job = MakeAttentionJob(call);
  const Layout layout(job);
  float* base = reinterpret_cast<float*>(call.scratch);
  const Scratch scratch(layout, base + static_cast<size_t>(worker.index) * layout.Total());
  float* partials = base + static_cast<size_t>(worker.count) * layout.Total();
  const int64_t partial_count = ForMyAttentionItems(
      job, kQueries, kAttentionChunkKeys, worker, [&](const AttentionItem& item) {
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
size_t DecodeScratchFloats(const AttentionJob& job) { return Layout(job).Total(); }

void DecodeBf16(const AttentionJob& job, const AttentionItem& item, float* scratch,
                float* partials) {
  DecodeItem<ElementBF16>(job, item, Scratch(Layout(job), scratch), partials);
}

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
