#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/attention_reference.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

// Inputs: q, key_cache, value_cache, block_table, sequence_start, cache_offset.
Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  const int64_t num_heads = attributes.Int("num_heads");
  if (!AttentionShapesFit(attributes, inputs)) return ShapesDoNotFit("attention", inputs);
  return std::vector<Shape>{{inputs[0][0], num_heads * inputs[2][3]}};
}

void Reference(const OpCall& call) {
  AttentionLoops(call, [](const AttentionQuery&, const std::vector<float>&) {});
}

void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  AttentionMagnitudes(call, [&](const AttentionQuery& query, float largest, double score) {
    std::fill_n(magnitudes[0].row<float>(query.token) + query.head * value_dim, value_dim,
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
      Case("heads_without_group", MakeTestStep({5, 1}, {0, 70}), {5, 5, 64, 64}),
      Case("group_of_seven", MakeTestStep({1, 9}, {290, 60}), {14, 2, 64, 64}),
      Case("group_of_eight", MakeTestStep({1, 3}, {35, 0}), {16, 2, 128, 128}),
      Case("head_dim_96", MakeTestStep({35, 1}, {0, 33}), {3, 1, 96, 96}),
      Case("chunk_edges", MakeTestStep({1, 1, 1, 1}, {254, 255, 256, 600}), {4, 2, 32, 32}),
      Case("chunks_of_a_window", MakeTestStep({1, 1}, {700, 540}, 513), {4, 2, 64, 64}, 30, 8),
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
