// Every row of the cpu backend's kernel table against its operation's reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"
#include "base/arena.h"
#include "base/thread_pool.h"
#include "ops/op.h"
#include "ops/op_testing.h"
#include "tensor/quantized_weight.h"

namespace fathom {
namespace {

constexpr size_t kScratchGuard = 64;

ThreadPool& PoolOf(int threads) {
  static std::map<int, std::unique_ptr<ThreadPool>> pools;
  auto& pool = pools[threads];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(threads);
  return *pool;
}

// Runs the row on `threads` workers with as much scratch as it asks for, filled with NaN, and a
// guard behind it.
void RunRow(const CpuKernel& row, const OpCall& call, int threads, int tuning) {
  ThreadPool& pool = PoolOf(threads);
  OpCall mine = call;
  mine.tuning = tuning;
  const size_t size = row.scratch_bytes == nullptr ? 0 : row.scratch_bytes(mine, pool.count());
  AlignedBuffer scratch = *AlignedBuffer::Allocate(size + kScratchGuard);
  std::fill_n(scratch.data(), size + kScratchGuard, std::byte{0xFF});
  mine.scratch = scratch.data();
  pool.Run([&](const Worker& worker) { row.run(mine, worker); });
  EXPECT_TRUE(std::all_of(scratch.data() + size, scratch.data() + size + kScratchGuard,
                          [](std::byte byte) { return byte == std::byte{0xFF}; }))
      << row.name << " wrote behind its scratch of " << size << " bytes";
}

OpTestCase::Input Floats(Shape shape) { return {.dtype = DType::kF32, .shape = shape}; }

// linear, linear_group or linear_gated over `rows` tokens: sizes that are no multiple of anything.
OpTestCase LinearCase(const std::string& op, int64_t rows, int64_t in, int64_t out, bool bias) {
  OpTestCase test;
  test.name = fmt::format("{}x{}x{}", rows, in, out);
  test.inputs.push_back(Floats({rows, in}));
  const auto add = [&](int64_t features) {
    test.inputs.push_back(Floats({features, in}));
    test.inputs.push_back(bias ? Floats({features}) : OpTestCase::Input{});
  };
  add(out);
  if (op == "linear_gated") {
    test.attributes.Set("activation", std::string("silu"));
    add(out);
  } else if (op == "linear_group") {
    add(out / 2 + 3);
    add(16);
    test.output_shapes = {{rows, out}, {rows, out / 2 + 3}, {rows, 16}};
  }
  if (test.output_shapes.empty()) test.output_shapes = {{rows, out}};
  return test;
}

std::vector<OpTestCase> CasesOf(const CpuKernel& row) {
  std::vector<OpTestCase> cases = GetOp(row.op).test_cases();
  if (row.op.starts_with("linear")) {
    for (const int64_t rows : {1, 2, 3, 4, 7, 12, 16, 17, 33, 64, 130}) {
      cases.push_back(LinearCase(std::string(row.op), rows, 51, 37, true));
      cases.push_back(LinearCase(std::string(row.op), rows, 576, 96, false));
      cases.push_back(LinearCase(std::string(row.op), rows, 300, 161, true));
    }
  }
  if (row.max_rows > 0) {
    std::erase_if(cases,
                  [&](const OpTestCase& test) { return test.inputs[0].shape[0] > row.max_rows; });
  }
  return cases;
}

std::vector<OpTestOptions> OptionsOf(const CpuKernel& row) {
  OpTestOptions options;
  options.weight_dtype = row.weight_dtype.value_or(DType::kF32);
  options.cache_dtype = row.cache_dtype.value_or(DType::kF32);
  options.compute_epsilon = row.compute_epsilon;
  std::vector<OpTestOptions> all;
  for (const WeightFormat format :
       {WeightFormat::kDense, WeightFormat::kPanel16, WeightFormat::kInt8Panel16,
        WeightFormat::kInt4Panel16, WeightFormat::kSplitPanel16}) {
    if (row.weight_format.value_or(format) != format) continue;
    if (!row.weight_dtype && format == WeightFormat::kPanel16) continue;  // no weights at all
    // Rows for any format are of floats as they are.
    if (!row.weight_format && (IsQuantized(format) || format == WeightFormat::kSplitPanel16)) {
      continue;
    }
    options.weight_format = format;
    options.weight_offset = 0;
    all.push_back(options);
    if (format == WeightFormat::kDense && row.weight_dtype) {
      options.weight_offset = 3;
      all.push_back(options);
    }
  }
  return all;
}

// Activations that int8 holds exactly, with a scale of 1 in every group: the integer products then
// differ from the reference by the rounding of their float32 sums alone, and are held to that.
TEST(CpuKernelTable, IntegerProductsOfIntegersAreExact) {
  int rows_run = 0;
  for (const CpuKernel& row : CpuKernels()) {
    if (row.name.find("_dot_") == std::string::npos || !IsQuantized(*row.weight_format)) continue;
    if (!HostCpuFeatures().HasAll(row.features)) continue;
    ++rows_run;
    const OpRecord& record = GetOp(row.op);
    for (const int64_t rows : {1, 3, 5, 16, 21}) {
      if (row.max_rows > 0 && rows > row.max_rows) continue;
      for (const int64_t in : {16, 48, 51, 96, 320, 576, 1030}) {
        const OpTestCase test = LinearCase(std::string(row.op), rows, in, 53, true);
        OpTestOptions options{.weight_format = *row.weight_format,
                              .weight_dtype = *row.weight_dtype};
        const int64_t group = QuantizationGroup(*row.weight_format, in);
        const auto fill = [&](const OpCall& call) {
          auto* x = call.inputs[0].tensor.as<float>();
          for (int64_t i = 0; i < rows * in; ++i) {
            const int64_t column = i % in % group;
            x[i] = static_cast<float>(column == 0 ? (i % 2 == 0 ? 127 : -127)
                                                  : (i * 7919 + i / 3) % 255 - 127);
          }
        };
        OpTestData wanted(record, test, options), found(record, test, options);
        fill(wanted.call());
        fill(found.call());
        record.reference(wanted.call());
        RunRow(row, found.call(), 2, 0);
        for (size_t o = 0; o < wanted.outputs().size(); ++o) {
          const Tensor& y = wanted.outputs()[o].tensor;
          std::vector<float> bounds(static_cast<size_t>(y.shape.elements()));
          std::vector<Tensor> views;
          for (size_t k = 0; k < wanted.outputs().size(); ++k) {
            views.push_back(Tensor::Dense(DType::kF32, wanted.outputs()[k].tensor.shape,
                                          k == o ? bounds.data() : nullptr));
          }
          std::vector<std::vector<float>> others(views.size());
          for (size_t k = 0; k < views.size(); ++k) {
            if (k == o) continue;
            others[k].resize(static_cast<size_t>(views[k].shape.elements()));
            views[k].data = others[k].data();
          }
          record.magnitudes(wanted.call(), views);
          for (int64_t i = 0; i < y.shape.elements(); ++i) {
            const float a = y.as<float>()[i], b = found.outputs()[o].tensor.as<float>()[i];
            ASSERT_LE(std::abs(a - b), record.tolerance_ulps * 0x1p-23 * bounds[i])
                << row.name << " " << rows << " x " << in << ": " << b << " should be " << a;
          }
        }
      }
    }
  }
  if (rows_run == 0) GTEST_SKIP() << "this CPU has no instruction set with integer products";
}

// What is not finite must not become a number on its way through integers.
TEST(CpuKernelTable, IntegerProductsKeepNaN) {
  for (const CpuKernel& row : CpuKernels()) {
    if (row.op != "linear" || row.name.find("_dot_") == std::string::npos) continue;
    if (!IsQuantized(*row.weight_format) || !HostCpuFeatures().HasAll(row.features)) continue;
    for (const float value : {NAN, -NAN, INFINITY, -INFINITY}) {
      const OpTestCase test = LinearCase("linear", 2, 160, 20, false);
      OpTestData data(GetOp("linear"), test,
                      {.weight_format = *row.weight_format, .weight_dtype = *row.weight_dtype});
      data.call().inputs[0].tensor.row<float>(1)[100] = value;
      RunRow(row, data.call(), 1, 0);
      const Tensor& y = data.outputs()[0].tensor;
      for (int64_t o = 0; o < 20; ++o) {
        EXPECT_TRUE(std::isfinite(y.row<float>(0)[o])) << row.name;
        EXPECT_FALSE(std::isfinite(y.row<float>(1)[o])) << row.name << " of " << value;
      }
    }
  }
}

class CpuKernelTest : public testing::TestWithParam<size_t> {};

TEST_P(CpuKernelTest, AgreesWithTheReference) {
  const CpuKernel& row = CpuKernels()[GetParam()];
  const CpuFeatures missing = row.features.Without(HostCpuFeatures());
  if (!missing.empty()) GTEST_SKIP() << row.name << ": this CPU lacks " << missing.ToString();
  const OpRecord& record = GetOp(row.op);
  double worst = 0;
  int runs = 0;
  for (const OpTestCase& test : CasesOf(row)) {
    for (OpTestOptions options : OptionsOf(row)) {
      for (const int threads : {1, 2, 3}) {
        options.seed = static_cast<uint64_t>(threads);
        for (int tuning = 0; tuning < row.tunings; ++tuning) {
          const OpTestResult result = RunOpTest(record, test, options, [&](const OpCall& call) {
            EXPECT_TRUE(KernelAccepts(row, record, call)) << row.name;
            RunRow(row, call, threads, tuning);
          });
          EXPECT_TRUE(result.ok) << row.name << ", " << threads << " threads, setting " << tuning
                                 << ": " << result.message;
          worst = std::max(worst, result.worst_ratio);
          ++runs;
        }
      }
    }
  }
  EXPECT_GT(runs, 0);
  RecordProperty("worst_ratio", fmt::format("{:.3f}", worst));
}

std::vector<size_t> RowIndices() {
  std::vector<size_t> indices(CpuKernels().size());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  return indices;
}

INSTANTIATE_TEST_SUITE_P(Rows, CpuKernelTest, testing::ValuesIn(RowIndices()),
                         [](const auto& info) { return CpuKernels()[info.param].name; });

TEST(CpuKernelTable, NamesAreUniqueAndEndInTheirLevel) {
  std::map<std::string, int> names;
  for (const CpuKernel& row : CpuKernels()) {
    EXPECT_EQ(++names[row.name], 1) << row.name;
    EXPECT_NE(FindOp(row.op), nullptr) << row.name;
    EXPECT_FALSE(row.description.empty()) << row.name;
    const std::string level = row.name.substr(row.name.rfind('_') + 1);
    const bool needs_nothing = level == "baseline" || level == "scalar";
    EXPECT_EQ(needs_nothing, row.features.empty()) << row.name;
    if (!needs_nothing) {
      const Result<Isa> isa = ParseIsa(level);
      ASSERT_TRUE(isa.ok()) << row.name;
      EXPECT_TRUE(FeaturesOfLevel(*isa).HasAll(row.features)) << row.name;
    }
  }
}

}  // namespace
}  // namespace fathom
