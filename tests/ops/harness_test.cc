// The harness must catch kernels that are wrong: each test is one way to be wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "ops/op_testing.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

const OpTestCase& FindCase(const OpRecord& op, std::string_view name) {
  static std::vector<std::vector<OpTestCase>> kept;
  kept.push_back(op.test_cases());
  for (const OpTestCase& test : kept.back()) {
    if (test.name == name) return test;
  }
  ADD_FAILURE() << name;
  return kept.back()[0];
}

OpTestResult RunWrong(std::string_view op, std::string_view name, const OpTestOptions& options,
                      const OpFunction& spoil) {
  const OpRecord& record = GetOp(op);
  return RunOpTest(record, FindCase(record, name), options, [&](const OpCall& call) {
    record.reference(call);
    spoil(call);
  });
}

TEST(Harness, PassesAndNamesTheCase) {
  const OpTestOptions options{.weight_format = WeightFormat::kPanel16,
                              .weight_dtype = DType::kBF16};
  const OpTestResult result = RunWrong("linear", "odd_sizes", options, [](const OpCall&) {});
  EXPECT_TRUE(result.ok);
  EXPECT_TRUE(result.message.starts_with("linear/odd_sizes panel16 BF16")) << result.message;
}

TEST(Harness, FindsOneWrongElementAndSaysWhere) {
  const OpTestResult result = RunWrong("linear", "odd_sizes", {}, [](const OpCall& call) {
    call.outputs[0].tensor.row<float>(4)[11] += 1e-3f;
  });
  EXPECT_FALSE(result.ok);
  EXPECT_GT(result.worst_ratio, 1);
  EXPECT_NE(result.message.find("y[4, 11]"), std::string::npos) << result.message;
}

TEST(Harness, FindsWhatWasNotWritten) {
  const OpRecord& op = GetOp("add");
  const OpTestResult result = RunOpTest(op, FindCase(op, "odd_sizes"), {}, [](const OpCall& call) {
    const int64_t count = call.outputs[0].tensor.shape.elements();
    for (int64_t i = 0; i < count; ++i) {
      if (i == 100) continue;
      call.outputs[0].tensor.as<float>()[i] =
          call.inputs[0].tensor.as<float>()[i] + call.inputs[1].tensor.as<float>()[i];
    }
  });
  EXPECT_FALSE(result.ok);
  EXPECT_NE(result.message.find("y[1, 49]"), std::string::npos) << result.message;
}

TEST(Harness, FindsNaNAndInfinity) {
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    const OpTestResult result = RunWrong("rms_norm", "wide", {}, [&](const OpCall& call) {
      call.outputs[0].tensor.as<float>()[5] = bad;
    });
    EXPECT_FALSE(result.ok);
  }
}

TEST(Harness, FindsWritesBeyondTheEnd) {
  const OpTestResult result = RunWrong("add", "odd_sizes", {}, [](const OpCall& call) {
    const Tensor& y = call.outputs[0].tensor;
    y.as<float>()[y.shape.elements()] = 0;
  });
  EXPECT_FALSE(result.ok);
  EXPECT_NE(result.message.find("beyond the end of y"), std::string::npos) << result.message;
}

TEST(Harness, FindsChangedInputs) {
  const OpTestResult tensor = RunWrong("add", "odd_sizes", {}, [](const OpCall& call) {
    call.inputs[1].tensor.as<float>()[7] += 1;
  });
  EXPECT_FALSE(tensor.ok);
  EXPECT_NE(tensor.message.find("input b was changed"), std::string::npos) << tensor.message;
  const OpTestResult weight = RunWrong("linear", "odd_sizes", {}, [](const OpCall& call) {
    static_cast<float*>(const_cast<void*>(call.inputs[1].weight->data))[0] += 1;
  });
  EXPECT_FALSE(weight.ok);
}

TEST(Harness, ComparesCaches) {
  const OpTestOptions options{.cache_dtype = DType::kF16};
  const auto spoil = [](int input) {
    return [input](const OpCall& call) { call.inputs[input].tensor.as<uint16_t>()[321] ^= 0x40; };
  };
  EXPECT_TRUE(RunWrong("cache_write", "ragged", options, [](const OpCall&) {}).ok);
  EXPECT_FALSE(RunWrong("cache_write", "ragged", options, spoil(3)).ok);
  EXPECT_FALSE(RunWrong("cache_write", "ragged", options, spoil(4)).ok);
  // The fused write may round its own float32 rotation the other way, not more.
  const auto nudge = [](const OpCall& call) { call.inputs[5].tensor.as<uint16_t>()[321] ^= 1; };
  EXPECT_TRUE(RunWrong("rotary_cache_write", "ragged", options, nudge).ok);
  EXPECT_FALSE(RunWrong("rotary_cache_write", "ragged", options, spoil(5)).ok);
}

// A kernel that rounds x to bfloat16 first: fine where it says so, wrong where it does not.
TEST(Harness, ToleranceFollowsTheKernelsType) {
  const OpRecord& op = GetOp("linear");
  const auto kernel = [&](const OpCall& call) {
    const Tensor& x = call.inputs[0].tensor;
    std::vector<float> rounded(x.as<float>(), x.as<float>() + x.shape.elements());
    for (float& value : rounded) value = BF16ToFloat(FloatToBF16(value));
    std::vector<Operand> inputs(call.inputs.begin(), call.inputs.end());
    inputs[0].tensor.data = rounded.data();
    op.reference({.attributes = call.attributes, .inputs = inputs, .outputs = call.outputs});
  };
  for (const OpTestCase& test : op.test_cases()) {
    OpTestOptions options{.weight_dtype = DType::kBF16, .compute_epsilon = EpsilonOf(DType::kBF16)};
    const OpTestResult coarse = RunOpTest(op, test, options, kernel);
    EXPECT_TRUE(coarse.ok) << coarse.message;
    if (test.name == "no_token") continue;
    EXPECT_GT(coarse.worst_ratio, 1e-3) << coarse.message;
    options.compute_epsilon = 0x1p-23;
    EXPECT_FALSE(RunOpTest(op, test, options, kernel).ok) << test.name;
  }
}

TEST(Harness, OtherSeedsGiveOtherNumbers) {
  const OpRecord& op = GetOp("add");
  const OpTestCase& test = FindCase(op, "odd_sizes");
  OpTestData one(op, test, {.seed = 1});
  OpTestData again(op, test, {.seed = 1});
  OpTestData two(op, test, {.seed = 2});
  const size_t size = 7 * 51 * sizeof(float);
  EXPECT_EQ(std::memcmp(one.inputs()[0].tensor.data, again.inputs()[0].tensor.data, size), 0);
  EXPECT_NE(std::memcmp(one.inputs()[0].tensor.data, two.inputs()[0].tensor.data, size), 0);
  EXPECT_NE(std::memcmp(one.inputs()[0].tensor.data, one.inputs()[1].tensor.data, size), 0);
}

}  // namespace
}  // namespace fathom
