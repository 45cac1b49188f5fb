#include "base/check.h"
#include "ops/op.h"
#include "ops/record_tools.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

Result<std::vector<Shape>> InferShapes(const Attributes&, std::span<const Shape> inputs) {
  bool fit = inputs.size() == 5 && inputs[0].rank == 2 && inputs[1].rank == 2 &&
             inputs[2] == Shape{inputs[0][0]} && inputs[1][0] == inputs[0][0];
  for (size_t i = 0; fit && i < 2; ++i) {
    const Shape& cache = inputs[3 + i];
    fit = cache.rank == 4 && cache[1] * cache[3] == inputs[i][1] && cache[0] == inputs[3][0] &&
          cache[1] == inputs[3][1] && cache[2] == inputs[3][2];
  }
  if (!fit) return ShapesDoNotFit("cache_write", inputs);
  return std::vector<Shape>{};
}

void Write(const Tensor& x, const int32_t* slots, const Tensor& cache) {
  const int64_t block_size = cache.shape[2];
  const int64_t head_dim = cache.shape[3];
  const int64_t size = BytesOf(cache.dtype);
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    FATHOM_CHECK(slots[t] >= 0 && slots[t] < cache.shape[0] * block_size);
    const int64_t block = slots[t] / block_size;
    const int64_t row = slots[t] % block_size;
    for (int64_t head = 0; head < cache.shape[1]; ++head) {
      const int64_t element =
          block * cache.strides[0] + head * cache.strides[1] + row * cache.strides[2];
      ConvertFromFloat(cache.dtype, x.row<float>(t) + head * head_dim, head_dim,
                       cache.as<std::byte>() + element * size);
    }
  }
}

void Reference(const OpCall& call) {
  const auto* slots = call.inputs[2].tensor.as<int32_t>();
  Write(call.inputs[0].tensor, slots, call.inputs[3].tensor);
  Write(call.inputs[1].tensor, slots, call.inputs[4].tensor);
}

OpCost Cost(const Attributes&, std::span<const Shape> inputs, std::span<const Shape>) {
  const double elements = Elements(inputs[0]) + Elements(inputs[1]);
  return {.bytes = 4 * (elements + Elements(inputs[2])), .cache_elements = elements};
}

OpTestCase Case(std::string name, const TestStep& step, int64_t heads, int64_t head_dim,
                int64_t value_dim) {
  return {
      std::move(name),
      {},
      {TestActivation(step.num_tokens, heads * head_dim, -4, 4),
       TestActivation(step.num_tokens, heads * value_dim, -4, 4), TestIndex(step.slots),
       TestCache(step.num_blocks, heads, head_dim), TestCache(step.num_blocks, heads, value_dim)},
      {}};
}

std::vector<OpTestCase> TestCases() {
  return {
      Case("first_token", MakeTestStep({1}, {0}), 2, 64, 64),
      Case("decode", MakeTestStep({1, 1, 1}, {31, 32, 95}), 3, 64, 64),
      Case("odd_head_dim", MakeTestStep({7}, {30}), 3, 10, 10),
      Case("ragged", MakeTestStep({33, 1, 70}, {0, 63, 5}), 2, 48, 48),
      Case("value_dim_differs", MakeTestStep({5, 2}, {3, 40}), 2, 24, 16),
      Case("one_head", MakeTestStep({40}, {0}), 1, 128, 128),
      Case("no_token", MakeTestStep({0}, {1}), 2, 16, 16),
  };
}

}  // namespace

const OpRecord& op_cache_write() {
  static const OpRecord record{
      .name = "cache_write",
      .formula =
          "key_cache[slots[t]] = k[t], value_cache[slots[t]] = v[t]; "
          "slot = block * block_size + row",
      .inputs = {{"k", PortKind::kActivation, "[num_tokens, num_key_value_heads * head_dim]"},
                 {"v", PortKind::kActivation, "[num_tokens, num_key_value_heads * value_dim]"},
                 {"slots", PortKind::kIndex, "[num_tokens]"},
                 {"key_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, head_dim]"},
                 {"value_cache", PortKind::kCache,
                  "[num_blocks, num_key_value_heads, block_size, value_dim]"}},
      .outputs = {},
      .infer_shapes = InferShapes,
      .reference = Reference,
      .cost = Cost,
      .test_cases = TestCases,
      .tolerance_ulps = 0,
      .in_place_inputs = {3, 4},
  };
  return record;
}

}  // namespace fathom
