#include <vector>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() < 2 || inputs.size() > 3 || inputs[0].rank != 2 || inputs[1].rank != 2 ||
      inputs[0][1] != inputs[1][1] || !IsOptionalVector(inputs, 2, inputs[1][0])) {
    return ShapesDoNotFit("linear", inputs);
  }
  return std::vector<Shape>{{inputs[0][0], inputs[1][0]}};
}

void Reference(const OpCall& call) {
  const Tensor& x = call.inputs[0].tensor;
  const Weight& weight = *call.inputs[1].weight;
  const float* bias = HasInput(call, 2) ? call.inputs[2].tensor.as<float>() : nullptr;
  const Tensor& y = call.outputs[0].tensor;
  std::vector<float> row(weight.cols);
  for (int64_t o = 0; o < weight.rows; ++o) {
    ReadWeightRow(weight, o, row.data());
    for (int64_t t = 0; t < x.shape[0]; ++t) {
      const float sum = DotProduct(x.row<float>(t), row.data(), weight.cols);
      y.row<float>(t)[o] = bias == nullptr ? sum : sum + bias[o];
    }
  }
}

// ||row|| * ||x|| + |bias|.
void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const Tensor& x = call.inputs[0].tensor;
  const Weight& weight = *call.inputs[1].weight;
  const float* bias = HasInput(call, 2) ? call.inputs[2].tensor.as<float>() : nullptr;
  std::vector<float> row(weight.cols);
  for (int64_t o = 0; o < weight.rows; ++o) {
    ReadWeightRow(weight, o, row.data());
    const double length = Length(row.data(), weight.cols);
    for (int64_t t = 0; t < x.shape[0]; ++t) {
      const double product = length * Length(x.row<float>(t), weight.cols);
      magnitudes[0].row<float>(t)[o] =
          static_cast<float>(product + (bias == nullptr ? 0 : std::abs(bias[o])));
    }
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  const double bias = IsAbsent(inputs, 2) ? 0 : Elements(inputs[2]);
  return {.flops = 2 * Elements(inputs[0]) * static_cast<double>(inputs[1][0]),
          .bytes = 4 * (Elements(inputs[0]) + Elements(outputs[0]) + bias),
          .weight_elements = Elements(inputs[1])};
}

OpTestCase Case(std::string name, int64_t tokens, int64_t in, int64_t out, bool bias) {
  return {std::move(name),
          {},
          {TestActivation(tokens, in), TestMatrix(out, in), bias ? TestVector(out) : TestAbsent()},
          {{tokens, out}}};
}

std::vector<OpTestCase> TestCases() {
  return {
      Case("one_token", 1, 64, 48, false),
      Case("one_token_bias", 1, 128, 96, true),
      Case("one_token_odd_sizes", 1, 51, 37, true),
      Case("one_token_wide", 1, 1536, 200, false),
      Case("two_tokens", 2, 96, 80, false),
      Case("odd_sizes", 7, 51, 37, true),
      Case("five_tokens_odd_columns", 5, 33, 64, false),
      Case("tile_edges", 33, 65, 49, true),
      Case("whole_tiles", 32, 128, 64, false),
      Case("many_tokens", 130, 96, 112, false),
      Case("long_rows", 17, 1030, 19, true),
      Case("one_row", 3, 40, 1, true),
      Case("one_column", 4, 1, 20, false),
      Case("no_token", 0, 64, 48, true),
  };
}

}  // namespace

const OpRecord& op_linear() {
  static const OpRecord record{
      .name = "linear",
      .formula = "y[t, o] = sum_i x[t, i] * weight[o, i] + bias[o]",
      .inputs =
          {{"x", PortKind::kActivation, "[num_tokens, in_features]"},
           {"weight", PortKind::kMatrix, "[out_features, in_features]"},
           {.name = "bias", .kind = PortKind::kVector, .axes = "[out_features]", .optional = true}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, out_features]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
