// The cpu backend: both arms, every instruction set at hand, against the reference backend.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/cpu/heuristics.h"
#include "backends/cpu/kernel.h"
#include "graph/passes/passes.h"
#include "tests/backends/tiny_model.h"

namespace fathom {
namespace {

using tiny::Piece;
using tiny::Tokens;
using Rows = std::vector<std::vector<float>>;

std::unique_ptr<Backend> MakeBackend(const char* name, const BackendOptions& options = {}) {
  auto backend = CreateBackend(name, Machine{}, options);
  EXPECT_TRUE(backend.ok()) << backend.status().message();
  return *std::move(backend);
}

// `fused`: as `compile` leaves it.
std::shared_ptr<const Graph> MakeGraph(bool fused, const tiny::Options& options = {}) {
  auto graph = tiny::Build(options);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (fused) {
    EXPECT_TRUE(RunPasses(*graph, {}).ok());
  }
  return std::make_shared<const Graph>(*std::move(graph));
}

void Append(Rows& rows, Rows more) {
  for (auto& row : more) rows.push_back(std::move(row));
}

// A prompt, steps of one token, and a ragged step of both and of two and three tokens.
Rows Converse(tiny::Runner& runner) {
  Rows rows = runner.Step({{0, Tokens(50, 5)}});
  for (uint32_t i = 0; i < 3; ++i) Append(rows, runner.Step({{0, Tokens(1, 10 + i)}}));
  Append(rows, runner.Step({{1, Tokens(23, 6)}, {0, Tokens(1, 7)}, {2, Tokens(2, 8)}}));
  Append(rows, runner.Step({{2, Tokens(3, 11)}, {1, Tokens(1, 12)}}));
  return rows;
}

struct Arm {
  const char* isa;
  bool compiled;
  DType dtype;
};

class CpuArmTest : public testing::TestWithParam<Arm> {};

TEST_P(CpuArmTest, AgreesWithTheReferenceBackend) {
  const Arm& arm = GetParam();
  if (!CreateBackend("cpu", Machine{}, {.isa = arm.isa}).ok()) {
    GTEST_SKIP() << "this CPU has no " << arm.isa;
  }
  for (const bool tied : {false, true}) {
    const tiny::Options model{.bias = !tied, .tied = tied};
    const auto plain = MakeGraph(false, model);
    const tiny::Checkpoint checkpoint(*plain, 3);
    const auto reference = MakeBackend("reference");
    tiny::Runner wanted(*reference, plain, checkpoint);
    const Rows expected = Converse(wanted);
    for (const int threads : {1, 2, 3}) {
      const auto backend = MakeBackend("cpu", {.threads = threads, .isa = arm.isa});
      EXPECT_EQ(backend->info().isa, arm.isa);
      tiny::Runner runner(*backend, MakeGraph(arm.compiled, model), checkpoint, arm.dtype,
                          arm.compiled, arm.compiled);
      const double tolerance = arm.dtype == DType::kF32   ? 1e-5
                               : arm.dtype == DType::kF16 ? 1e-2
                                                          : 6e-2;
      tiny::ExpectClose(expected, Converse(runner), tolerance);
      for (const KernelChoice& choice : runner.executable().kernels()) {
        EXPECT_FALSE(choice.fallback) << choice.node << " " << choice.op;
      }
    }
  }
}

std::vector<Arm> Arms() {
  std::vector<Arm> arms;
  for (const char* isa : {"baseline", "avx2", "avx512", "amx", "neon"}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const bool compiled : {true, false}) arms.push_back({isa, compiled, dtype});
    }
  }
  return arms;
}

INSTANTIATE_TEST_SUITE_P(Arms, CpuArmTest, testing::ValuesIn(Arms()), [](const auto& info) {
  return fmt::format("{}_{}_{}", info.param.isa, TorchName(info.param.dtype),
                     info.param.compiled ? "planned" : "eager");
});

// The level in a row's name.
std::string LevelOf(const std::string& kernel) { return kernel.substr(kernel.rfind('_') + 1); }

TEST(CpuBackend, AForcedInstructionSetPicksItsRowsOnly) {
  const auto graph = MakeGraph(true);
  const tiny::Checkpoint checkpoint(*graph, 3);
  int tried = 0;
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAmx, Isa::kNeon}) {
    const std::string name(IsaName(isa));
    if (!CreateBackend("cpu", Machine{}, {.isa = name}).ok()) continue;
    ++tried;
    const auto backend = MakeBackend("cpu", {.threads = 1, .isa = name});
    tiny::Runner runner(*backend, graph, checkpoint, DType::kBF16);
    std::set<std::string> levels;
    for (const KernelChoice& choice : runner.executable().kernels()) {
      levels.insert(LevelOf(choice.kernel));
      for (const CpuKernel& row : CpuKernels()) {
        if (row.name != choice.kernel) continue;
        EXPECT_TRUE(FeaturesOfLevel(isa).HasAll(row.features)) << choice.kernel;
        EXPECT_EQ(choice.instruction_sets, row.features.ToString());
      }
    }
    levels.erase("scalar");  // rotary_table: the same on every CPU
    // The tiles multiply matrices; all else that the level runs is AVX-512. On Arm, NEON is what
    // every CPU has.
    std::set<std::string> wanted = {name};
    if (isa == Isa::kAmx) wanted.insert("avx512");
#if defined(__aarch64__)
    wanted = {"neon"};
#endif
    EXPECT_EQ(levels, wanted) << name;
  }
  EXPECT_GT(tried, 0);
}

TEST(CpuBackend, AnUnknownOrAbsentInstructionSetIsAUsageError) {
  const auto unknown = CreateBackend("cpu", Machine{}, {.isa = "mmx"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kUsage);
#if defined(__x86_64__)
  const auto absent = CreateBackend("cpu", Machine{}, {.isa = "neon"});
#else
  const auto absent = CreateBackend("cpu", Machine{}, {.isa = "avx2"});
#endif
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.status().code(), StatusCode::kUsage);
}

TEST(CpuBackend, EagerAttentionIsChosenByName) {
  const auto graph = MakeGraph(true);
  const tiny::Checkpoint checkpoint(*graph, 3);
  const auto backend = MakeBackend("cpu", {.threads = 2});
  tiny::Runner flash(*backend, graph, checkpoint);
  Plan plan = flash.plan();
  plan.attn_implementation = "eager";
  std::shared_ptr<WeightStore> weights =
      backend->CreateWeights(static_cast<int>(graph->weights.size()));
  for (size_t i = 0; i < graph->weights.size(); ++i) {
    ASSERT_TRUE(backend
                    ->Upload(*weights, static_cast<int>(i), graph->weights[i], plan.weights[i],
                             {&checkpoint.source(i), 1}, true)
                    .ok());
  }
  auto caches = backend->CreateCaches(plan);
  ASSERT_TRUE(caches.ok());
  const auto executable = backend->Compile(plan, weights, *std::move(caches));
  ASSERT_TRUE(executable.ok());
  const auto uses = [](const Executable& of, std::string_view part) {
    return std::any_of(of.kernels().begin(), of.kernels().end(), [&](const KernelChoice& choice) {
      return choice.op == "attention" && choice.kernel.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(uses(**executable, "eager"));
  EXPECT_FALSE(uses(**executable, "flash"));
  EXPECT_TRUE(uses(flash.executable(), "flash"));
  EXPECT_FALSE(uses(flash.executable(), "eager"));
}

TEST(CpuBackend, AnOperationWithoutAKernelIsReported) {
  const auto graph = MakeGraph(true);
  for (const OpNode& node : graph->nodes) {
    OpCall call{.attributes = &node.attributes};
    const auto stages = ChooseKernels({}, {}, *node.op, call, "");
    ASSERT_EQ(stages.size(), 1u);
    EXPECT_EQ(stages[0].kernel, nullptr);
  }
}

TEST(CpuBackend, ThreadsGiveTheSameBits) {
  const auto graph = MakeGraph(true);
  const tiny::Checkpoint checkpoint(*graph, 4);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const auto one = MakeBackend("cpu", {.threads = 1});
    tiny::Runner alone(*one, graph, checkpoint, dtype);
    const Rows wanted = Converse(alone);
    for (const int threads : {2, 3}) {
      const auto backend = MakeBackend("cpu", {.threads = threads});
      tiny::Runner runner(*backend, graph, checkpoint, dtype);
      EXPECT_EQ(wanted, Converse(runner)) << threads << " threads";
    }
  }
}

// The cpu backend with its matrices in one format, whatever it would choose itself.
class FormatBackend final : public Backend {
 public:
  FormatBackend(std::unique_ptr<Backend> cpu, WeightPlan plan)
      : cpu_(std::move(cpu)), plan_(plan) {}
  const BackendInfo& info() const override { return cpu_->info(); }
  WeightPlan ChooseWeight(const WeightRecipe& recipe, DType dtype, bool compiled) const override {
    return recipe.role == WeightRole::kMatrix ? plan_ : cpu_->ChooseWeight(recipe, dtype, compiled);
  }
  std::unique_ptr<WeightStore> CreateWeights(int count) override {
    return cpu_->CreateWeights(count);
  }
  Status Upload(WeightStore& store, int index, const WeightRecipe& recipe, const WeightPlan& plan,
                std::span<const WeightSource> sources, bool in_place) override {
    return cpu_->Upload(store, index, recipe, plan, sources, in_place);
  }
  Result<std::unique_ptr<CacheStore>> CreateCaches(const Plan& plan) override {
    return cpu_->CreateCaches(plan);
  }
  Result<std::unique_ptr<Executable>> Compile(Plan plan, std::shared_ptr<const WeightStore> weights,
                                              std::shared_ptr<CacheStore> caches) override {
    return cpu_->Compile(std::move(plan), std::move(weights), std::move(caches));
  }

 private:
  std::unique_ptr<Backend> cpu_;
  WeightPlan plan_;
};

// float32_matmul_precision = "high": operands of 16 bits instead of bfloat16's 8, so 2^-8 of the
// tolerance that one product gets above, three times for what is dropped. Runs on every CPU: where
// it has no bfloat16 unit the same products are made in float32.
TEST(CpuBackend, ThreeProductsComeNearFloat32) {
  const auto graph = MakeGraph(true);
  const tiny::Checkpoint checkpoint(*graph, 3);
  const auto reference = MakeBackend("reference");
  tiny::Runner wanted(*reference, graph, checkpoint);
  const Rows expected = Converse(wanted);
  for (const char* isa : {"baseline", "avx2", "avx512", "amx", "neon"}) {
    if (!CreateBackend("cpu", Machine{}, {.isa = isa}).ok()) continue;
    for (const int threads : {1, 3}) {
      FormatBackend split(MakeBackend("cpu", {.threads = threads, .isa = isa}),
                          {.format = WeightFormat::kSplitPanel16, .dtype = DType::kBF16});
      tiny::Runner runner(split, graph, checkpoint);
      tiny::ExpectClose(expected, Converse(runner), 3 * 6e-2 * 0x1p-8);
      int products = 0;
      for (const KernelChoice& choice : runner.executable().kernels()) {
        EXPECT_FALSE(choice.fallback) << choice.node << " " << choice.op;
        products += choice.kernel.find("bf16x3") != std::string::npos ? 1 : 0;
      }
      EXPECT_GT(products, 0) << isa;
    }
  }
}

TEST(CpuBackend, SaysWhetherItMultipliesBf16) {
  for (const char* isa : {"baseline", "avx2", "avx512", "amx", "neon"}) {
    if (!CreateBackend("cpu", Machine{}, {.isa = isa}).ok()) continue;
    const auto backend = MakeBackend("cpu", {.isa = isa});
    const auto& names = backend->info().instruction_sets;
    EXPECT_EQ(backend->HasBf16Products(),
              std::find(names.begin(), names.end(), "avx512_bf16") != names.end());
    EXPECT_TRUE(backend->HoldsQuantized());
  }
}

TEST(CpuBackend, WeightsStayInPlaceInTheEagerArmOnly) {
  const auto graph = MakeGraph(false);
  const tiny::Checkpoint checkpoint(*graph, 4);
  const auto backend = MakeBackend("cpu", {.threads = 2});
  for (const bool compiled : {false, true}) {
    const auto weights = backend->CreateWeights(static_cast<int>(graph->weights.size()));
    for (size_t i = 0; i < graph->weights.size(); ++i) {
      const WeightRecipe& recipe = graph->weights[i];
      const WeightPlan plan = backend->ChooseWeight(recipe, DType::kF32, compiled);
      const bool packed = compiled && recipe.role != WeightRole::kVector;
      EXPECT_EQ(plan.format, packed ? WeightFormat::kPanel16 : WeightFormat::kDense);
      ASSERT_TRUE(backend
                      ->Upload(*weights, static_cast<int>(i), recipe, plan,
                               {&checkpoint.source(i), 1}, true)
                      .ok());
      EXPECT_EQ(weights->Get(static_cast<int>(i)).data == checkpoint.source(i).data, !packed);
    }
    EXPECT_EQ(weights->size_bytes() > 0, compiled);
  }
}

}  // namespace
}  // namespace fathom
