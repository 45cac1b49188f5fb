// What the attention kernels share: the operands in one form, and the work cut into items.
//
// Legend: H query heads, Hkv key/value heads, G = H / Hkv query heads of one key/value head, D
// head_dim, Dv value_dim. Query i of a sequence and a key/value head: token i / G, head i % G of
// the group; all queries of one key/value head share each key and value that is read.
//
// A sequence with one new token (decode) is cut into chunks of keys, whose partial results are
// merged; one with more (prefill) into tiles of queries. A decode item runs block by block over all
// of its heads, carrying the softmax of each along: as the cache lies [block][head][row], a chunk
// is then one stream through the keys and one through the values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backends/cpu/heuristics.h"
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
  int64_t heads = 1;  // decode: key/value heads [head, head + heads)
  int64_t first_query = 0;
  int64_t queries = 0;
  int64_t first_key = 0;
  int64_t last_key = 0;
  bool decode = false;
  // Decode: index of the partial result of the first head, those of the others behind it; -1: the
  // sequence has one chunk only.
  int64_t partial = -1;
};

// The chunks of one sequence's decode step. They hang on its keys alone, never on the number of
// workers or on the other sequences, and so do the results.
struct DecodeChunks {
  int64_t first_key, last_key, start, keys, count;

  DecodeChunks(const AttentionJob& job, int64_t s)
      : first_key(job.FirstKey(job.cache_offset[s])),
        last_key(job.cache_offset[s]),
        start(first_key / job.block_size * job.block_size) {
    const int64_t span = last_key + 1 - start;
    const int64_t least = (span + kAttentionMaxChunks - 1) / kAttentionMaxChunks;
    keys = std::max(kAttentionChunkKeys,
                    (least + job.block_size - 1) / job.block_size * job.block_size);
    count = (span + keys - 1) / keys;
  }
};

// Calls visit(item) for every item of a step, prefill tiles of at most tile_queries queries, decode
// items of one head each, in an order that depends on nothing else. Returns the number of partial
// results.
template <typename Visit>
int64_t ForEachAttentionItem(const AttentionJob& job, int64_t tile_queries, Visit visit) {
  int64_t partials = 0;
  for (int64_t s = 0; s < job.sequences; ++s) {
    const int64_t tokens = job.Tokens(s);
    const int64_t offset = job.cache_offset[s];
    AttentionItem item{.sequence = s};
    if (tokens == 1) {
      const DecodeChunks chunks(job, s);
      item.decode = true;
      item.queries = job.group;
      for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        const int64_t start = chunks.start + chunk * chunks.keys;
        item.first_key = std::max(chunks.first_key, start);
        item.last_key = std::min(offset, start + chunks.keys - 1);
        for (item.head = 0; item.head < job.num_kv_heads; ++item.head) {
          item.partial = chunks.count == 1 ? -1 : partials++;
          visit(item);
        }
      }
      continue;
    }
    const int64_t queries = tokens * job.group;
    for (int64_t head = 0; head < job.num_kv_heads; ++head) {
      item.head = head;
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

// Calls visit(item) for this worker's items: neighbours, with as much work as the others'; heads of
// one decode chunk in one item. Returns the number of partial results of the whole step.
template <typename Visit>
int64_t ForMyAttentionItems(const AttentionJob& job, int64_t tile_queries, const Worker& worker,
                            Visit visit) {
  // A key of decode is read from memory, and costs no less than it takes a few queries to multiply.
  const auto cost = [](const AttentionItem& item) {
    const int64_t queries = item.decode ? std::max<int64_t>(item.queries, 4) : item.queries;
    return (item.last_key - item.first_key + 1) * queries + 1;
  };
  int64_t total = 0;
  ForEachAttentionItem(job, tile_queries, [&](const AttentionItem& item) { total += cost(item); });
  const int64_t begin = total * worker.index / worker.count;
  const int64_t end = total * (worker.index + 1) / worker.count;
  int64_t before = 0;
  AttentionItem mine{.heads = 0};
  const auto flush = [&] {
    if (mine.heads > 0) visit(mine);
    mine.heads = 0;
  };
  const int64_t partials = ForEachAttentionItem(job, tile_queries, [&](const AttentionItem& item) {
    const int64_t middle = before + cost(item) / 2;
    before += cost(item);
    if (middle < begin || middle >= end) return;
    if (mine.heads > 0 && item.decode && mine.decode && item.sequence == mine.sequence &&
        item.first_key == mine.first_key && item.head == mine.head + mine.heads) {
      ++mine.heads;
      return;
    }
    flush();
    mine = item;
  });
  flush();
  return partials;
}

// Calls visit(block, row, count, head) over the blocks of a decode item and, in each, its heads:
// rows [row, row + count) of a block's keys and values.
template <typename Visit>
void ForEachDecodeBlock(const AttentionJob& job, const AttentionItem& item, Visit visit) {
  for (int64_t key = item.first_key; key <= item.last_key;) {
    const int64_t block = key / job.block_size;
    const int64_t end = std::min((block + 1) * job.block_size, item.last_key + 1);
    for (int64_t head = item.head; head < item.head + item.heads; ++head) {
      visit(block, key % job.block_size, end - key, head);
    }
    key = end;
  }
}

// What a decode item carries along for each of its query heads, the heads of a key/value head
// together.
struct DecodeState {
  float* outputs;  // [heads * G, stride]: sums of values
  float* largest;  // [heads * G]
  float* sum;      // [heads * G]: of exponentials
  int64_t stride;
};

// Writes a decode item's results into y, or as partial results. `unit`: what a largest score of the
// kernel is in natural units.
void FinishDecodeItem(const AttentionJob& job, const AttentionItem& item, const DecodeState& state,
                      float unit, float* partials);

// Floats of the partial result of one chunk and key/value head: sums [G, Dv], then the largest
// score and the sum of exponentials of each query.
inline int64_t PartialFloats(const AttentionJob& job) { return job.group * (job.value_dim + 2); }

// Upper bound of the partial results of any step within the shapes of `call`.
int64_t MaxPartials(const OpCall& call);

#if defined(__x86_64__)
// The merging of partial results, for the kernels whose file is not Highway's
// (attention_vector.cc).
namespace N_AVX3 {
void MergePartialResults(const AttentionJob& job, const float* partials, const Worker& worker);
}  // namespace N_AVX3
// Decode items over a bf16 cache by vdpbf16ps (attention_decode_avx512.cc).
size_t DotDecodeScratchFloats(const AttentionJob& job);  // of one worker, a multiple of 16
void DotDecodeBf16(const AttentionJob& job, const AttentionItem& item, float* scratch,
                   float* partials);
#endif

}  // namespace fathom
