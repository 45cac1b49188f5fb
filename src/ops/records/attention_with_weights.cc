#include <algorithm>
#include <vector>

#include "ops/attention_reference.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {

const OpRecord& op_attention();  // attention.cc

namespace {

// Inputs: those of attention.
Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  if (!AttentionShapesFit(attributes, inputs)) {
    return ShapesDoNotFit("attention_with_weights", inputs);
  }
  const int64_t num_heads = attributes.Int("num_heads");
  return std::vector<Shape>{{inputs[0][0], num_heads * inputs[2][3]},
                            {inputs[0][0], num_heads, inputs[3][1], inputs[1][2]}};
}

// The weights of one token and head: a row of max_blocks * block_size floats.
float* RowOf(const Tensor& weights, const AttentionQuery& query) {
  return weights.as<float>() +
         (query.token * weights.shape[1] + query.head) * weights.shape[2] * weights.shape[3];
}

void Reference(const OpCall& call) {
  const Tensor& weights = call.outputs[1].tensor;
  std::fill_n(weights.as<float>(), static_cast<size_t>(Elements(weights.shape)), 0.0f);
  AttentionLoops(call, [&](const AttentionQuery& query, const std::vector<float>& probabilities) {
    std::copy(probabilities.begin(), probabilities.end(), RowOf(weights, query) + query.first_key);
  });
}

// A weight is at most 1, and moves with its score.
void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const int64_t value_dim = call.inputs[2].tensor.shape[3];
  const int64_t keys = magnitudes[1].shape[2] * magnitudes[1].shape[3];
  AttentionMagnitudes(call, [&](const AttentionQuery& query, float largest, double score) {
    std::fill_n(magnitudes[0].row<float>(query.token) + query.head * value_dim, value_dim,
                static_cast<float>(largest * (1 + 2 * score)));
    std::fill_n(RowOf(magnitudes[1], query), keys, static_cast<float>(1 + 2 * score));
  });
}

// As attention, and the weights written once.
OpCost Cost(const Attributes& attributes, std::span<const Shape> inputs,
            std::span<const Shape> outputs) {
  OpCost cost = op_attention().cost(attributes, inputs, outputs);
  cost.bytes += 4 * Elements(outputs[1]);
  return cost;
}

// The cases of attention, with the second output.
std::vector<OpTestCase> TestCases() {
  std::vector<OpTestCase> cases = op_attention().test_cases();
  for (OpTestCase& test : cases) {
    const Shape& table = test.inputs[3].shape;
    test.output_shapes.push_back({test.inputs[0].shape[0], test.attributes.Int("num_heads"),
                                  table[1], test.inputs[1].shape[2]});
  }
  return cases;
}

}  // namespace

// What attention computes, its weights returned (transformers' eager_attention_forward). Keys that
// a query does not see have weight 0.
const OpRecord& op_attention_with_weights() {
  static const OpRecord record{
      .name = "attention_with_weights",
      .formula =
          "y = attention(q, ...); weights[t, h, j] = softmax_j(cap(scale * q[t, h] . key[j]))",
      .inputs = op_attention().inputs,
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, num_attention_heads * value_dim]"},
                  {"weights", PortKind::kActivation,
                   "[num_tokens, num_attention_heads, max_blocks, block_size]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
