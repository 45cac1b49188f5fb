#include <algorithm>
#include <cmath>

#include "ops/activation_function.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 2 || inputs[0] != inputs[1]) {
    return ShapesDoNotFit("gated_activation", inputs);
  }
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const auto function = GetActivationFunction(call.attributes->String("activation"));
  const auto* gate = call.inputs[0].tensor.as<float>();
  const auto* up = call.inputs[1].tensor.as<float>();
  auto* y = call.outputs[0].tensor.as<float>();
  const int64_t count = call.outputs[0].tensor.shape.elements();
  for (int64_t i = 0; i < count; ++i) y[i] = Activate(function, gate[i]) * up[i];
}

void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const auto function = GetActivationFunction(call.attributes->String("activation"));
  const auto* gate = call.inputs[0].tensor.as<float>();
  const auto* up = call.inputs[1].tensor.as<float>();
  for (int64_t i = 0; i < magnitudes[0].shape.elements(); ++i) {
    magnitudes[0].as<float>()[i] =
        std::max(std::abs(gate[i]), std::abs(Activate(function, gate[i]))) * std::abs(up[i]);
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  return {.flops = 6 * Elements(inputs[0]), .bytes = 12 * Elements(inputs[0])};
}

OpTestCase Case(std::string name, std::string activation, int64_t rows, int64_t n, double high) {
  return {std::move(name),
          {{"activation", std::move(activation)}},
          {TestActivation(rows, n, -high, high), TestActivation(rows, n, -2, 2)},
          {{rows, n}}};
}

std::vector<OpTestCase> TestCases() {
  std::vector<OpTestCase> tests = {
      Case("one_token", "silu", 1, 64, 4),
      Case("tile_edges", "silu", 33, 49, 4),
      Case("saturated", "silu", 3, 40, 200),
      Case("no_token", "silu", 0, 16, 1),
  };
  for (const std::string_view name : ActivationFunctionNames()) {
    tests.push_back(Case("activation_" + std::string(name), std::string(name), 7, 51, 6));
  }
  return tests;
}

}  // namespace

const OpRecord& op_gated_activation() {
  static const OpRecord record{
      .name = "gated_activation",
      .formula = "y = act(gate) * up",
      .inputs = {{"gate", PortKind::kActivation, "[num_tokens, intermediate_size]"},
                 {"up", PortKind::kActivation, "[num_tokens, intermediate_size]"}},
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
