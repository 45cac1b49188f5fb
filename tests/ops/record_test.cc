// Every record against its own rules: ports, shapes, costs, and its reference over its test cases.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "ops/op.h"
#include "ops/op_testing.h"
#include "ops/record_tools.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

class Records : public testing::TestWithParam<const OpRecord*> {};

std::vector<Shape> InputShapes(const OpTestCase& test) {
  std::vector<Shape> shapes;
  for (const auto& input : test.inputs) shapes.push_back(input.shape);
  return shapes;
}

TEST(AllOps, HasTheContractAndNoTwoOfAName) {
  std::set<std::string_view> names;
  for (const OpRecord* op : AllOps()) EXPECT_TRUE(names.insert(op->name).second) << op->name;
  for (const char* name :
       {"embedding", "rms_norm", "linear", "linear_group", "linear_gated", "rotary_table", "rotary",
        "cache_write", "attention", "gated_activation", "activation", "add", "gather_rows",
        "add_rms_norm", "rotary_cache_write", "all_reduce", "all_gather", "copy"}) {
    EXPECT_TRUE(names.contains(name)) << name;
    ASSERT_NE(FindOp(name), nullptr);
    EXPECT_EQ(FindOp(name)->name, name);
  }
  EXPECT_EQ(FindOp("no_such_op"), nullptr);
}

TEST(FindPort, RepeatedPortsTakeTurns) {
  const auto& ports = GetOp("linear_group").inputs;
  EXPECT_EQ(FindPort(ports, 0)->name, "x");
  for (size_t i = 1; i < 9; ++i) {
    EXPECT_EQ(FindPort(ports, i)->name, i % 2 == 1 ? "weight" : "bias") << i;
  }
  EXPECT_EQ(FindPort(GetOp("add").inputs, 2), nullptr);
}

TEST_P(Records, IsComplete) {
  const OpRecord& op = *GetParam();
  EXPECT_FALSE(op.name.empty());
  EXPECT_FALSE(op.formula.empty());
  EXPECT_NE(op.infer_shapes, nullptr);
  EXPECT_NE(op.reference, nullptr);
  EXPECT_NE(op.cost, nullptr);
  EXPECT_GE(op.test_cases().size(), 3u);
  bool repeated = false;
  for (const Port& port : op.inputs) {
    EXPECT_FALSE(port.name.empty());
    EXPECT_TRUE(port.axes.starts_with("[") && port.axes.ends_with("]")) << port.axes;
    EXPECT_TRUE(port.repeated || !repeated) << "repeated ports stand at the end";
    repeated = port.repeated;
  }
  for (const int input : op.in_place_inputs) {
    EXPECT_EQ(op.inputs[input].kind, PortKind::kCache);
  }
}

TEST_P(Records, TestCasesFitThePortsAndTheShapeRule) {
  const OpRecord& op = *GetParam();
  std::set<std::string> names;
  bool without_tokens = false;
  for (const OpTestCase& test : op.test_cases()) {
    SCOPED_TRACE(test.name);
    EXPECT_TRUE(names.insert(test.name).second);
    for (size_t i = 0; i < test.inputs.size(); ++i) {
      const Port* port = FindPort(op.inputs, i);
      ASSERT_NE(port, nullptr);
      if (test.inputs[i].shape.rank == 0) {
        EXPECT_TRUE(port->optional) << port->name;
      }
      EXPECT_EQ(port->kind == PortKind::kIndex, test.inputs[i].dtype == DType::kI32) << port->name;
    }
    const auto shapes = op.infer_shapes(test.attributes, InputShapes(test));
    ASSERT_TRUE(shapes.ok()) << shapes.status().message();
    EXPECT_EQ(*shapes, test.output_shapes);
    without_tokens |= test.inputs[0].shape[0] == 0 || test.name == "no_row";
  }
  EXPECT_TRUE(without_tokens) << "no test case without tokens";
}

TEST_P(Records, WrongShapesAreRefused) {
  const OpRecord& op = *GetParam();
  for (const OpTestCase& test : op.test_cases()) {
    SCOPED_TRACE(test.name);
    std::vector<Shape> shapes = InputShapes(test);
    shapes[0] = Shape{1, 2, 3};
    const auto refused = op.infer_shapes(test.attributes, shapes);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.status().message().find("do not fit"), std::string::npos);
    EXPECT_FALSE(op.infer_shapes(test.attributes, {}).ok());
  }
}

TEST_P(Records, CostIsThatOfTheShapes) {
  const OpRecord& op = *GetParam();
  for (const OpTestCase& test : op.test_cases()) {
    SCOPED_TRACE(test.name);
    const OpCost cost = op.cost(test.attributes, InputShapes(test), test.output_shapes);
    double activations = 0, weights = 0;
    for (size_t i = 0; i < test.inputs.size(); ++i) {
      const PortKind kind = FindPort(op.inputs, i)->kind;
      const double elements = test.inputs[i].shape.rank == 0 ? 0 : Elements(test.inputs[i].shape);
      if (kind == PortKind::kMatrix) weights += elements;
      if (kind != PortKind::kMatrix && kind != PortKind::kCache) activations += 4 * elements;
    }
    for (const Shape& shape : test.output_shapes) activations += 4 * Elements(shape);
    EXPECT_TRUE(std::isfinite(cost.flops) && cost.flops >= 0);
    if (!test.name.starts_with("no_")) {
      EXPECT_GT(cost.TotalBytes(2, 2), 0);
    }
    // Looking up or gathering reads only some rows.
    if (op.name != "embedding" && op.name != "gather_rows") {
      EXPECT_DOUBLE_EQ(cost.bytes, activations);
      EXPECT_DOUBLE_EQ(cost.weight_elements, weights);
    }
  }
}

TEST_P(Records, ReferenceIsFiniteAndRepeatable) {
  const OpRecord& op = *GetParam();
  for (const OpTestCase& test : op.test_cases()) {
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kPanel16}) {
        const OpTestOptions options{
            .seed = 7, .weight_format = format, .weight_dtype = dtype, .cache_dtype = dtype};
        const OpTestResult result = RunOpTest(op, test, options, op.reference);
        EXPECT_TRUE(result.ok) << result.message;
        EXPECT_EQ(result.worst_ratio, 0) << result.message;
      }
    }
  }
}

// The two formats hold the same numbers, so the reference must not tell them apart.
TEST_P(Records, FormatsAgree) {
  const OpRecord& op = *GetParam();
  for (const OpTestCase& test : op.test_cases()) {
    OpTestData dense(op, test, {.weight_dtype = DType::kBF16, .weight_offset = 3});
    OpTestData panels(op, test,
                      {.weight_format = WeightFormat::kPanel16, .weight_dtype = DType::kBF16});
    op.reference(dense.call());
    op.reference(panels.call());
    for (size_t i = 0; i < dense.outputs().size(); ++i) {
      const Tensor& a = dense.outputs()[i].tensor;
      const Tensor& b = panels.outputs()[i].tensor;
      for (int64_t j = 0; j < a.shape.elements(); ++j) {
        ASSERT_EQ(a.as<float>()[j], b.as<float>()[j]) << op.name << "/" << test.name << " " << j;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Records, testing::ValuesIn(AllOps().begin(), AllOps().end()),
                         [](const auto& info) { return std::string(info.param->name); });

// --- By hand: what the goldens do not reach ---

OpTestData MakeData(const OpRecord& op, const std::string& name, const OpTestOptions& options) {
  for (const OpTestCase& test : op.test_cases()) {
    if (test.name == name) return OpTestData(op, test, options);
  }
  ADD_FAILURE() << "no test case " << name;
  return OpTestData(op, op.test_cases()[0], options);
}

TEST(Linear, IsTheSumInDouble) {
  const OpRecord& op = GetOp("linear");
  OpTestData data = MakeData(op, "tile_edges", {.weight_dtype = DType::kF16});
  op.reference(data.call());
  const Tensor& x = data.inputs()[0].tensor;
  const Weight& weight = *data.inputs()[1].weight;
  std::vector<float> row(weight.cols);
  for (int64_t o = 0; o < weight.rows; ++o) {
    ReadWeightRow(weight, o, row.data());
    for (int64_t t = 0; t < x.shape[0]; ++t) {
      double sum = data.inputs()[2].tensor.as<float>()[o];
      for (int64_t i = 0; i < weight.cols; ++i) sum += double{x.row<float>(t)[i]} * row[i];
      ASSERT_NEAR(data.outputs()[0].tensor.row<float>(t)[o], sum, 4e-6);
    }
  }
}

TEST(Embedding, TakesRowsTimesScale) {
  const OpRecord& op = GetOp("embedding");
  OpTestData data = MakeData(op, "scaled_odd_sizes", {.weight_dtype = DType::kBF16});
  op.reference(data.call());
  const Weight& table = *data.inputs()[1].weight;
  std::vector<float> row(table.cols);
  for (int64_t t = 0; t < 7; ++t) {
    ReadWeightRow(table, data.inputs()[0].tensor.as<int32_t>()[t], row.data());
    for (int64_t i = 0; i < table.cols; ++i) {
      ASSERT_EQ(data.outputs()[0].tensor.row<float>(t)[i], 8.0f * row[i]);
    }
  }
}

TEST(CacheWrite, PutsEachTokenInItsSlotAndLeavesTheRest) {
  const OpRecord& op = GetOp("cache_write");
  const OpTestOptions options{.cache_dtype = DType::kBF16};
  OpTestData before = MakeData(op, "ragged", options);
  OpTestData after = MakeData(op, "ragged", options);
  op.reference(after.call());
  const Tensor& slots = after.inputs()[2].tensor;
  for (const int which : {0, 1}) {
    const Tensor& x = after.inputs()[which].tensor;
    const Tensor& old = before.inputs()[3 + which].tensor;
    const Tensor& cache = after.inputs()[3 + which].tensor;
    std::vector<uint16_t> wanted(old.as<uint16_t>(), old.as<uint16_t>() + old.shape.elements());
    const int64_t heads = cache.shape[1], rows = cache.shape[2], dim = cache.shape[3];
    for (int64_t t = 0; t < x.shape[0]; ++t) {
      const int64_t slot = slots.as<int32_t>()[t];
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t d = 0; d < dim; ++d) {
          wanted[((slot / rows * heads + h) * rows + slot % rows) * dim + d] =
              FloatToBF16(x.row<float>(t)[h * dim + d]);
        }
      }
    }
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_EQ(cache.as<uint16_t>()[i], wanted[i]) << i;
  }
}

TEST(GatherRows, CopiesRows) {
  const OpRecord& op = GetOp("gather_rows");
  OpTestData data = MakeData(op, "any_order_and_twice", {});
  op.reference(data.call());
  const int32_t rows[] = {32, 0, 5, 5, 17};
  for (int r = 0; r < 5; ++r) {
    for (int64_t i = 0; i < 40; ++i) {
      ASSERT_EQ(data.outputs()[0].tensor.row<float>(r)[i],
                data.inputs()[0].tensor.row<float>(rows[r])[i]);
    }
  }
}

// A sequence's result depends on its own blocks alone, not on the batch around it.
TEST(Attention, SequencesOfAStepDoNotTouch) {
  const OpRecord& op = GetOp("attention");
  OpTestData data = MakeData(op, "ragged", {});
  op.reference(data.call());
  const Tensor& table = data.inputs()[3].tensor;
  const auto* start = data.inputs()[4].tensor.as<int32_t>();
  const auto* offset = data.inputs()[5].tensor.as<int32_t>();
  const Tensor& q = data.inputs()[0].tensor;
  const Tensor& y = data.outputs()[0].tensor;
  for (int64_t s = 0; s < table.shape[0]; ++s) {
    const int64_t tokens = start[s + 1] - start[s];
    std::vector<int32_t> one_start = {0, static_cast<int32_t>(tokens)};
    std::vector<float> out(tokens * y.shape[1]);
    std::vector<Operand> inputs(data.inputs().begin(), data.inputs().end());
    inputs[0].tensor = Tensor::Dense(DType::kF32, {tokens, q.shape[1]}, q.row<float>(start[s]));
    inputs[3].tensor = Tensor::Dense(DType::kI32, {1, table.shape[1]}, table.row<int32_t>(s));
    inputs[4].tensor = Tensor::Dense(DType::kI32, {2}, one_start.data());
    inputs[5].tensor = Tensor::Dense(DType::kI32, {1}, const_cast<int32_t*>(offset + s));
    Operand output{.tensor = Tensor::Dense(DType::kF32, {tokens, y.shape[1]}, out.data())};
    op.reference({.attributes = data.call().attributes, .inputs = inputs, .outputs = {&output, 1}});
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(out[i], y.row<float>(start[s])[i]) << s << " " << i;
    }
  }
}

TEST(NotANumber, ShowsInTheRowsThatReadIt) {
  const OpRecord& op = GetOp("linear");
  OpTestData data = MakeData(op, "odd_sizes", {});
  data.inputs()[0].tensor.row<float>(3)[20] = std::nanf("");
  data.inputs()[0].tensor.row<float>(5)[1] = HUGE_VALF;
  op.reference(data.call());
  for (int64_t t = 0; t < 7; ++t) {
    for (int64_t o = 0; o < 37; ++o) {
      const float y = data.outputs()[0].tensor.row<float>(t)[o];
      EXPECT_EQ(std::isnan(y), t == 3);
      EXPECT_EQ(std::isinf(y), t == 5);
    }
  }
  const OpRecord& attention = GetOp("attention");
  OpTestData step = MakeData(attention, "decode_batch", {});
  step.inputs()[0].tensor.row<float>(2)[0] = std::nanf("");  // head 0 of token 2
  attention.reference(step.call());
  const Tensor& y = step.outputs()[0].tensor;
  for (int64_t t = 0; t < y.shape[0]; ++t) {
    for (int64_t i = 0; i < y.shape[1]; ++i) {
      EXPECT_EQ(std::isnan(y.row<float>(t)[i]), t == 2 && i < 64);
    }
  }
}

}  // namespace
}  // namespace fathom
