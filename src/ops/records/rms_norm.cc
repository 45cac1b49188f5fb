#include <cmath>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 2) return ShapesDoNotFit("rms_norm", inputs);
  const int64_t n = inputs[0][1];
  const int64_t head_dim = attributes.Int("head_dim", n);
  if (head_dim < 1 || n % head_dim != 0 || inputs[1] != Shape{head_dim}) {
    return ShapesDoNotFit("rms_norm", inputs);
  }
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const Tensor& x = call.inputs[0].tensor;
  const Tensor& y = call.outputs[0].tensor;
  const auto* weight = call.inputs[1].tensor.as<float>();
  const float eps = static_cast<float>(call.attributes->Double("eps"));
  const float offset = static_cast<float>(call.attributes->Double("weight_offset", 0));
  const int64_t n = call.inputs[1].tensor.shape[0];
  const int64_t heads = x.shape[1] / n;
  for (int64_t t = 0; t < x.shape[0] * heads; ++t) {
    const float* in = x.row<float>(t / heads) + t % heads * n;
    float* out = y.row<float>(t / heads) + t % heads * n;
    const float mean = DotProduct(in, in, n) / static_cast<float>(n);
    const float factor = 1.0f / std::sqrt(mean + eps);
    for (int64_t i = 0; i < n; ++i) out[i] = in[i] * factor * (offset + weight[i]);
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  const double elements = Elements(inputs[0]);
  return {.flops = 5 * elements, .bytes = 4 * (2 * elements + Elements(inputs[1]))};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, int64_t rows, int64_t n, double eps, double weight_offset,
                       double high) {
    return OpTestCase{std::move(name),
                      {{"eps", eps}, {"weight_offset", weight_offset}},
                      {TestActivation(rows, n, -high, high), TestVector(n)},
                      {{rows, n}}};
  };
  const auto heads = [](std::string name, int64_t rows, int64_t num_heads, int64_t head_dim) {
    return OpTestCase{std::move(name),
                      {{"eps", 1e-6}, {"head_dim", head_dim}},
                      {TestActivation(rows, num_heads * head_dim), TestVector(head_dim)},
                      {{rows, num_heads * head_dim}}};
  };
  return {make("one_token", 1, 64, 1e-6, 0, 1),
          make("odd_sizes", 7, 51, 1e-5, 0, 3),
          make("wide", 33, 1024, 1e-6, 0, 1),
          make("offset_of_gemma", 5, 96, 1e-6, 1, 10),
          make("eps_matters", 3, 40, 1e-2, 0, 0.1),
          make("one_element", 2, 1, 1e-6, 0, 1),
          make("no_token", 0, 64, 1e-6, 0, 1),
          heads("heads", 5, 4, 64),
          heads("odd_heads", 3, 7, 19),
          heads("one_head", 2, 1, 32)};
}

}  // namespace

// LlamaRMSNorm; with weight_offset 1 GemmaRMSNorm; with head_dim each head is normalized by itself
// (q_norm, k_norm of Qwen3Attention), and n below is head_dim.
const OpRecord& op_rms_norm() {
  static const OpRecord record{
      .name = "rms_norm",
      .formula = "y = x * rsqrt(mean(x^2) + eps) * (weight_offset + weight)",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, heads * n]"},
                 {"weight", PortKind::kVector, "[n]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, heads * n]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
  };
  return record;
}

}  // namespace fathom
