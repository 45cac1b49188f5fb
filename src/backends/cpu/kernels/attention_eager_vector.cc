// attention as transformers' "eager" implementation computes it: per query head all scores
// [tokens, keys] in memory, then their softmax, then the sums of values; every head reads the cache
// for itself. The off-arm of attn_implementation, and the one way to return the weights
// (attention_with_weights). Float32 products, any cache type, for every target of Highway. Workers
// divide sequences x heads.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/attention_call.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/attention_eager_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

template <class Element>
HWY_INLINE float Dot(const float* a, const typename Element::Type* b, size_t count) {
  VF sum = hn::Zero(F32());
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    sum = hn::MulAdd(hn::LoadU(F32(), a + i), LoadElements<Element>(b + i), sum);
  }
  if (i < count) {
    sum = hn::MulAdd(LoadSome<ElementF32>(a + i, count - i), LoadSome<Element>(b + i, count - i),
                     sum);
  }
  return Sum(sum);
}

// y += factor * values
template <class Element>
HWY_INLINE void AddScaled(float factor, const typename Element::Type* values, size_t count,
                          float* y) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(
        hn::MulAdd(Splat(factor), LoadElements<Element>(values + i), hn::LoadU(F32(), y + i)),
        F32(), y + i);
  }
  if (i < count) {
    const VF sum = hn::MulAdd(Splat(factor), LoadSome<Element>(values + i, count - i),
                              LoadSome<ElementF32>(y + i, count - i));
    StoreSome<ElementF32>(sum, y + i, count - i);
  }
}

// One query head of one sequence.
struct HeadWork {
  int64_t sequence = 0, head = 0, in_group = 0;
  int64_t tokens = 0, offset = 0;
  int64_t keys = 0;         // offset + tokens
  float* scores = nullptr;  // [tokens, keys]
};

template <class Element>
void Scores(const AttentionJob& job, const HeadWork& work) {
  using T = typename Element::Type;
  for (int64_t t = 0; t < work.tokens; ++t) {
    const float* q = job.Query(work.sequence, work.head, t * job.group + work.in_group);
    const int64_t last = work.offset + t;
    for (int64_t j = job.FirstKey(last); j <= last; ++j) {
      const T* key = job.Keys<T>(work.sequence, work.head, j / job.block_size) +
                     j % job.block_size * job.head_dim;
      work.scores[t * work.keys + j] =
          Dot<Element>(q, key, static_cast<size_t>(job.head_dim)) * job.scale;
    }
  }
}

void Softmax(const AttentionJob& job, const HeadWork& work) {
  const F32 d;
  for (int64_t t = 0; t < work.tokens; ++t) {
    const int64_t first = job.FirstKey(work.offset + t);
    const auto count = static_cast<size_t>(work.offset + t - first + 1);
    float* row = work.scores + t * work.keys + first;
    const auto for_vectors = [&](auto function, float padding) HWY_ATTR {
      size_t i = 0;
      for (; i + kLanes <= count; i += kLanes) {
        hn::StoreU(function(hn::LoadU(d, row + i)), d, row + i);
      }
      if (i == count) return;
      float rest[kLanes];
      std::fill_n(rest, kLanes, padding);
      std::memcpy(rest, row + i, (count - i) * sizeof(float));
      StoreSome<ElementF32>(function(hn::LoadU(d, rest)), row + i, count - i);
    };
    VF top = Splat(-3e38f);
    for_vectors(
        [&](VF score) HWY_ATTR {
          if (job.softcap != 0) {
            score = hn::Mul(Tanh(hn::Mul(score, Splat(1.0f / job.softcap))), Splat(job.softcap));
          }
          top = hn::Max(top, score);
          return score;
        },
        row[count - 1]);
    const VF largest = Splat(Max(top));
    VF total = hn::Zero(d);
    for_vectors(
        [&](VF score) HWY_ATTR {
          const VF probability = ExpOfNonPositive(hn::Sub(score, largest));
          total = hn::Add(total, probability);
          return probability;
        },
        -3e38f);
    const VF factor = Splat(1.0f / Sum(total));
    for_vectors([&](VF probability) HWY_ATTR { return hn::Mul(probability, factor); }, 0.0f);
  }
}

template <class Element>
void WeightedSums(const AttentionJob& job, const HeadWork& work) {
  using T = typename Element::Type;
  const auto dim = static_cast<size_t>(job.value_dim);
  for (int64_t t = 0; t < work.tokens; ++t) {
    float* y = job.Output(work.sequence, work.head, t * job.group + work.in_group);
    std::memset(y, 0, dim * sizeof(float));
    const int64_t last = work.offset + t;
    for (int64_t j = job.FirstKey(last); j <= last; ++j) {
      const T* value = job.Values<T>(work.sequence, work.head, j / job.block_size) +
                       j % job.block_size * job.value_dim;
      AddScaled<Element>(work.scores[t * work.keys + j], value, dim, y);
    }
  }
}

// The weights of one head into the second output: [tokens, heads, max_blocks * block_size], 0 where
// a query sees no key.
void CopyWeights(const AttentionJob& job, const HeadWork& work, int64_t max_keys, float* weights) {
  const int64_t head = work.head * job.group + work.in_group;
  for (int64_t t = 0; t < work.tokens; ++t) {
    const int64_t first = job.FirstKey(work.offset + t);
    const int64_t end = work.offset + t + 1;
    float* row =
        weights + ((job.sequence_start[work.sequence] + t) * job.num_heads + head) * max_keys;
    std::fill(row, row + first, 0.0f);
    std::copy(work.scores + t * work.keys + first, work.scores + t * work.keys + end, row + first);
    std::fill(row + end, row + max_keys, 0.0f);
  }
}

template <class Element>
void Eager(const OpCall& call, const Worker& worker) {
  const AttentionJob job = MakeAttentionJob(call);
  const int64_t max_keys = job.max_blocks * job.block_size;
  const int64_t tokens = call.inputs[0].tensor.shape[0];
  HeadWork work;
  work.scores = reinterpret_cast<float*>(call.scratch) + worker.index * tokens * max_keys;
  for (int64_t s = 0; s < job.sequences; ++s) {
    work.sequence = s;
    work.tokens = job.Tokens(s);
    work.offset = job.cache_offset[s];
    work.keys = work.offset + work.tokens;
    for (int64_t h = 0; h < job.num_heads && work.tokens > 0; ++h) {
      if ((s * job.num_heads + h) % worker.count != worker.index) continue;
      work.head = h / job.group;
      work.in_group = h % job.group;
      Scores<Element>(job, work);
      Softmax(job, work);
      WeightedSums<Element>(job, work);
      if (call.outputs.size() > 1) {
        CopyWeights(job, work, max_keys, call.outputs[1].tensor.as<float>());
      }
    }
  }
}

size_t EagerScratch(const OpCall& call, int workers) {
  const Shape& table = call.inputs[3].tensor.shape;
  const int64_t keys = table[1] * call.inputs[1].tensor.shape[2];
  return static_cast<size_t>(workers * call.inputs[0].tensor.shape[0] * keys) * sizeof(float);
}

FATHOM_BASELINE_BEGIN();
template <class Element>
void AddElement(CpuKernelTable& table, const char* name, const char* op) {
  CpuKernel& row = table.Add(name, kIsaSuffix, "all scores of a head in memory, float32 products",
                             op, kIsaFeatures, Eager<Element>);
  row.variant = KernelVariant::kEager;
  row.cache_dtype = Element::kDType;
  row.scratch_bytes = EagerScratch;
}

void AddRows(CpuKernelTable& table) {
  AddElement<ElementF32>(table, "attention_f32_eager", "attention");
  AddElement<ElementF32>(table, "attention_with_weights_f32_eager", "attention_with_weights");
  AddElement<ElementF16>(table, "attention_f16_eager", "attention");
  AddElement<ElementF16>(table, "attention_with_weights_f16_eager", "attention_with_weights");
  AddElement<ElementBF16>(table, "attention_bf16_eager", "attention");
  AddElement<ElementBF16>(table, "attention_with_weights_bf16_eager", "attention_with_weights");
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddAttentionEagerKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
