// The off-arms of rows 3, 8, 9 and 13 are real, in every arm of compile, and change no text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backend.h"
#include "fathom/engine.h"
#include "graph/plan.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kModels[] = {"llama-default", "qwen2-window"};

EngineOptions SmallOptions(bool compiled, std::vector<std::string> disabled = {}) {
  EngineOptions options{.threads = 2, .dtype = "float32"};
  options.context_length = 160;
  options.chunk_tokens = 64;
  options.load_tokenizer = false;
  options.disabled = std::move(disabled);
  if (!compiled) options.disabled.push_back("compile");
  return options;
}

std::unique_ptr<Engine> Open(const std::string& name, const EngineOptions& options) {
  const auto model = Model::Load(GoldenPath("models/" + name), options, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return nullptr;
  auto engine = Engine::Create(*model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *std::move(engine) : nullptr;
}

std::vector<int32_t> Answer(Engine& engine, bool sample = false) {
  Request request;
  for (int i = 0; i < 45; ++i) request.prompt_ids.push_back(i * 7 % 60 + 3);
  request.max_new_tokens = 24;
  request.ignore_eos = true;
  request.seed = 3;
  request.sampling.do_sample = sample;
  request.sampling.top_k = 7;
  const auto results = engine.Generate(request);
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() ? (*results)[0].ids : std::vector<int32_t>{};
}

std::string AttentionKernel(const Engine& engine) {
  for (const KernelChoice& choice : engine.kernels()) {
    if (choice.op == "attention") return choice.kernel;
  }
  return "";
}

class RowArms : public testing::TestWithParam<bool> {};

TEST_P(RowArms, InferenceModeOffKeepsEveryActivation) {
  for (const char* name : kModels) {
    const auto on = Open(name, SmallOptions(GetParam()));
    const auto off = Open(name, SmallOptions(GetParam(), {"inference_mode"}));
    ASSERT_TRUE(on != nullptr && off != nullptr);
    EXPECT_EQ(Answer(*off), Answer(*on));
    EXPECT_GT(off->activation_bytes(), on->activation_bytes());
    // No two activations share a byte.
    const Plan& plan = off->model().plan();
    const StepSizes sizes{
        .num_tokens = 8, .num_sequences = 1, .num_logit_rows = 1, .max_blocks = 1};
    const MemoryPlan kept = PlanMemory(*plan.graph, sizes, false);
    EXPECT_GT(kept.arena_bytes, PlanMemory(*plan.graph, sizes, true).arena_bytes);
  }
}

TEST_P(RowArms, EagerAttentionMaterializesItsScores) {
  for (const char* name : kModels) {
    const auto flash = Open(name, SmallOptions(GetParam()));
    const auto off = Open(name, SmallOptions(GetParam(), {"attn_implementation"}));
    EngineOptions options = SmallOptions(GetParam());
    options.attn_implementation = "eager";
    const auto eager = Open(name, options);
    ASSERT_TRUE(flash != nullptr && off != nullptr && eager != nullptr);
    EXPECT_THAT(AttentionKernel(*flash), Not(HasSubstr("eager")));
    EXPECT_THAT(AttentionKernel(*off), HasSubstr("eager"));
    EXPECT_THAT(AttentionKernel(*eager), HasSubstr("eager"));
    const auto ids = Answer(*flash);
    EXPECT_EQ(Answer(*off), ids);
    EXPECT_EQ(Answer(*eager), ids);
  }
}

TEST_P(RowArms, TopKOffSortsAndDrawsTheSame) {
  for (const char* name : kModels) {
    const auto on = Open(name, SmallOptions(GetParam()));
    const auto off = Open(name, SmallOptions(GetParam(), {"top_k"}));
    ASSERT_TRUE(on != nullptr && off != nullptr);
    EXPECT_EQ(Answer(*off, true), Answer(*on, true));
  }
}

TEST_P(RowArms, TunedKernelsGiveTheSameIds) {
  for (const char* name : kModels) {
    const auto tuned = Open(name, SmallOptions(GetParam()));
    const auto fixed = Open(name, SmallOptions(GetParam(), {"cudnn_benchmark"}));
    ASSERT_TRUE(tuned != nullptr && fixed != nullptr);
    EXPECT_TRUE(tuned->model().backend().tuning().on);
    EXPECT_GT(tuned->model().backend().tuning().shapes, 0);
    EXPECT_FALSE(fixed->model().backend().tuning().on);
    for (const KernelChoice& choice : fixed->kernels()) EXPECT_EQ(choice.tuning, "") << choice.node;
    EXPECT_EQ(Answer(*tuned), Answer(*fixed));
    EXPECT_EQ(Answer(*tuned, true), Answer(*fixed, true));
  }
}

INSTANTIATE_TEST_SUITE_P(Compile, RowArms, testing::Bool(),
                         [](const auto& info) { return info.param ? "planned" : "eager"; });

}  // namespace
}  // namespace fathom
