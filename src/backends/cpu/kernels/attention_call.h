// What the attention kernels share: the operands in one form, and the work cut into items.
//
// Legend: H query heads, Hkv key/value heads, G = H / Hkv query heads of one key/value head, D
// head_dim, Dv value_dim. Query i of a sequence and a key/value head: token i / G, head i % G of
// the group; all queries of one key/value head share each key and value that is read.
//
// A sequence with one new token (decode) is cut into chunks of kAttentionChunkKeys keys, whose
// partial results are merged; one with more (prefill) into tiles of queries.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "ops/op.h"

namespace fathom {

struct AttentionJob {
  const float* q = nullptr;  // [T, H * D]
  float* y = nullptr;        // [T, H * Dv]
  int64_t num_heads = 0, num_kv_heads = 0, group = 0, head_dim = 0, value_dim = 0;
  float scale = 1, softcap = 0;
  int64_t window = 0;
  Tensor key_cache, value_cache;  // [num_blocks, Hkv, block_size, D or Dv]
  int64_t block_size = 0;
  const int32_t* block_table = nullptr;  // [sequences, max_blocks]
  int64_t max_blocks = 0;
  const int32_t* sequence_start = nullptr;
  const int32_t* cache_offset = nullptr;
  int64_t sequences = 0;

  int64_t FirstKey(int64_t position) const {
    return window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
  }
  int64_t Tokens(int64_t s) const { return sequence_start[s + 1] - sequence_start[s]; }
  // Rows of block `index` of sequence s and a key/value head.
  template <typename T>
  const T* Keys(int64_t s, int64_t head, int64_t index) const {
    return Rows<T>(key_cache, s, head, index);
  }
  template <typename T>
  const T* Values(int64_t s, int64_t head, int64_t index) const {
    return Rows<T>(value_cache, s, head, index);
  }
  const float* Query(int64_t s, int64_t head, int64_t i) const {
    return q + (sequence_start[s] + i / group) * num_heads * head_dim +
           (head * group + i % group) * head_dim;
  }
  float* Output(int64_t s, int64_t head, int64_t i) const {
    return y + (sequence_start[s] + i / group) * num_heads * value_dim +
           (head * group + i % group) * value_dim;
  }

 private:
  template <typename T>
  const T* Rows(const Tensor& cache, int64_t s, int64_t head, int64_t index) const {
    const int64_t block = block_table[s * max_blocks + index];
    return cache.as<T>() + block * cache.strides[0] + head * cache.strides[1];
  }
};

AttentionJob MakeAttentionJob(const OpCall& call);

// One piece of work: queries [first_query, first_query + queries) of (sequence, key/value head)
// against keys [first_key, last_key].
struct AttentionItem {
  int64_t sequence = 0;
  int64_t head = 0;
  int64_t first_query = 0;
  int64_t queries = 0;
  int64_t first_key = 0;
  int64_t last_key = 0;
  bool decode = false;
  int64_t partial = -1;  // decode: index of the partial result; -1: the sequence has one chunk only
};

// Calls visit(item) for every item of a step, prefill tiles of at most tile_queries queries, in an
// order that depends on nothing else. Returns the number of partial results.
template <typename Visit>
int64_t ForEachAttentionItem(const AttentionJob& job, int64_t tile_queries, int64_t chunk_keys,
                             Visit visit) {
  int64_t partials = 0;
  for (int64_t s = 0; s < job.sequences; ++s) {
    const int64_t tokens = job.Tokens(s);
    const int64_t offset = job.cache_offset[s];
    for (int64_t head = 0; head < job.num_kv_heads && tokens > 0; ++head) {
      AttentionItem item{.sequence = s, .head = head};
      if (tokens == 1) {
        item.decode = true;
        item.queries = job.group;
        const int64_t first = job.FirstKey(offset);
        const bool whole = first / chunk_keys == offset / chunk_keys;
        for (int64_t chunk = first / chunk_keys; chunk <= offset / chunk_keys; ++chunk) {
          item.first_key = std::max(first, chunk * chunk_keys);
          item.last_key = std::min(offset, (chunk + 1) * chunk_keys - 1);
          item.partial = whole ? -1 : partials++;
          visit(item);
        }
        continue;
      }
      const int64_t queries = tokens * job.group;
      for (int64_t first = 0; first < queries; first += tile_queries) {
        item.first_query = first;
        item.queries = std::min(tile_queries, queries - first);
        item.first_key = job.FirstKey(offset + first / job.group);
        item.last_key = offset + (first + item.queries - 1) / job.group;
        visit(item);
      }
    }
  }
  return partials;
}

// Calls visit(item) for this worker's items: neighbours, with as many keys x queries as the
// others'. Returns the number of partial results of the whole step.
template <typename Visit>
int64_t ForMyAttentionItems(const AttentionJob& job, int64_t tile_queries, int64_t chunk_keys,
                            const Worker& worker, Visit visit) {
  const auto cost = [](const AttentionItem& item) {
    return (item.last_key - item.first_key + 1) * (item.decode ? 1 : item.queries) + 1;
  };
  int64_t total = 0;
  ForEachAttentionItem(job, tile_queries, chunk_keys,
                       [&](const AttentionItem& item) { total += cost(item); });
  int64_t before = 0;
  return ForEachAttentionItem(job, tile_queries, chunk_keys, [&](const AttentionItem& item) {
    const int64_t middle = before + cost(item) / 2;
    before += cost(item);
    if (middle * worker.count / total == worker.index) visit(item);
  });
}

// Floats of the partial results of one decode item: sums [G, Dv], then the largest score and the
// sum of exponentials of each query.
inline int64_t PartialFloats(const AttentionJob& job) { return job.group * (job.value_dim + 2); }

// Upper bound of the partial results of any step within the shapes of `call`.
int64_t MaxPartials(const OpCall& call, int64_t chunk_keys);

#if defined(__x86_64__)
// Decode items and the merging of partial results over a bf16 cache, for the kernels whose own code
// is the prefill (attention_vector.cc).
namespace N_AVX3 {
size_t DecodeScratchFloats(const AttentionJob& job);  // of one worker, a multiple of 16
void DecodeBf16(const AttentionJob& job, const AttentionItem& item, float* scratch,
                float* partials);
void MergePartialResults(const AttentionJob& job, const float* partials, const Worker& worker);
}  // namespace N_AVX3
#endif

}  // namespace fathom
