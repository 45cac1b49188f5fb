#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 2 || inputs[0] != inputs[1]) {
    return ShapesDoNotFit("add", inputs);
  }
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const auto* a = call.inputs[0].tensor.as<float>();
  const auto* b = call.inputs[1].tensor.as<float>();
  auto* y = call.outputs[0].tensor.as<float>();
  const int64_t count = call.outputs[0].tensor.shape.elements();
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  return {.flops = Elements(inputs[0]), .bytes = 12 * Elements(inputs[0])};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, int64_t rows, int64_t n) {
    return OpTestCase{
        std::move(name), {}, {TestActivation(rows, n), TestActivation(rows, n)}, {{rows, n}}};
  };
  return {make("one_token", 1, 64), make("odd_sizes", 7, 51), make("wide", 33, 576),
          make("one_element", 1, 1), make("no_token", 0, 64)};
}

}  // namespace

const OpRecord& op_add() {
  static const OpRecord record{
      .name = "add",
      .formula = "y = a + b",
      .inputs = {{"a", PortKind::kActivation, "[num_tokens, n]"},
                 {"b", PortKind::kActivation, "[num_tokens, n]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 0,
  };
  return record;
}

}  // namespace fathom
