#include "base/check.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 1 || inputs[1].rank != 2) {
    return ShapesDoNotFit("embedding", inputs);
  }
  return std::vector<Shape>{{inputs[0][0], inputs[1][1]}};
}

void Reference(const OpCall& call) {
  const auto* token_ids = call.inputs[0].tensor.as<int32_t>();
  const Weight& table = *call.inputs[1].weight;
  const Tensor& x = call.outputs[0].tensor;
  const float scale = static_cast<float>(call.attributes->Double("scale", 1));
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    FATHOM_CHECK(token_ids[t] >= 0 && token_ids[t] < table.rows);
    float* row = x.row<float>(t);
    ReadWeightRow(table, token_ids[t], row);
    for (int64_t i = 0; i < x.shape[1]; ++i) row[i] *= scale;
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  const double elements = Elements(outputs[0]);
  return {.flops = elements,
          .bytes = 4 * (Elements(inputs[0]) + elements),
          .weight_elements = elements};
}

std::vector<OpTestCase> TestCases() {
  return {
      {"one_token", {}, {TestIndex({5}), TestMatrix(11, 64)}, {{1, 64}}},
      {"scaled_odd_sizes",
       {{"scale", 8.0}},
       {TestIndex({36, 0, 17, 17, 3, 36, 20}), TestMatrix(37, 51)},
       {{7, 51}}},
      {"scale_of_gemma",
       {{"scale", 55.4256258422}},
       {TestIndex({1, 2}), TestMatrix(3, 3072)},
       {{2, 3072}}},
      {"no_token", {}, {TestIndex({}), TestMatrix(4, 16)}, {{0, 16}}},
  };
}

}  // namespace

// Gemma's embeddings times sqrt(hidden_size): the one user of `scale`.
const OpRecord& op_embedding() {
  static const OpRecord record{
      .name = "embedding",
      .formula = "x[t] = scale * table[token_ids[t]]",
      .inputs = {{"token_ids", PortKind::kIndex, "[num_tokens]"},
                 {"table", PortKind::kMatrix, "[vocab_size, hidden_size]"}},
      .outputs = {{"x", PortKind::kActivation, "[num_tokens, hidden_size]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 1,
  };
  return record;
}

}  // namespace fathom
