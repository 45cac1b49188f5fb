#include <algorithm>
#include <cmath>

#include "ops/activation_function.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 1 || inputs[0].rank != 2) return ShapesDoNotFit("activation", inputs);
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const auto function = GetActivationFunction(call.attributes->String("activation"));
  const auto* x = call.inputs[0].tensor.as<float>();
  auto* y = call.outputs[0].tensor.as<float>();
  const int64_t count = call.outputs[0].tensor.shape.elements();
  for (int64_t i = 0; i < count; ++i) y[i] = Activate(function, x[i]);
}

// Of the terms before they cancel: gelu of -4 is x * (1 + erf(...)), near zero.
void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  const auto* x = call.inputs[0].tensor.as<float>();
  const auto* y = call.outputs[0].tensor.as<float>();
  for (int64_t i = 0; i < magnitudes[0].shape.elements(); ++i) {
    magnitudes[0].as<float>()[i] = std::max(std::abs(x[i]), std::abs(y[i]));
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  return {.flops = 5 * Elements(inputs[0]), .bytes = 8 * Elements(inputs[0])};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, std::string activation, int64_t rows, int64_t n,
                       double high) {
    return OpTestCase{std::move(name),
                      {{"activation", std::move(activation)}},
                      {TestActivation(rows, n, -high, high)},
                      {{rows, n}}};
  };
  std::vector<OpTestCase> tests = {make("one_token", "gelu_new", 1, 64, 4),
                                   make("saturated", "gelu", 3, 40, 200),
                                   make("no_token", "gelu", 0, 16, 1)};
  for (const std::string_view name : ActivationFunctionNames()) {
    tests.push_back(make("activation_" + std::string(name), std::string(name), 7, 51, 6));
  }
  return tests;
}

}  // namespace

const OpRecord& op_activation() {
  static const OpRecord record{
      .name = "activation",
      .formula = "y = act(x)",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, n]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
