#include <array>
#include <vector>

#include "ops/op.h"
#include "ops/record_tools.h"

namespace fathom {
namespace {

// Inputs: q, k, v, table, slots, key_cache, value_cache.
Result<std::vector<Shape>> InferShapes(const Attributes& attributes,
                                       std::span<const Shape> inputs) {
  if (inputs.size() != 7) return ShapesDoNotFit("rotary_cache_write", inputs);
  const std::array<Shape, 2> query = {inputs[0], inputs[3]};
  const std::array<Shape, 2> key = {inputs[1], inputs[3]};
  const std::array<Shape, 5> write = {inputs[1], inputs[2], inputs[4], inputs[5], inputs[6]};
  FATHOM_TRY(GetOp("rotary").infer_shapes(attributes, query).status());
  FATHOM_TRY(GetOp("rotary").infer_shapes(attributes, key).status());
  FATHOM_TRY(GetOp("cache_write").infer_shapes(attributes, write).status());
  if (inputs[5][3] != attributes.Int("head_dim")) {
    return ShapesDoNotFit("rotary_cache_write", inputs);
  }
  return std::vector<Shape>{inputs[0]};
}

void Reference(const OpCall& call) {
  const OpRecord& rotary = GetOp("rotary");
  const std::array<Operand, 2> query = {call.inputs[0], call.inputs[3]};
  rotary.reference({.attributes = call.attributes, .inputs = query, .outputs = call.outputs});

  const Shape shape = call.inputs[1].tensor.shape;
  std::vector<float> rotated(shape.elements() + 1);  // never a null address
  std::array<Operand, 1> rotated_key;
  rotated_key[0].tensor = Tensor::Dense(DType::kF32, shape, rotated.data());
  const std::array<Operand, 2> key = {call.inputs[1], call.inputs[3]};
  rotary.reference({.attributes = call.attributes, .inputs = key, .outputs = rotated_key});

  const std::array<Operand, 5> write = {rotated_key[0], call.inputs[2], call.inputs[4],
                                        call.inputs[5], call.inputs[6]};
  GetOp("cache_write").reference({.attributes = call.attributes, .inputs = write});
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  const double keys = Elements(inputs[1]);
  const double values = Elements(inputs[2]);
  return {.flops = 3 * (Elements(inputs[0]) + keys),
          .bytes = 4 * (2 * Elements(inputs[0]) + keys + values + Elements(inputs[3]) +
                        Elements(inputs[4])),
          .cache_elements = keys + values};
}

struct Heads {
  int64_t query;
  int64_t key_value;
  int64_t head_dim;
  int64_t rotary_dim;
  int64_t interleaved = 0;
};

OpTestCase Case(std::string name, const TestStep& step, const Heads& heads) {
  const int64_t tokens = step.num_tokens;
  const int64_t keys = heads.key_value * heads.head_dim;
  return {std::move(name),
          {{"head_dim", heads.head_dim}, {"interleaved", heads.interleaved}},
          {TestActivation(tokens, heads.query * heads.head_dim, -3, 3),
           TestActivation(tokens, keys, -3, 3), TestActivation(tokens, keys, -3, 3),
           TestActivation(tokens, heads.rotary_dim), TestIndex(step.slots),
           TestCache(step.num_blocks, heads.key_value, heads.head_dim),
           TestCache(step.num_blocks, heads.key_value, heads.head_dim)},
          {{tokens, heads.query * heads.head_dim}}};
}

std::vector<OpTestCase> TestCases() {
  return {
      Case("first_token", MakeTestStep({1}, {0}), {4, 4, 64, 64}),
      Case("decode", MakeTestStep({1, 1, 1}, {31, 32, 95}), {6, 2, 64, 64}),
      Case("odd_half", MakeTestStep({7}, {30}), {3, 3, 10, 10}),
      Case("ragged", MakeTestStep({33, 1, 40}, {0, 63, 5}), {4, 1, 48, 48}),
      Case("partial", MakeTestStep({5, 2}, {3, 40}), {4, 2, 80, 32}),
      Case("interleaved", MakeTestStep({9}, {0}), {2, 2, 64, 64, 1}),
      Case("no_token", MakeTestStep({0}, {1}), {2, 1, 16, 16}),
  };
}

}  // namespace

const OpRecord& op_rotary_cache_write() {
  static const OpRecord record{
      .name = "rotary_cache_write",
      .formula = "q_rotated = rotary(q, table), cache_write(rotary(k, table), v, slots)",
      .inputs = {{"q", PortKind::kActivation, "[num_tokens, num_attention_heads * head_dim]"},
                 {"k", PortKind::kActivation, "[num_tokens, num_key_value_heads * head_dim]"},
                 {"v", PortKind::kActivation, "[num_tokens, num_key_value_heads * value_dim]"},
                 {"table", PortKind::kActivation, "[num_tokens, rotary_dim]"},
                 {"slots", PortKind::kIndex, "[num_tokens]"},
                 {"key_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, head_dim]"},
                 {"value_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, value_dim]"}},
      .outputs = {{"q_rotated", PortKind::kActivation,
                   "[num_tokens, num_attention_heads * head_dim]"}},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 2,
      .in_place_inputs = {5, 6},
  };
  return record;
}

}  // namespace fathom
