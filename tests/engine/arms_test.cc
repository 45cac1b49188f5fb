// Every arm of every row on the demo model: the rows that must not change an id do not, the off-arm
// of each really runs otherwise, and what rounds stays within its tolerance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "backends/backend.h"
#include "fathom/engine.h"
#include "fathom/text.h"
#include "optimizations/optimization.h"

namespace fathom {
namespace {

constexpr char kPrompt[] = "Once upon a time there was a king who had";
constexpr int kNewTokens = 24;

std::string DemoPath() { return std::string(FATHOM_SOURCE_DIR) + "/models/fathom-tales"; }

// One thread and fixed kernels, so that nothing but the row differs between two runs.
EngineOptions Base() {
  EngineOptions options{.threads = 1, .dtype = "float32"};
  options.chunk_tokens = 32;
  options.max_sequences = 1;
  options.disabled = {"cudnn_benchmark"};
  return options;
}

std::unique_ptr<Engine> Open(const EngineOptions& options) {
  auto model = Model::Load(DemoPath(), options, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return nullptr;
  auto engine = Engine::Create(*model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *std::move(engine) : nullptr;
}

std::vector<int32_t> PromptIds(const Engine& engine) {
  const Tokenizer& tokenizer = *engine.model().tokenizer();
  const bool fast = engine.model().options().IsOn("use_fast");
  const auto ids = tokenizer.Encode(kPrompt, {.use_fast = fast});
  EXPECT_TRUE(ids.ok());
  return ids.ok() ? *ids : std::vector<int32_t>();
}

std::vector<int32_t> Generate(Engine& engine, bool do_sample) {
  Request request = engine.model().NewRequest(PromptIds(engine));
  request.sampling.do_sample = do_sample;
  request.sampling.top_k = 40;
  request.seed = 5;
  request.max_new_tokens = kNewTokens;
  request.ignore_eos = true;
  request.want_text = false;
  const auto results = engine.Generate(request);
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() ? (*results)[0].ids : std::vector<int32_t>();
}

std::vector<float> Logits(Engine& engine) {
  std::vector<float> logits;
  const auto ids = PromptIds(engine);
  const Status status = engine.Score(ids, [&](int64_t, std::span<const float> rows) {
    logits.insert(logits.end(), rows.begin(), rows.end());
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return logits;
}

// The largest difference as a share of the largest logit.
double WorstDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0, largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return worst / largest;
}

// 7 layers of 6 roundings and the head (golden_test.cc).
double Tolerance(const std::string& dtype) {
  const double epsilon = dtype == "bfloat16" ? 0x1p-8 : dtype == "float16" ? 0x1p-11 : 0x1p-23;
  return epsilon * std::sqrt(6.0 * 7 + 1);
}

std::vector<Arm> ArmsOf(const Optimization& row, const EngineOptions& options) {
  static const Machine machine = DetectMachine({.gpus = false});
  static const auto facts = FactsOf(DemoPath(), options);
  EXPECT_TRUE(facts.ok());
  return row.arms({machine, &*facts, options}, "cpu");
}

TEST(Arms, ThatMustNotChangeAnIdDoNot) {
  const auto base = Open(Base());
  ASSERT_NE(base, nullptr);
  const auto greedy = Generate(*base, false), sampled = Generate(*base, true);
  ASSERT_EQ(greedy.size(), static_cast<size_t>(kNewTokens));
  for (const char* id : {"low_cpu_mem_usage", "use_fast", "inference_mode", "use_cache",
                         "output_attentions", "output_hidden_states", "top_k", "cudnn_benchmark",
                         "compile", "device_map", "attn_implementation"}) {
    const auto arms = ArmsOf(*FindOptimization(id), Base());
    EXPECT_GE(arms.size(), 2u) << id;
    for (const Arm& arm : arms) {
      const auto engine = Open(arm.options);
      ASSERT_NE(engine, nullptr) << id;
      EXPECT_EQ(Generate(*engine, false), greedy) << id << " " << arm.value;
      EXPECT_EQ(Generate(*engine, true), sampled) << id << " " << arm.value << ", sampled";
    }
  }
}

TEST(Arms, ThatRoundStayWithinTheirTolerance) {
  const auto base = Open(Base());
  ASSERT_NE(base, nullptr);
  const auto exact = Logits(*base);
  for (const char* id : {"dtype", "float32_matmul_precision"}) {
    for (const Arm& arm : ArmsOf(*FindOptimization(id), Base())) {
      // Accuracy of integer weights has tests of its own; a medium product is one of bfloat16.
      if (arm.value.starts_with("int")) continue;
      const auto engine = Open(arm.options);
      ASSERT_NE(engine, nullptr) << id;
      const std::string type = arm.value == "medium" ? "bfloat16" : arm.value;
      EXPECT_LE(WorstDifference(Logits(*engine), exact),
                arm.value == "high" ? 1e-4 : Tolerance(type))
          << id << " " << arm.value;
    }
  }
}

TEST(Arms, IntegerWeightsRunAndStayClose) {
  const auto base = Open(Base());
  ASSERT_NE(base, nullptr);
  const auto exact = Logits(*base);
  for (const auto& [dtype, limit] : std::map<std::string, double>{{"int8", 0.05}, {"int4", 0.5}}) {
    EngineOptions options = Base();
    options.dtype = dtype;
    const auto model = Model::Load(DemoPath(), options, nullptr);
    if (!model.ok() && model.status().code() == StatusCode::kUsage) {
      GTEST_SKIP() << "this build makes no integer weights: " << model.status().message();
    }
    const auto engine = Open(options);
    ASSERT_NE(engine, nullptr);
    const double worst = WorstDifference(Logits(*engine), exact);
    EXPECT_LE(worst, limit) << dtype;
    EXPECT_GT(worst, 1e-5) << dtype << ": the weights are not rounded";
  }
}

// What can be seen of a model to tell its arms apart.
std::string Kernels(const Engine& engine) {
  std::set<std::string> names;
  for (const KernelChoice& choice : engine.kernels()) names.insert(choice.kernel);
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

// Off and on as the row's own arms have them.
std::pair<std::unique_ptr<Engine>, std::unique_ptr<Engine>> OpenBoth(std::string_view id,
                                                                     EngineOptions base) {
  const auto arms = ArmsOf(*FindOptimization(id), base);
  if (arms.size() < 2) return {};
  return {Open(arms[0].options), Open(arms[1].options)};
}

TEST(Arms, OffReallyRunsOtherwise) {
  const auto [each, one] = OpenBoth("compile", Base());
  EXPECT_GT(each->kernels().size(), one->kernels().size());
  const auto [eager, tiled] = OpenBoth("attn_implementation", Base());
  EXPECT_NE(Kernels(*eager).find("eager"), std::string::npos);
  EXPECT_EQ(Kernels(*tiled).find("eager"), std::string::npos);
  const auto [kept, reused] = OpenBoth("inference_mode", Base());
  EXPECT_GT(kept->activation_bytes(), 2 * reused->activation_bytes());
  const auto [wide, narrow] = OpenBoth("dtype", Base());
  EXPECT_GT(wide->model().memory().weights_bytes, narrow->model().memory().weights_bytes * 19 / 10);
  const auto [fixed, tuned] = OpenBoth("cudnn_benchmark", Base());
  EXPECT_FALSE(fixed->model().backend().tuning().on);
  EXPECT_TRUE(tuned->model().backend().tuning().on);
  const auto [recomputed, cached] = OpenBoth("use_cache", Base());
  Generate(*recomputed, false);
  Generate(*cached, false);
  const auto tokens = [](const Engine& engine) {
    return engine.stats().prompt_tokens + engine.stats().decode_tokens;
  };
  EXPECT_GT(tokens(*recomputed), 5 * tokens(*cached));
  const auto [plain, fast] = OpenBoth("use_fast", Base());
  EXPECT_FALSE(plain->model().options().IsOn("use_fast"));
  EXPECT_TRUE(fast->model().options().IsOn("use_fast"));
}

TEST(Arms, OffReturnsWhatOnDoesNot) {
  for (const bool attentions : {true, false}) {
    const std::string_view id = attentions ? "output_attentions" : "output_hidden_states";
    const auto [off, on] = OpenBoth(id, Base());
    ASSERT_TRUE(off != nullptr && on != nullptr);
    for (const bool returned : {true, false}) {
      Engine& engine = returned ? *off : *on;
      Request request = engine.model().NewRequest(PromptIds(engine));
      request.sampling.do_sample = false;
      request.max_new_tokens = 2;
      const auto results = engine.Generate(request);
      ASSERT_TRUE(results.ok());
      size_t arrays = 0;
      for (const StepOutputs& step : (*results)[0].outputs) {
        arrays += attentions ? step.attentions.size() : step.hidden_states.size();
      }
      EXPECT_EQ(arrays > 0, returned) << id;
    }
  }
}

TEST(Arms, AModelKeepsItsReports) {
  EngineOptions options = Base();
  options.disabled = {"compile"};
  const auto engine = Open(options);
  ASSERT_NE(engine, nullptr);
  const auto reports = engine->model().optimizations();
  ASSERT_EQ(reports.size(), AllOptimizations().size());
  for (size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].optimization, AllOptimizations()[i]);
  }
  EXPECT_EQ(reports[9].outcome.state, RowState::kOff);
  EXPECT_EQ(reports[10].outcome.value, "float32");
  options.required = {"compile"};
  EXPECT_EQ(Model::Load(DemoPath(), options, nullptr).status().code(), StatusCode::kRunTime);
}

}  // namespace
}  // namespace fathom
