#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"
#include "ops/op.h"
#include "ops/record_tools.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

// Inputs: q, key_cache, value_cache, block_table, sequence_start, cache_offset.
Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  const int64_t num_heads = attributes.Int("num_heads");
  const bool fit = inputs.size() == 6 && num_heads > 0 && inputs[0].rank == 2 &&
                   inputs[1].rank == 4 && inputs[2].rank == 4 && inputs[3].rank == 2 &&
                   inputs[5] == Shape{inputs[3][0]} && inputs[4] == Shape{inputs[3][0] + 1} &&
                   inputs[0][1] == num_heads * inputs[1][3] && inputs[1][0] == inputs[2][0] &&
                   inputs[1][1] == inputs[2][1] && inputs[1][2] == inputs[2][2] &&
                   inputs[1][1] > 0 && num_heads % inputs[1][1] == 0;
  if (!fit) return ShapesDoNotFit("attention", inputs);
  return std::vector<Shape>{{inputs[0][0], num_heads * inputs[2][3]}};
}

struct Settings {
  int64_t num_heads;
  float scale;
  int64_t window;
  float softcap;

  explicit Settings(const Attributes& attributes)
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
std::vector<float> GatherRows(const Tensor& cache, const int32_t* block_table, int64_t head,
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
void Softmax(const Settings& settings, const float* q, const float* keys, int64_t count,
             int64_t dim, std::vector<float>& probabilities) {
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

// Calls visit(t, h, keys, values, count) for every token and query head, with the rows it sees.
template <typename Visit>
void ForEachQuery(const OpCall& call, const Settings& settings, Visit visit) {
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
          visit(sequence_start[s] + i, h, keys.data() + (from - first) * key_cache.shape[3],
                values.data() + (from - first) * value_cache.shape[3], position - from + 1);
        }
      }
    }
  }
}

void Reference(const OpCall& call) {
  const Settings settings(*call.attributes);
  const Tensor& q = call.inputs[0].tensor;
  const int64_t dim = call.inputs[1].tensor.shape[3];
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  std::vector<float> probabilities;
  std::vector<double> sums(value_dim);
  ForEachQuery(call, settings,
               [&](int64_t t, int64_t h, const float* keys, const float* values, int64_t count) {
                 Softmax(settings, q.row<float>(t) + h * dim, keys, count, dim, probabilities);
                 std::fill(sums.begin(), sums.end(), 0.0);
                 for (int64_t j = 0; j < count; ++j) {
                   const double probability = probabilities[j];
                   for (int64_t d = 0; d < value_dim; ++d)
                     sums[d] += probability * values[j * value_dim + d];
                 }
                 std::copy(sums.begin(), sums.end(),
                           call.outputs[0].tensor.row<float>(t) + h * value_dim);
               });
}

// The largest value, and the error of a score (scale * ||q|| * ||k||), which moves a probability by
// twice as much of itself.
void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const Settings settings(*call.attributes);
  const Tensor& q = call.inputs[0].tensor;
  const int64_t dim = call.inputs[1].tensor.shape[3];
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  ForEachQuery(call, settings,
               [&](int64_t t, int64_t h, const float* keys, const float* values, int64_t count) {
                 double longest = 0;
                 float largest = 0;
                 for (int64_t j = 0; j < count; ++j) {
                   longest = std::max(longest, Length(keys + j * dim, dim));
                   for (int64_t d = 0; d < value_dim; ++d) {
                     largest = std::max(largest, std::abs(values[j * value_dim + d]));
                   }
                 }
                 const double score =
                     std::abs(settings.scale) * Length(q.row<float>(t) + h * dim, dim) * longest;
                 std::fill_n(magnitudes[0].row<float>(t) + h * value_dim, value_dim,
                             static_cast<float>(largest * (1 + 2 * score)));
               });
}

// Every sequence is taken to fill its columns of the block table, or its window.
OpCost Cost(const Attributes& attributes, std::span<const Shape> inputs,
            std::span<const Shape> outputs) {
  const double window = static_cast<double>(attributes.Int("window", 0));
  double keys = static_cast<double>(inputs[3][1] * inputs[1][2]);
  if (window > 0) keys = std::min(keys, window);
  const double head_dims = static_cast<double>(inputs[1][3] + inputs[2][3]);
  const double heads = static_cast<double>(attributes.Int("num_heads"));
  const double tokens = static_cast<double>(inputs[0][0]);
  return {.flops = tokens * heads * keys * (2 * head_dims + 5),
          .bytes = 4 * (Elements(inputs[0]) + Elements(outputs[0]) + Elements(inputs[3]) +
                        Elements(inputs[4]) + Elements(inputs[5])),
          .cache_elements = static_cast<double>(inputs[3][0]) * keys *
                            static_cast<double>(inputs[1][1]) * head_dims};
}

struct Heads {
  int64_t query;
  int64_t key_value;
  int64_t head_dim;
  int64_t value_dim;
};

OpTestCase Case(std::string name, const TestStep& step, const Heads& heads, double softcap = 0,
                double high = 2) {
  Attributes attributes = {{"num_heads", heads.query},
                           {"scale", 1 / std::sqrt(static_cast<double>(heads.head_dim))}};
  if (step.window != 0) attributes.Set("window", step.window);
  if (softcap != 0) attributes.Set("softcap", softcap);
  const auto sequences = static_cast<int64_t>(step.lengths.size());
  return {std::move(name),
          std::move(attributes),
          {TestActivation(step.num_tokens, heads.query * heads.head_dim, -high, high),
           TestCache(step.num_blocks, heads.key_value, heads.head_dim),
           TestCache(step.num_blocks, heads.key_value, heads.value_dim),
           TestIndex(step.block_table, {sequences, step.max_blocks}),
           TestIndex(step.sequence_start), TestIndex(step.offsets)},
          {{step.num_tokens, heads.query * heads.value_dim}}};
}

std::vector<OpTestCase> TestCases() {
  return {
      Case("first_token", MakeTestStep({1}, {0}), {4, 4, 64, 64}),
      Case("decode_grouped", MakeTestStep({1}, {100}), {6, 2, 64, 64}),
      Case("decode_multi_query", MakeTestStep({1, 1}, {31, 32}), {8, 1, 32, 32}),
      Case("decode_batch", MakeTestStep({1, 1, 1, 1, 1}, {0, 5, 63, 64, 200}), {9, 3, 64, 64}),
      Case("prefill", MakeTestStep({33}, {0}), {4, 2, 64, 64}),
      Case("prefill_odd_head_dim", MakeTestStep({7}, {0}), {3, 3, 10, 10}),
      Case("prefill_two_chunks", MakeTestStep({40}, {70}), {4, 2, 48, 48}),
      Case("prefill_long", MakeTestStep({130}, {0}), {2, 1, 32, 32}),
      Case("ragged", MakeTestStep({33, 1, 7, 1, 64}, {0, 63, 40, 0, 1}), {6, 2, 40, 40}),
      Case("ragged_with_empty", MakeTestStep({3, 0, 2}, {0, 10, 31}), {2, 2, 16, 16}),
      Case("value_dim_differs", MakeTestStep({9, 1}, {20, 64}), {4, 2, 24, 16}),
      Case("window_inside_a_block", MakeTestStep({9, 1}, {50, 90}, 5), {4, 2, 32, 32}),
      Case("window_frees_blocks", MakeTestStep({1, 40, 1}, {200, 97, 10}, 33), {4, 2, 64, 64}),
      Case("window_prefill", MakeTestStep({70}, {0}, 16), {2, 2, 48, 48}),
      Case("window_of_one", MakeTestStep({6}, {30}, 1), {2, 1, 16, 16}),
      Case("softcap", MakeTestStep({33, 1}, {0, 77}), {4, 2, 64, 64}, 50, 8),
      Case("softcap_and_window", MakeTestStep({20, 1}, {60, 130}, 24), {4, 2, 32, 32}, 5, 8),
      Case("sharp", MakeTestStep({12, 1}, {0, 40}), {2, 2, 64, 64}, 0, 100),
      Case("wide_heads", MakeTestStep({3, 1}, {10, 33}), {2, 1, 256, 256}),
      Case("head_dim_80", MakeTestStep({35, 1}, {0, 33}), {2, 1, 80, 80}),
      Case("no_token", MakeTestStep({0}, {1}), {2, 1, 16, 16}),
  };
}

}  // namespace

// Causal attention of transformers' eager_attention_forward (gemma2's with softcap), over blocks.
const OpRecord& op_attention() {
  static const OpRecord record{
      .name = "attention",
      .formula =
          "y[t, h] = sum_j softmax_j(cap(scale * q[t, h] . key[j])) value[j], j over the "
          "keys max(0, p - window + 1) .. p of the token's sequence, p = cache_offset[s] + t "
          "- sequence_start[s]; cap(z) = softcap * tanh(z / softcap)",
      .inputs = {{"q", PortKind::kActivation, "[num_tokens, num_attention_heads * head_dim]"},
                 {"key_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, head_dim]"},
                 {"value_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, value_dim]"},
                 {"block_table", PortKind::kIndex, "[num_sequences, max_blocks]"},
                 {"sequence_start", PortKind::kIndex, "[num_sequences + 1]"},
                 {"cache_offset", PortKind::kIndex, "[num_sequences]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, num_attention_heads * value_dim]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
