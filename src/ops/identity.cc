#include "ops/identity.h"

#include <algorithm>

#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 1 || inputs[0].rank != 2) return ShapesDoNotFit("identity", inputs);
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const Tensor& x = call.inputs[0].tensor;
  std::copy_n(x.as<float>(), x.shape.elements(), call.outputs[0].tensor.as<float>());
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  return {.bytes = 8 * Elements(inputs[0])};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, int64_t rows, int64_t n) {
    return OpTestCase{std::move(name), {}, {TestActivation(rows, n)}, {{rows, n}}};
  };
  return {make("one_token", 1, 64), make("odd_sizes", 7, 51), make("no_token", 0, 64)};
}

}  // namespace

OpRecord MakeIdentityRecord(std::string_view name, std::string_view formula) {
  return {
      .name = name,
      .formula = formula,
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, n]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 0,
  };
}

}  // namespace fathom
