#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ops/activation_function.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 5 || inputs[0].rank != 2 || inputs[1].rank != 2 || inputs[3] != inputs[1] ||
      inputs[0][1] != inputs[1][1] || !IsOptionalVector(inputs, 2, inputs[1][0]) ||
      !IsOptionalVector(inputs, 4, inputs[1][0])) {
    return ShapesDoNotFit("linear_gated", inputs);
  }
  return std::vector<Shape>{{inputs[0][0], inputs[1][0]}};
}

// gate x and up x, with a buffer of their own.
struct Parts {
  std::vector<float> gate;
  std::vector<float> up;
  std::array<Operand, 2> operands;
  std::array<Operand, 3> gate_inputs;
  std::array<Operand, 3> up_inputs;
};

Parts ComputeParts(const OpCall& call) {
  Parts parts;
  const Shape shape = call.outputs[0].tensor.shape;
  parts.gate.resize(shape.elements() + 1);  // never a null address
  parts.up.resize(shape.elements() + 1);
  parts.operands[0].tensor = Tensor::Dense(DType::kF32, shape, parts.gate.data());
  parts.operands[1].tensor = Tensor::Dense(DType::kF32, shape, parts.up.data());
  parts.gate_inputs = {call.inputs[0], call.inputs[1], call.inputs[2]};
  parts.up_inputs = {call.inputs[0], call.inputs[3], call.inputs[4]};
  const std::span<Operand> outputs(parts.operands);
  const OpRecord& linear = GetOp("linear");
  linear.reference({.inputs = parts.gate_inputs, .outputs = outputs.first(1)});
  linear.reference({.inputs = parts.up_inputs, .outputs = outputs.last(1)});
  return parts;
}

void Reference(const OpCall& call) {
  const Parts parts = ComputeParts(call);
  GetOp("gated_activation")
      .reference(
          {.attributes = call.attributes, .inputs = parts.operands, .outputs = call.outputs});
}

// Errors of both products, carried through act(gate) * up. No activation is steeper than 1.2,
// except relu2 with 2 |gate|.
void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const auto function = GetActivationFunction(call.attributes->String("activation"));
  Parts parts = ComputeParts(call);
  const Shape shape = magnitudes[0].shape;
  std::vector<float> gate_bound(parts.gate.size());
  std::vector<float> up_bound(parts.up.size());
  const std::array<Tensor, 2> bounds = {Tensor::Dense(DType::kF32, shape, gate_bound.data()),
                                        Tensor::Dense(DType::kF32, shape, up_bound.data())};
  const std::span<Operand> outputs(parts.operands);
  const OpRecord& linear = GetOp("linear");
  linear.magnitudes({.inputs = parts.gate_inputs, .outputs = outputs.first(1)},
                    std::span(bounds).first(1));
  linear.magnitudes({.inputs = parts.up_inputs, .outputs = outputs.last(1)},
                    std::span(bounds).last(1));
  auto* out = magnitudes[0].as<float>();
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const float gate = std::abs(parts.gate[i]);
    const float up = std::abs(parts.up[i]);
    const float slope = function == ActivationFunction::kRelu2 ? 2 * (gate + gate_bound[i]) : 1.2f;
    const float act = std::max(gate, std::abs(Activate(function, parts.gate[i])));
    out[i] = slope * gate_bound[i] * (up + 0.01f * up_bound[i]) + act * (up + up_bound[i]);
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  const double biases = (IsAbsent(inputs, 2) ? 0 : Elements(inputs[2])) +
                        (IsAbsent(inputs, 4) ? 0 : Elements(inputs[4]));
  return {.flops = 4 * Elements(inputs[0]) * static_cast<double>(inputs[1][0]) +
                   6 * Elements(outputs[0]),
          .bytes = 4 * (Elements(inputs[0]) + Elements(outputs[0]) + biases),
          .weight_elements = 2 * Elements(inputs[1])};
}

OpTestCase Case(std::string name, std::string activation, int64_t tokens, int64_t in, int64_t out,
                bool gate_bias = false, bool up_bias = false) {
  return {
      std::move(name),
      {{"activation", std::move(activation)}},
      {TestActivation(tokens, in), TestMatrix(out, in), gate_bias ? TestVector(out) : TestAbsent(),
       TestMatrix(out, in), up_bias ? TestVector(out) : TestAbsent()},
      {{tokens, out}}};
}

std::vector<OpTestCase> TestCases() {
  std::vector<OpTestCase> tests = {
      Case("one_token", "silu", 1, 64, 96),
      Case("one_token_odd_sizes", "silu", 1, 51, 37, true, true),
      Case("odd_sizes", "silu", 7, 51, 37, true, true),
      Case("gate_bias_only", "gelu_pytorch_tanh", 3, 64, 48, true, false),
      Case("up_bias_only", "silu", 5, 33, 48, false, true),
      Case("tile_edges", "silu", 33, 65, 49),
      Case("whole_tiles", "silu", 32, 128, 64),
      Case("no_token", "silu", 0, 64, 48),
  };
  for (const std::string_view name : ActivationFunctionNames()) {
    tests.push_back(Case("activation_" + std::string(name), std::string(name), 5, 48, 40));
  }
  return tests;
}

}  // namespace

const OpRecord& op_linear_gated() {
  static const OpRecord record{
      .name = "linear_gated",
      .formula = "y = act(linear(x, gate, gate_bias)) * linear(x, up, up_bias)",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, hidden_size]"},
                 {"gate", PortKind::kMatrix, "[intermediate_size, hidden_size]"},
                 {.name = "gate_bias",
                  .kind = PortKind::kVector,
                  .axes = "[intermediate_size]",
                  .optional = true},
                 {"up", PortKind::kMatrix, "[intermediate_size, hidden_size]"},
                 {.name = "up_bias",
                  .kind = PortKind::kVector,
                  .axes = "[intermediate_size]",
                  .optional = true}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, intermediate_size]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
