#include <array>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

// Inputs are x, then (weight, bias) for each output; a last bias may be left off.
size_t Members(size_t inputs) { return inputs / 2; }

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() < 2 || inputs[0].rank != 2) return ShapesDoNotFit("linear_group", inputs);
  std::vector<Shape> outputs;
  for (size_t i = 0; i < Members(inputs.size()); ++i) {
    const Shape& weight = inputs[1 + 2 * i];
    if (weight.rank != 2 || weight[1] != inputs[0][1] ||
        !IsOptionalVector(inputs, 2 + 2 * i, weight[0])) {
      return ShapesDoNotFit("linear_group", inputs);
    }
    outputs.push_back({inputs[0][0], weight[0]});
  }
  return outputs;
}

// Calls visit(call of `linear`) for each member.
template <typename Visit>
void ForEachMember(const OpCall& call, Visit visit) {
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const size_t bias = 2 + 2 * i;
    const std::array<Operand, 3> inputs = {
        call.inputs[0], call.inputs[1 + 2 * i],
        bias < call.inputs.size() ? call.inputs[bias] : Operand{}};
    visit(i, OpCall{.attributes = call.attributes,
                    .inputs = inputs,
                    .outputs = call.outputs.subspan(i, 1)});
  }
}

void Reference(const OpCall& call) {
  ForEachMember(call, [](size_t, const OpCall& linear) { GetOp("linear").reference(linear); });
}

void Magnitudes(const OpCall& call, std::span<const Tensor> magnitudes) {
  ForEachMember(call, [&](size_t i, const OpCall& linear) {
    GetOp("linear").magnitudes(linear, magnitudes.subspan(i, 1));
  });
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  OpCost cost{.bytes = 4 * Elements(inputs[0])};
  for (size_t i = 0; i < outputs.size(); ++i) {
    cost.flops += 2 * Elements(inputs[0]) * static_cast<double>(inputs[1 + 2 * i][0]);
    cost.bytes += 4 * Elements(outputs[i]);
    if (!IsAbsent(inputs, 2 + 2 * i)) cost.bytes += 4 * Elements(inputs[2 + 2 * i]);
    cost.weight_elements += Elements(inputs[1 + 2 * i]);
  }
  return cost;
}

struct Member {
  int64_t out;
  bool bias;
};

OpTestCase Case(std::string name, int64_t tokens, int64_t in, const std::vector<Member>& members) {
  OpTestCase test{std::move(name), {}, {TestActivation(tokens, in)}, {}};
  for (const Member& member : members) {
    test.inputs.push_back(TestMatrix(member.out, in));
    test.inputs.push_back(member.bias ? TestVector(member.out) : TestAbsent());
    test.output_shapes.push_back({tokens, member.out});
  }
  return test;
}

std::vector<OpTestCase> TestCases() {
  return {
      Case("query_key_value", 1, 64, {{64, false}, {32, false}, {32, false}}),
      Case("query_key_value_bias", 7, 96, {{96, true}, {48, true}, {48, true}}),
      Case("odd_sizes", 33, 51, {{37, true}, {11, false}, {5, true}}),
      Case("multi_query", 1, 128, {{128, false}, {16, false}, {16, false}}),
      Case("two", 5, 40, {{72, false}, {72, false}}),
      Case("one", 3, 33, {{20, true}}),
      Case("no_token", 0, 64, {{64, false}, {32, true}}),
  };
}

}  // namespace

// Layers that read the same x, as one: query, key and value.
const OpRecord& op_linear_group() {
  static const OpRecord record{
      .name = "linear_group",
      .formula = "y_i = linear(x, weight_i, bias_i)",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, in_features]"},
                 {.name = "weight",
                  .kind = PortKind::kMatrix,
                  .axes = "[out_features_i, in_features]",
                  .repeated = true},
                 {.name = "bias",
                  .kind = PortKind::kVector,
                  .axes = "[out_features_i]",
                  .optional = true,
                  .repeated = true}},
      .outputs = {{.name = "y",
                   .kind = PortKind::kActivation,
                   .axes = "[num_tokens, out_features_i]",
                   .repeated = true}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .magnitudes = Magnitudes,
  };
  return record;
}

}  // namespace fathom
