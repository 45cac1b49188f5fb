#include <array>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 3 || inputs[0].rank != 2 || inputs[0] != inputs[1] ||
      inputs[2] != Shape{inputs[0][1]}) {
    return ShapesDoNotFit("add_rms_norm", inputs);
  }
  return std::vector<Shape>{inputs[0], inputs[0]};
}

void Reference(const OpCall& call) {
  GetOp("add").reference({.attributes = call.attributes,
                          .inputs = call.inputs.first(2),
                          .outputs = call.outputs.first(1)});
  const std::array<Operand, 2> norm_inputs = {call.outputs[0], call.inputs[2]};
  GetOp("rms_norm")
      .reference({.attributes = call.attributes,
                  .inputs = norm_inputs,
                  .outputs = call.outputs.subspan(1)});
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  const double elements = Elements(inputs[0]);
  return {.flops = 6 * elements, .bytes = 4 * (4 * elements + Elements(inputs[2]))};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, int64_t rows, int64_t n, double weight_offset) {
    return OpTestCase{std::move(name),
                      {{"eps", 1e-6}, {"weight_offset", weight_offset}},
                      {TestActivation(rows, n, -2, 2), TestActivation(rows, n), TestVector(n)},
                      {{rows, n}, {rows, n}}};
  };
  return {make("one_token", 1, 64, 0), make("odd_sizes", 7, 51, 0), make("wide", 33, 576, 0),
          make("offset_of_gemma", 3, 96, 1), make("no_token", 0, 64, 0)};
}

}  // namespace

const OpRecord& op_add_rms_norm() {
  static const OpRecord record{
      .name = "add_rms_norm",
      .formula = "sum = a + b, y = rms_norm(sum, weight)",
      .inputs = {{"a", PortKind::kActivation, "[num_tokens, n]"},
                 {"b", PortKind::kActivation, "[num_tokens, n]"},
                 {"weight", PortKind::kVector, "[n]"}},
      .outputs = {{"sum", PortKind::kActivation, "[num_tokens, n]"},
                  {"y", PortKind::kActivation, "[num_tokens, n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
  };
  return record;
}

}  // namespace fathom
