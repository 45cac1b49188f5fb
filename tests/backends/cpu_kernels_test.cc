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
#include "tests/backends/amx_emulated_rows.h"

namespace fathom {
namespace {

constexpr size_t kScratchGuard = 64;

// The table, and the AMX kernels on emulated tiles behind it.
const std::vector<CpuKernel>& AllRows() {
  static const std::vector<CpuKernel> rows = [] {
    std::vector<CpuKernel> all(CpuKernels().begin(), CpuKernels().end());
    all.insert(all.end(), EmulatedAmxRows().rows().begin(), EmulatedAmxRows().rows().end());
    return all;
  }();
  return rows;
}

bool IsIntegerProduct(const CpuKernel& row) {
  return row.name.find("_dot_") != std::string::npos && IsQuantized(*row.weight_format);
}
// Do both operands get one scale a block of columns (kernels/linear_quantized_block.h)? The
// rounding by the weights' own groups is held to less than twice sqrt(64) / 254.
bool RoundsByBlocks(const CpuKernel& row) { return row.compute_epsilon > 0.063; }

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
    // Several blocks of columns, the last one short; several chunks of rows.
    for (const int64_t in : {1000, 1544}) {
      cases.push_back(LinearCase(std::string(row.op), 45, in, 53, true));
    }
    cases.push_back(LinearCase(std::string(row.op), 613, 70, 35, false));
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
  for (const CpuKernel& row : AllRows()) {
    if (!IsIntegerProduct(row) || RoundsByBlocks(row)) continue;
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

// The rows of the table that round by blocks, as far as this CPU can run them; only linear.
std::vector<CpuKernel> BlockRows() {
  std::vector<CpuKernel> rows = AllRows();
  std::erase_if(rows, [](const CpuKernel& row) {
    return row.op != "linear" || !IsIntegerProduct(row) || !RoundsByBlocks(row) ||
           !HostCpuFeatures().HasAll(row.features);
  });
  return rows;
}

// y of the row and of the reference; the weights are `matrix` where it is not empty.
struct BothResults {
  std::vector<float> found, wanted, magnitudes;

  BothResults(const CpuKernel& row, const OpTestCase& test, const std::vector<float>& matrix,
              const std::vector<float>& x) {
    const OpRecord& record = GetOp(row.op);
    const OpTestOptions options{.weight_format = *row.weight_format,
                                .weight_dtype = *row.weight_dtype};
    OpTestData data(record, test, options), reference(record, test, options);
    for (const OpTestData* each : {&data, &reference}) {
      const Weight& weight = *each->call().inputs[1].weight;
      if (matrix.empty()) continue;
      PackWeightRows(weight, DType::kF32, matrix.data(), weight.cols, 0, weight.rows,
                     const_cast<void*>(weight.data));
      std::copy(x.begin(), x.end(), each->call().inputs[0].tensor.as<float>());
    }
    RunRow(row, data.call(), 2, 0);
    record.reference(reference.call());
    const auto copy = [](const OpTestData& from) {
      const Tensor& y = const_cast<OpTestData&>(from).outputs()[0].tensor;
      return std::vector<float>(y.as<float>(), y.as<float>() + y.shape.elements());
    };
    found = copy(data);
    wanted = copy(reference);
    magnitudes.resize(found.size());
    const Tensor& y = reference.outputs()[0].tensor;
    const Tensor view = Tensor::Dense(DType::kF32, y.shape, magnitudes.data());
    record.magnitudes(reference.call(), {&view, 1});
  }
};

// Integers of scale 1 everywhere: nothing is rounded but the float32 sums.
TEST(CpuKernelTable, BlocksOfIntegersAreExact) {
  int rows_run = 0;
  for (const CpuKernel& row : BlockRows()) {
    if (row.weight_format != WeightFormat::kInt8Panel16) continue;  // int4 has zeros of its own
    ++rows_run;
    for (const int64_t in : {48, 320, 1030}) {
      constexpr int64_t kRows = 21, kOut = 53;
      const auto integers = [&](int64_t rows, int64_t step) {
        std::vector<float> values(static_cast<size_t>(rows * in));
        for (int64_t i = 0; i < rows * in; ++i) {
          const bool largest = i % in % 16 == 0;  // one in every group
          values[static_cast<size_t>(i)] =
              static_cast<float>(largest ? (i % 2 == 0 ? 127 : -127) : i * step % 255 - 127);
        }
        return values;
      };
      const BothResults y(row, LinearCase("linear", kRows, in, kOut, false), integers(kOut, 7919),
                          integers(kRows, 104729));
      for (size_t i = 0; i < y.found.size(); ++i) {
        ASSERT_LE(std::abs(y.found[i] - y.wanted[i]),
                  GetOp("linear").tolerance_ulps * 0x1p-23 * y.magnitudes[i])
            << row.name << ", " << in << " columns: " << y.found[i] << " should be " << y.wanted[i];
      }
    }
  }
  if (rows_run == 0) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
}

// On random numbers the error of two roundings to 1/127 of the largest of a block (3 to 4
// deviations) is 0.7 % of a product each; the worst case that rows are held to is 20 times as much.
TEST(CpuKernelTable, BlocksRoundToEightBits) {
  const std::vector<CpuKernel> rows = BlockRows();
  for (const CpuKernel& row : rows) {
    constexpr int64_t kIn = 1544;
    const BothResults y(row, LinearCase("linear", 64, kIn, 96, false), {}, {});
    double error = 0, size = 0;
    for (size_t i = 0; i < y.found.size(); ++i) {
      error += std::pow(y.found[i] - y.wanted[i], 2);
      size += std::pow(y.magnitudes[i], 2) / static_cast<double>(kIn);
    }
    EXPECT_LT(std::sqrt(error / size), 0.015) << row.name;
    RecordProperty(row.name, fmt::format("{:.4f}", std::sqrt(error / size)));
  }
  if (rows.empty()) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
}

// What is not finite must not become a number on its way through integers.
TEST(CpuKernelTable, IntegerProductsKeepNaN) {
  for (const CpuKernel& row : AllRows()) {
    if (row.op != "linear" || !IsIntegerProduct(row)) continue;
    if (!HostCpuFeatures().HasAll(row.features)) continue;
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
  const CpuKernel& row = AllRows()[GetParam()];
  const CpuFeatures missing = row.features.Without(HostCpuFeatures());
  if (!missing.empty()) GTEST_SKIP() << row.name << ": this CPU lacks " << missing.ToString();
  const OpRecord& record = GetOp(row.op);
  double worst = 0;
  int runs = 0;
  for (const OpTestCase& test : CasesOf(row)) {
    for (OpTestOptions options : OptionsOf(row)) {
      for (const int threads : {2, 1, 3}) {
        if (threads != 2 && row.name.ends_with("_emulated")) continue;  // emulation is slow
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
  std::vector<size_t> indices(AllRows().size());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  return indices;
}

INSTANTIATE_TEST_SUITE_P(Rows, CpuKernelTest, testing::ValuesIn(RowIndices()),
                         [](const auto& info) { return AllRows()[info.param].name; });

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
