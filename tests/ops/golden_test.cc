// The references against torch and transformers: tests/goldens/ops, written by
// tools/goldens/make_ops.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "ops/activation_function.h"
#include "ops/op.h"
#include "tests/ops/golden.h"

namespace fathom {
namespace {

TEST(Golden, Activations) {
  size_t functions = 0;
  for (const JsonValue& golden : LoadCases("activation")) {
    const std::string name = String(golden, "name");
    SCOPED_TRACE(name);
    ASSERT_TRUE(FindActivationFunction(name).has_value());
    std::vector<float> x = Floats(golden, "x");
    const std::vector<float> y = Floats(golden, "y");
    const Shape shape{1, static_cast<int64_t>(x.size())};
    const auto found =
        RunReference("activation", {{"activation", name}}, {AsOperand(x, shape)}, shape);
    std::vector<float> scale(x.size());
    for (size_t i = 0; i < x.size(); ++i) scale[i] = std::max(std::abs(x[i]), std::abs(y[i]));
    ExpectNear(found, y, scale, 4 * 0x1p-23);
    ++functions;
  }
  EXPECT_GE(functions, ActivationFunctionNames().size());
}

TEST(Golden, UnknownActivation) {
  EXPECT_FALSE(FindActivationFunction("gelu_of_tomorrow").has_value());
  EXPECT_FALSE(FindActivationFunction("").has_value());
}

TEST(Golden, RmsNorm) {
  for (const JsonValue& golden : LoadCases("rms_norm")) {
    const int64_t n = Int(golden, "n");
    SCOPED_TRACE(n);
    std::vector<float> x = Floats(golden, "x");
    std::vector<float> weight = Floats(golden, "weight");
    const Shape shape{static_cast<int64_t>(x.size()) / n, n};
    const Attributes attributes{{"eps", Double(golden, "eps")},
                                {"weight_offset", Double(golden, "weight_offset")}};
    const auto found =
        RunReference("rms_norm", attributes, {AsOperand(x, shape), AsOperand(weight, {n})}, shape);
    const auto y = Floats(golden, "y");
    ExpectNear(found, y, y, 8 * 0x1p-23);
  }
}

TEST(Golden, RmsNormOfEachHead) {
  for (const JsonValue& golden : LoadCases("rms_norm_heads")) {
    const int64_t head_dim = Int(golden, "head_dim");
    const int64_t width = head_dim * Int(golden, "heads");
    SCOPED_TRACE(width);
    std::vector<float> x = Floats(golden, "x");
    std::vector<float> weight = Floats(golden, "weight");
    const Shape shape{static_cast<int64_t>(x.size()) / width, width};
    const Attributes attributes{{"eps", Double(golden, "eps")}, {"head_dim", head_dim}};
    const auto found = RunReference("rms_norm", attributes,
                                    {AsOperand(x, shape), AsOperand(weight, {head_dim})}, shape);
    const auto y = Floats(golden, "y");
    ExpectNear(found, y, y, 8 * 0x1p-23);
  }
}

TEST(Golden, RotaryTableOfEveryRopeType) {
  std::vector<std::string> types;
  for (const JsonValue& golden : LoadCases("rotary_table")) {
    SCOPED_TRACE(String(golden, "name"));
    const JsonValue& parameters = *golden.Find("rope_parameters");
    const std::string type = String(parameters, "rope_type");
    types.push_back(type);
    Attributes attributes{{"inv_freq", Floats(golden, "inv_freq")},
                          {"attention_scaling", Double(golden, "attention_scaling")}};
    if (type == "longrope") {
      attributes.Set("inv_freq_long", Floats(golden, "inv_freq_long"));
      attributes.Set("original_max", Int(parameters, "original_max_position_embeddings"));
    } else if (type == "dynamic") {
      attributes.Set("dynamic_theta", Double(parameters, "rope_theta"));
      attributes.Set("dynamic_factor", Double(parameters, "factor"));
      attributes.Set("original_max", Int(golden, "max_position_embeddings"));
    }
    std::vector<int32_t> positions;
    for (const JsonValue& p : golden.Find("positions")->as_array()) {
      positions.push_back(static_cast<int32_t>(p.as_int()));
    }
    const auto tokens = static_cast<int64_t>(positions.size());
    std::vector<int32_t> lengths(tokens, static_cast<int32_t>(Int(golden, "rope_length")));
    const auto cos = Floats(golden, "cos");
    const auto sin = Floats(golden, "sin");
    const int64_t half = static_cast<int64_t>(cos.size()) / tokens;
    const auto found = RunReference("rotary_table", attributes,
                                    {AsOperand(positions, {tokens}), AsOperand(lengths, {tokens})},
                                    {tokens, 2 * half});
    std::vector<float> wanted;
    for (int64_t t = 0; t < tokens; ++t) {
      wanted.insert(wanted.end(), cos.begin() + t * half, cos.begin() + (t + 1) * half);
      wanted.insert(wanted.end(), sin.begin() + t * half, sin.begin() + (t + 1) * half);
    }
    // dynamic computes its frequencies itself: an ulp of one is position ulps of the angle.
    const double tolerance = type == "dynamic" ? 200 * 0x1p-23 : 2 * 0x1p-23;
    ExpectNear(found, wanted, {2.0f}, tolerance);
  }
  for (const char* type : {"default", "linear", "dynamic", "yarn", "longrope", "llama3"}) {
    EXPECT_TRUE(std::find(types.begin(), types.end(), type) != types.end()) << type;
  }
}

TEST(Golden, Rotary) {
  for (const JsonValue& golden : LoadCases("rotary")) {
    const int64_t width = Int(golden, "heads") * Int(golden, "head_dim");
    const int64_t rotary_dim = Int(golden, "rotary_dim");
    SCOPED_TRACE(fmt::format("{} of {}", rotary_dim, width));
    std::vector<float> x = Floats(golden, "x");
    std::vector<float> table = Floats(golden, "table");
    const int64_t tokens = static_cast<int64_t>(x.size()) / width;
    const Attributes attributes{{"head_dim", Int(golden, "head_dim")},
                                {"interleaved", Int(golden, "interleaved")}};
    const auto found = RunReference(
        "rotary", attributes,
        {AsOperand(x, {tokens, width}), AsOperand(table, {tokens, rotary_dim})}, {tokens, width});
    ExpectNear(found, Floats(golden, "y"), {4.0f}, 0x1p-23);
  }
}

// Keys and values [length, heads, dim] of one sequence go into shuffled blocks first.
TEST(Golden, Attention) {
  constexpr int64_t kRows = 32;
  for (const JsonValue& golden : LoadCases("attention")) {
    SCOPED_TRACE(String(golden, "name"));
    const int64_t heads = Int(golden, "num_heads"), kv_heads = Int(golden, "num_key_value_heads");
    const int64_t dim = Int(golden, "head_dim"), tokens = Int(golden, "new");
    const int64_t length = tokens + Int(golden, "cached");
    std::vector<int32_t> block_table = {2, 0};
    const Shape cache_shape{3, kv_heads, kRows, dim};
    std::vector<std::vector<float>> caches;
    for (const char* name : {"key", "value"}) {
      const auto rows = Floats(golden, name);
      caches.emplace_back(cache_shape.elements(), NAN);  // rows never written are never read
      for (int64_t j = 0; j < length; ++j) {
        for (int64_t h = 0; h < kv_heads; ++h) {
          std::copy_n(rows.data() + (j * kv_heads + h) * dim, dim,
                      caches.back().data() +
                          ((block_table[j / kRows] * kv_heads + h) * kRows + j % kRows) * dim);
        }
      }
    }
    std::vector<float> q = Floats(golden, "q");
    std::vector<int32_t> start = {0, static_cast<int32_t>(tokens)};
    std::vector<int32_t> offset = {static_cast<int32_t>(Int(golden, "cached"))};
    const Attributes attributes{{"num_heads", heads},
                                {"scale", 1 / std::sqrt(static_cast<double>(dim))},
                                {"window", Int(golden, "window")},
                                {"softcap", Double(golden, "softcap")}};
    const auto found =
        RunReference("attention", attributes,
                     {AsOperand(q, {tokens, heads * dim}), AsOperand(caches[0], cache_shape),
                      AsOperand(caches[1], cache_shape), AsOperand(block_table, {1, 2}),
                      AsOperand(start, {2}), AsOperand(offset, {1})},
                     {tokens, heads * dim});
    ExpectNear(found, Floats(golden, "y"), {4.0f}, 8 * 0x1p-23);
  }
}

}  // namespace
}  // namespace fathom
