#include <cmath>
#include <vector>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  if (inputs.size() != 2 || inputs[0].rank != 1 || inputs[1] != inputs[0]) {
    return ShapesDoNotFit("rotary_table", inputs);
  }
  const auto half = static_cast<int64_t>(attributes.Floats("inv_freq").size());
  return std::vector<Shape>{{inputs[0][0], 2 * half}};
}

// _compute_dynamic_ntk_parameters with a sequence length that is a tensor: all in float32.
std::vector<float> DynamicFrequencies(const Attributes& attributes, int64_t length, int64_t half) {
  const float theta = static_cast<float>(attributes.Double("dynamic_theta"));
  const double factor = attributes.Double("dynamic_factor");
  const float original_max = static_cast<float>(attributes.Int("original_max"));
  const double dim = 2 * static_cast<double>(half);
  const float stretch = static_cast<float>(factor) * static_cast<float>(length) / original_max -
                        static_cast<float>(factor - 1);
  const float base = theta * std::pow(stretch, static_cast<float>(dim / (dim - 2)));
  std::vector<float> frequencies(half);
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    frequencies[i] = 1.0f / std::pow(base, exponent);
  }
  return frequencies;
}

void Reference(const OpCall& call) {
  const Attributes& attributes = *call.attributes;
  const auto* positions = call.inputs[0].tensor.as<int32_t>();
  const auto* lengths = call.inputs[1].tensor.as<int32_t>();
  const Tensor& table = call.outputs[0].tensor;
  const std::vector<float>& inv_freq = attributes.Floats("inv_freq");
  const auto half = static_cast<int64_t>(inv_freq.size());
  const float scaling = static_cast<float>(attributes.Double("attention_scaling", 1));
  const bool grows = attributes.Has("original_max");
  std::vector<float> dynamic;
  int64_t dynamic_length = -1;  // that `dynamic` is for
  for (int64_t t = 0; t < table.shape[0]; ++t) {
    const std::vector<float>* frequencies = &inv_freq;
    if (grows && lengths[t] > attributes.Int("original_max")) {
      if (attributes.Has("inv_freq_long")) {
        frequencies = &attributes.Floats("inv_freq_long");
      } else {
        if (dynamic_length != lengths[t])
          dynamic = DynamicFrequencies(attributes, lengths[t], half);
        dynamic_length = lengths[t];
        frequencies = &dynamic;
      }
    }
    float* row = table.row<float>(t);
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(positions[t]) * (*frequencies)[i];
      row[i] = std::cos(angle) * scaling;
      row[half + i] = std::sin(angle) * scaling;
    }
  }
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  return {.flops = 20 * Elements(outputs[0]),
          .bytes = 4 * (2 * Elements(inputs[0]) + Elements(outputs[0]))};
}

std::vector<float> Frequencies(int64_t rotary_dim, double theta, double divisor = 1) {
  std::vector<float> result;
  for (int64_t i = 0; i < rotary_dim; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(rotary_dim);
    result.push_back(static_cast<float>(1.0 / (divisor * std::pow(theta, exponent))));
  }
  return result;
}

std::vector<OpTestCase> TestCases() {
  const std::vector<int32_t> mixed = {0, 1, 2, 3, 100, 7, 4095};
  return {
      {"one_token",
       {{"inv_freq", Frequencies(64, 10000)}},
       {TestIndex({9}), TestIndex({10})},
       {{1, 64}}},
      {"odd_half",
       {{"inv_freq", Frequencies(10, 10000)}},
       {TestIndex(mixed), TestIndex({7, 7, 7, 7, 101, 8, 4096})},
       {{7, 10}}},
      {"far_positions",
       {{"inv_freq", Frequencies(128, 500000)}},
       {TestIndex({131071, 65536, 1000000}), TestIndex({131072, 65537, 1000001})},
       {{3, 128}}},
      {"attention_scaling",
       {{"inv_freq", Frequencies(32, 10000, 4)}, {"attention_scaling", 1.1386294361}},
       {TestIndex(mixed), TestIndex({7, 7, 7, 7, 101, 8, 4096})},
       {{7, 32}}},
      {"longrope_on_both_sides",
       {{"inv_freq", Frequencies(48, 10000, 1.05)},
        {"inv_freq_long", Frequencies(48, 10000, 6.5)},
        {"original_max", int64_t{64}},
        {"attention_scaling", 1.19}},
       {TestIndex({0, 63, 63, 64, 65}), TestIndex({64, 64, 65, 65, 200})},
       {{5, 48}}},
      {"dynamic_on_both_sides",
       {{"inv_freq", Frequencies(32, 10000)},
        {"dynamic_theta", 10000.0},
        {"dynamic_factor", 2.0},
        {"original_max", int64_t{64}}},
       {TestIndex({0, 63, 63, 64, 65, 199}), TestIndex({64, 64, 65, 65, 200, 200})},
       {{6, 32}}},
      {"no_token",
       {{"inv_freq", Frequencies(16, 10000)}},
       {TestIndex({}), TestIndex({})},
       {{0, 16}}},
  };
}

}  // namespace

// cos and sin of LlamaRotaryEmbedding.forward; `inv_freq` and `attention_scaling` come from the
// rope type (modeling_rope_utils.py). Where a token's sequence is longer than original_max:
//   inv_freq_long stands for inv_freq (longrope), or
//   theta grows to theta * (factor * length / original_max - (factor - 1))^(d / (d - 2)) (dynamic).
const OpRecord& op_rotary_table() {
  static const OpRecord record{
      .name = "rotary_table",
      .formula = "table[t] = attention_scaling * (cos(positions[t] * inv_freq), sin(same))",
      .inputs = {{"positions", PortKind::kIndex, "[num_tokens]"},
                 {"rope_lengths", PortKind::kIndex, "[num_tokens]"}},
      .outputs = {{"table", PortKind::kActivation, "[num_tokens, rotary_dim]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
  };
  return record;
}

}  // namespace fathom
