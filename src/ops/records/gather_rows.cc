#include <algorithm>

#include "base/check.h"
#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 2 || inputs[1].rank != 1) {
    return ShapesDoNotFit("gather_rows", inputs);
  }
  return std::vector<Shape>{{inputs[1][0], inputs[0][1]}};
}

void Reference(const OpCall& call) {
  const Tensor& x = call.inputs[0].tensor;
  const auto* logit_rows = call.inputs[1].tensor.as<int32_t>();
  const Tensor& y = call.outputs[0].tensor;
  for (int64_t r = 0; r < y.shape[0]; ++r) {
    FATHOM_CHECK(logit_rows[r] >= 0 && logit_rows[r] < x.shape[0]);
    std::copy_n(x.row<float>(logit_rows[r]), y.shape[1], y.row<float>(r));
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  return {.bytes = 8 * Elements(outputs[0]) + 4 * Elements(inputs[1])};
}

std::vector<OpTestCase> TestCases() {
  return {
      {"one_row", {}, {TestActivation(1, 64), TestIndex({0})}, {{1, 64}}},
      {"last_row", {}, {TestActivation(7, 51), TestIndex({6})}, {{1, 51}}},
      {"any_order_and_twice",
       {},
       {TestActivation(33, 40), TestIndex({32, 0, 5, 5, 17})},
       {{5, 40}}},
      {"no_row", {}, {TestActivation(7, 64), TestIndex({})}, {{0, 64}}},
  };
}

}  // namespace

// Tokens whose logits are wanted.
const OpRecord& op_gather_rows() {
  static const OpRecord record{
      .name = "gather_rows",
      .formula = "y[r] = x[logit_rows[r]]",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, n]"},
                 {"logit_rows", PortKind::kIndex, "[num_logit_rows]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_logit_rows, n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 0,
  };
  return record;
}

}  // namespace fathom
