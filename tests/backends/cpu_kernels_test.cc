// Every row of the cpu backend's kernel table against its operation's reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"
#include "base/arena.h"
#include "base/thread_pool.h"
#include "ops/op.h"
#include "ops/op_testing.h"

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
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kPanel16}) {
    if (row.weight_format.value_or(format) != format) continue;
    if (!row.weight_dtype && format == WeightFormat::kPanel16) continue;  // no weights at all
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
