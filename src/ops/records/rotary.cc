#include <algorithm>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  const int64_t head_dim = attributes.Int("head_dim");
  if (inputs.size() != 2 || inputs[0].rank != 2 || inputs[1].rank != 2 || head_dim <= 0 ||
      inputs[0][0] != inputs[1][0] || inputs[0][1] % head_dim != 0 || inputs[1][1] > head_dim ||
      inputs[1][1] % 2 != 0) {
    return ShapesDoNotFit("rotary", inputs);
  }
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const Tensor& x = call.inputs[0].tensor;
  const Tensor& table = call.inputs[1].tensor;
  const Tensor& y = call.outputs[0].tensor;
  const int64_t head_dim = call.attributes->Int("head_dim");
  const bool interleaved = call.attributes->Int("interleaved", 0) != 0;
  const int64_t half = table.shape[1] / 2;
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    const float* cos = table.row<float>(t);
    const float* sin = cos + half;
    for (int64_t first = 0; first < x.shape[1]; first += head_dim) {
      const float* in = x.row<float>(t) + first;
      float* out = y.row<float>(t) + first;
      for (int64_t i = 0; i < half; ++i) {
        const int64_t a = interleaved ? 2 * i : i;
        const int64_t b = interleaved ? 2 * i + 1 : i + half;
        out[a] = in[a] * cos[i] - in[b] * sin[i];
        out[b] = in[b] * cos[i] + in[a] * sin[i];
      }
      std::copy(in + 2 * half, in + head_dim, out + 2 * half);
    }
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  return {.flops = 3 * Elements(inputs[0]),
          .bytes = 4 * (2 * Elements(inputs[0]) + Elements(inputs[1]))};
}

std::vector<OpTestCase> TestCases() {
  const auto make = [](std::string name, int64_t tokens, int64_t heads, int64_t head_dim,
                       int64_t rotary_dim, int64_t interleaved = 0) {
    return OpTestCase{
        std::move(name),
        {{"head_dim", head_dim}, {"interleaved", interleaved}},
        {TestActivation(tokens, heads * head_dim, -3, 3), TestActivation(tokens, rotary_dim)},
        {{tokens, heads * head_dim}}};
  };
  return {make("one_token", 1, 4, 64, 64),
          make("odd_half", 7, 3, 10, 10),
          make("many_tokens", 33, 9, 64, 64),
          make("partial", 5, 2, 80, 32),
          make("partial_odd", 5, 3, 30, 14),
          make("interleaved", 7, 4, 64, 64, 1),
          make("interleaved_partial", 3, 2, 48, 24, 1),
          make("interleaved_odd", 3, 3, 22, 14, 1),
          make("one_head_wide", 2, 1, 256, 256),
          make("no_token", 0, 2, 64, 64)};
}

}  // namespace

// apply_rotary_pos_emb of llama; interleaved: the pairs of gptj and cohere.
const OpRecord& op_rotary() {
  static const OpRecord record{
      .name = "rotary",
      .formula =
          "(y_a, y_b) = (x_a cos - x_b sin, x_b cos + x_a sin) for the pairs (i, i + "
          "rotary_dim / 2), interleaved (2 i, 2 i + 1), of each head; the rest of y is x",
      .inputs = {{"x", PortKind::kActivation, "[num_tokens, num_heads * head_dim]"},
                 {"table", PortKind::kActivation, "[num_tokens, rotary_dim]"}},
      .outputs = {{"y", PortKind::kActivation, "[num_tokens, num_heads * head_dim]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 2,
  };
  return record;
}

}  // namespace fathom
