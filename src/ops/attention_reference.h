// Attention as plain loops over the paged cache: what the records of attention share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/check.h"
#include "ops/op.h"
#include "ops/record_tools.h"
#include "tensor/convert.h"

namespace fathom {

struct AttentionSettings {
  int64_t num_heads;
  float scale;
  int64_t window;
  float softcap;

  explicit AttentionSettings(const Attributes& attributes)
      : num_heads(attributes.Int("num_heads")),
        scale(static_cast<float>(attributes.Double("scale"))),
        window(attributes.Int("window", 0)),
        softcap(static_cast<float>(attributes.Double("softcap", 0))) {}

  // First key that the token at `position` sees.
  int64_t FirstKey(int64_t position) const {
    return window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
  }
};

// Rows [first, last] of one head of one sequence as float32, through its block table.
inline std::vector<float> GatherRows(const Tensor& cache, const int32_t* block_table, int64_t head,
                                     int64_t first, int64_t last) {
  const int64_t block_size = cache.shape[2];
  const int64_t dim = cache.shape[3];
  std::vector<float> rows((last - first + 1) * dim);
  for (int64_t j = first; j <= last; ++j) {
    const int64_t block = block_table[j / block_size];
    FATHOM_CHECK(block >= 0 && block < cache.shape[0]);
    const int64_t element =
        block * cache.strides[0] + head * cache.strides[1] + j % block_size * cache.strides[2];
    ConvertToFloat(cache.dtype, cache.as<std::byte>() + element * BytesOf(cache.dtype), dim,
                   rows.data() + (j - first) * dim);
  }
  return rows;
}

// softmax over the scores of one query against `count` keys.
inline void AttentionSoftmax(const AttentionSettings& settings, const float* q, const float* keys,
                             int64_t count, int64_t dim, std::vector<float>& probabilities) {
  probabilities.resize(count);
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t j = 0; j < count; ++j) {
    float score = DotProduct(q, keys + j * dim, dim) * settings.scale;
    if (settings.softcap != 0) score = std::tanh(score / settings.softcap) * settings.softcap;
    probabilities[j] = score;
    largest = std::max(largest, score);
  }
  double sum = 0;
  for (float& probability : probabilities) {
    probability = std::exp(probability - largest);
    sum += probability;
  }
  for (float& probability : probabilities) probability /= static_cast<float>(sum);
}

// One token and query head, with the rows that it sees.
struct AttentionQuery {
  int64_t token = 0;
  int64_t head = 0;
  const float* keys = nullptr;    // [count, head_dim]
  const float* values = nullptr;  // [count, value_dim]
  int64_t first_key = 0;          // position in the sequence
  int64_t count = 0;
};

// Calls visit(AttentionQuery) for every token and query head.
template <typename Visit>
void ForEachQuery(const OpCall& call, const AttentionSettings& settings, Visit visit) {
  const Tensor& key_cache = call.inputs[1].tensor;
  const Tensor& value_cache = call.inputs[2].tensor;
  const Tensor& block_table = call.inputs[3].tensor;
  const auto* sequence_start = call.inputs[4].tensor.as<int32_t>();
  const auto* cache_offset = call.inputs[5].tensor.as<int32_t>();
  const int64_t group = settings.num_heads / key_cache.shape[1];
  for (int64_t s = 0; s < block_table.shape[0]; ++s) {
    const int64_t tokens = sequence_start[s + 1] - sequence_start[s];
    if (tokens == 0) continue;
    const int64_t first = settings.FirstKey(cache_offset[s]);
    const int64_t last = cache_offset[s] + tokens - 1;
    const auto* blocks = block_table.row<int32_t>(s);
    for (int64_t head = 0; head < key_cache.shape[1]; ++head) {
      const auto keys = GatherRows(key_cache, blocks, head, first, last);
      const auto values = GatherRows(value_cache, blocks, head, first, last);
      for (int64_t i = 0; i < tokens; ++i) {
        const int64_t position = cache_offset[s] + i;
        const int64_t from = settings.FirstKey(position);
        for (int64_t h = head * group; h < (head + 1) * group; ++h) {
          visit(AttentionQuery{.token = sequence_start[s] + i,
                               .head = h,
                               .keys = keys.data() + (from - first) * key_cache.shape[3],
                               .values = values.data() + (from - first) * value_cache.shape[3],
                               .first_key = from,
                               .count = position - from + 1});
        }
      }
    }
  }
}

// y = the weighted sums of values; weights_of(t, h, probabilities) sees every row of weights first.
template <typename Visit>
void AttentionLoops(const OpCall& call, Visit weights_of) {
  const AttentionSettings settings(*call.attributes);
  const Tensor& q = call.inputs[0].tensor;
  const int64_t dim = call.inputs[1].tensor.shape[3];
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  std::vector<float> probabilities;
  std::vector<double> sums(value_dim);
  ForEachQuery(call, settings, [&](const AttentionQuery& query) {
    AttentionSoftmax(settings, q.row<float>(query.token) + query.head * dim, query.keys,
                     query.count, dim, probabilities);
    weights_of(query, probabilities);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t j = 0; j < query.count; ++j) {
      const double probability = probabilities[j];
      for (int64_t d = 0; d < value_dim; ++d)
        sums[d] += probability * query.values[j * value_dim + d];
    }
    std::copy(sums.begin(), sums.end(),
              call.outputs[0].tensor.row<float>(query.token) + query.head * value_dim);
  });
}

// The largest value, and the error of a score (scale * ||q|| * ||k||), which moves a probability by
// twice as much of itself: visit(query, largest, score).
template <typename Visit>
void AttentionMagnitudes(const OpCall& call, Visit visit) {
  const AttentionSettings settings(*call.attributes);
  const Tensor& q = call.inputs[0].tensor;
  const int64_t dim = call.inputs[1].tensor.shape[3];
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  ForEachQuery(call, settings, [&](const AttentionQuery& query) {
    double longest = 0;
    float largest = 0;
    for (int64_t j = 0; j < query.count; ++j) {
      longest = std::max(longest, Length(query.keys + j * dim, dim));
      for (int64_t d = 0; d < value_dim; ++d) {
        largest = std::max(largest, std::abs(query.values[j * value_dim + d]));
      }
    }
    const double score = std::abs(settings.scale) *
                         Length(q.row<float>(query.token) + query.head * dim, dim) * longest;
    visit(query, largest, score);
  });
}

// Does q, key_cache, value_cache, block_table, sequence_start, cache_offset fit together?
inline bool AttentionShapesFit(const Attributes& attributes, std::span<const Shape> inputs) {
  const int64_t num_heads = attributes.Int("num_heads");
  return inputs.size() == 6 && num_heads > 0 && inputs[0].rank == 2 && inputs[1].rank == 4 &&
         inputs[2].rank == 4 && inputs[3].rank == 2 && inputs[5] == Shape{inputs[3][0]} &&
         inputs[4] == Shape{inputs[3][0] + 1} && inputs[0][1] == num_heads * inputs[1][3] &&
         inputs[1][0] == inputs[2][0] && inputs[1][1] == inputs[2][1] &&
         inputs[1][2] == inputs[2][2] && inputs[1][1] > 0 && num_heads % inputs[1][1] == 0;
}

}  // namespace fathom
