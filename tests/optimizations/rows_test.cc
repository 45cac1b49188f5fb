// The thirteen rows: each has its arms, its options touch nothing else, and what the machine lacks
// changes its state and its reason.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "optimizations/optimization.h"
#include "optimizations/row_tools.h"

namespace fathom {
namespace {

using testing::HasSubstr;
using enum CpuFeature;

constexpr CpuFeatures kBf16Units = {kAvx512Bf16};

Machine MachineWith(CpuFeatures features) {
  Machine machine;
  machine.cpu.features = features;
  machine.cpu.cores = 2;
  machine.memory.total_bytes = machine.memory.usable_bytes = uint64_t{8} << 30;
  for (const std::string_view name : features.Names()) {
    machine.evidence.emplace_back(fmt::format("cpu.isa.{}", name), "of the test");
  }
  machine.evidence.emplace_back("gpus.cuda", "none: no NVIDIA driver");
  machine.evidence.emplace_back("gpus.mps", "none: Metal is on macOS only");
  return machine;
}

Machine Zen4() { return MachineWith(FeaturesRequired(Isa::kAvx512) | kBf16Units); }

ModelFacts Facts(const std::string& dtype) {
  ModelFacts facts;
  facts.path = "test";
  facts.architecture = "llama";
  facts.checkpoint_dtype = dtype;
  facts.parameters = 1'000'000'000;
  facts.linear_parameters = 900'000'000;
  facts.weights_bytes = facts.parameters * (dtype == "float32" ? 4 : 2);
  facts.num_hidden_layers = 16;
  facts.num_attention_heads = 32;
  facts.num_key_value_heads = 8;
  facts.head_dim = 64;
  facts.hidden_size = 2048;
  facts.vocab_size = 128256;
  facts.context_length = 4096;
  facts.cache_bytes_per_token = 65536;
  facts.num_operations = 500;
  facts.num_fused_operations = 200;
  facts.step_tokens = 512;
  facts.activation_bytes = 500 << 20;
  facts.reused_activation_bytes = 50 << 20;
  facts.has_tokenizer_json = true;
  return facts;
}

// Every field, so that two options differ where their texts do.
std::string Describe(const EngineOptions& o) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", o.backend, o.isa,
                     o.threads, o.dtype, o.attn_implementation, o.float32_matmul_precision,
                     o.output_attentions, o.output_hidden_states, o.device_map, o.max_memory,
                     fmt::join(o.disabled, ","), fmt::join(o.enabled, ","),
                     fmt::join(o.required, ","), o.context_length, o.max_sequences, o.chunk_tokens,
                     o.cache_bytes, o.load_tokenizer);
}

// `options` with everything that the row may set as in `base`.
EngineOptions WithoutRow(EngineOptions options, const EngineOptions& base, std::string_view id) {
  options = WithoutNaming(options, id);
  if (id == "float32_matmul_precision") {
    options.float32_matmul_precision = base.float32_matmul_precision;
  }
  if (id == "output_attentions") options.output_attentions = base.output_attentions;
  if (id == "output_hidden_states") options.output_hidden_states = base.output_hidden_states;
  if (id == "dtype") options.dtype = base.dtype;
  if (id == "device_map") options.device_map = base.device_map;
  if (id == "attn_implementation") options.attn_implementation = base.attn_implementation;
  return options;
}

Result<std::vector<OptimizationReport>> RunRows(const Machine& machine, const ModelFacts& facts,
                                                EngineOptions options,
                                                Language language = Language::kEnglish) {
  return RunOptimizations(machine, &facts, "cpu", &options, language);
}

OptimizationReport Report(const Machine& machine, const ModelFacts& facts,
                          const EngineOptions& options, std::string_view id) {
  const auto reports = RunRows(machine, facts, options);
  EXPECT_TRUE(reports.ok()) << reports.status().message();
  if (!reports.ok()) return {};
  for (const OptimizationReport& report : *reports) {
    if (report.optimization->id == id) return report;
  }
  ADD_FAILURE() << id;
  return {};
}

Status Fails(const EngineOptions& options, const Machine& machine = Zen4(),
             const std::string& dtype = "bfloat16") {
  const ModelFacts facts = Facts(dtype);
  const auto reports = RunRows(machine, facts, options);
  EXPECT_FALSE(reports.ok());
  return reports.status();
}

TEST(Rows, AreTheThirteenInTheirOrderAndThenTheOthers) {
  const std::vector<std::string_view> ids = {"low_cpu_mem_usage",
                                             "use_fast",
                                             "inference_mode",
                                             "float32_matmul_precision",
                                             "use_cache",
                                             "output_attentions",
                                             "output_hidden_states",
                                             "top_k",
                                             "cudnn_benchmark",
                                             "compile",
                                             "dtype",
                                             "device_map",
                                             "attn_implementation",
                                             "weight_cache"};
  ASSERT_EQ(AllOptimizations().size(), ids.size());
  std::set<const Optimization*> applied(ApplicationOrder().begin(), ApplicationOrder().end());
  for (size_t i = 0; i < ids.size(); ++i) {
    const Optimization& row = *AllOptimizations()[i];
    EXPECT_EQ(row.id, ids[i]);
    EXPECT_EQ(row.number, static_cast<int>(i) + 1);
    EXPECT_EQ(FindOptimization(ids[i]), &row);
    EXPECT_TRUE(applied.contains(&row)) << row.id;
    for (const Words& words : {row.name, row.on_text, row.off_text}) {
      EXPECT_FALSE(words.en.empty());
      EXPECT_FALSE(words.zh.empty());
    }
  }
  EXPECT_EQ(applied.size(), ids.size());
  EXPECT_EQ(FindOptimization("no_such_row"), nullptr);
}

TEST(Rows, HaveOneOffArmAndTouchNothingElse) {
  const Machine machine = Zen4();
  const ModelFacts facts = Facts("float32");
  EngineOptions base{.threads = 3, .context_length = 77};
  base.enabled = {"compile"};
  base.disabled = {"top_k"};
  for (const Optimization* row : AllOptimizations()) {
    const RowInput input{machine, &facts, base};
    const std::vector<Arm> arms = row->arms(input, "cpu");
    ASSERT_GE(arms.size(), 2u) << row->id;
    EXPECT_FALSE(arms[0].on) << row->id;
    EXPECT_EQ(std::ranges::count(arms, false, &Arm::on), 1) << row->id;
    std::set<std::string> values, options;
    for (const Arm& arm : arms) {
      values.insert(arm.value);
      options.insert(Describe(arm.options));
      EXPECT_EQ(Describe(WithoutRow(arm.options, base, row->id)),
                Describe(WithoutRow(base, base, row->id)))
          << row->id << " " << arm.value;
    }
    EXPECT_EQ(values.size(), arms.size()) << row->id;
    EXPECT_EQ(options.size(), arms.size()) << row->id << ": two arms with the same options";
    EXPECT_TRUE(row->arms(input, "cuda").empty()) << row->id << ": this build has no CUDA backend";
  }
}

TEST(Rows, RunAsTheirArmsSay) {
  const Machine machine = Zen4();
  const ModelFacts facts = Facts("float32");
  const EngineOptions base;
  for (const Optimization* row : AllOptimizations()) {
    const RowInput input{machine, &facts, base};
    for (const Arm& arm : row->arms(input, "cpu")) {
      const OptimizationReport report = Report(machine, facts, arm.options, row->id);
      ASSERT_EQ(report.optimization, row);
      // One device that holds the model: nothing to place.
      const RowState on = row->id == "device_map" ? RowState::kNoEffect : RowState::kOn;
      EXPECT_EQ(report.outcome.state, arm.on ? on : RowState::kOff) << row->id << " " << arm.value;
      EXPECT_EQ(report.outcome.value, arm.value) << row->id;
      EXPECT_FALSE(report.outcome.reason.empty());
    }
  }
}

TEST(Rows, DisableTurnsEachOff) {
  const Machine machine = Zen4();
  const ModelFacts facts = Facts("bfloat16");
  for (const Optimization* row : AllOptimizations()) {
    EngineOptions options;
    options.disabled = {std::string(row->id)};
    const OptimizationReport report = Report(machine, facts, options, row->id);
    EXPECT_EQ(report.outcome.state, RowState::kOff) << row->id;
    EXPECT_THAT(report.outcome.reason, HasSubstr("--disable " + std::string(row->id)));
    // And --require says so.
    options.required = {std::string(row->id)};
    const Status status = Fails(options);
    EXPECT_EQ(status.code(), StatusCode::kRunTime) << row->id;
    EXPECT_THAT(status.message(), HasSubstr("--disable " + std::string(row->id)));
    // Enable wins over disable.
    options.enabled = {std::string(row->id)};
    options.required.clear();
    EXPECT_NE(Report(machine, facts, options, row->id).outcome.state, RowState::kOff) << row->id;
  }
}

TEST(Rows, ResolvedOptions) {
  const Machine machine = Zen4();
  const ModelFacts facts = Facts("bfloat16");
  EngineOptions options;
  options.disabled = {"dtype", "attn_implementation", "output_attentions", "output_hidden_states",
                      "device_map"};
  ASSERT_TRUE(RunOptimizations(machine, &facts, "cpu", &options).ok());
  EXPECT_EQ(options.dtype, "float32");
  EXPECT_EQ(options.attn_implementation, "eager");
  EXPECT_EQ(options.device_map, "cpu");
  EXPECT_TRUE(options.output_attentions);
  EXPECT_TRUE(options.output_hidden_states);
  options = {};
  ASSERT_TRUE(RunOptimizations(machine, &facts, "cpu", &options).ok());
  EXPECT_EQ(options.attn_implementation, "flash_attention_2");
  EXPECT_EQ(options.dtype, "auto");
  EXPECT_EQ(options.float32_matmul_precision, "highest");
  EXPECT_FALSE(options.output_attentions);
  options = {};
  options.enabled = {"dtype", "float32_matmul_precision"};
  const ModelFacts wide = Facts("float32");
  ASSERT_TRUE(RunOptimizations(machine, &wide, "cpu", &options).ok());
  EXPECT_EQ(options.dtype, "bfloat16");
}

TEST(Rows, WhatTheCpuLacksChangesStateAndReason) {
  const ModelFacts wide = Facts("float32"), narrow = Facts("bfloat16");
  const std::string_view id = "float32_matmul_precision";
  EngineOptions medium;
  medium.float32_matmul_precision = "medium";
  const Machine with = Zen4(), without = MachineWith(FeaturesRequired(Isa::kAvx512));
  const auto on = Report(with, wide, medium, id);
  EXPECT_EQ(on.outcome.state, RowState::kOn);
  EXPECT_EQ(on.detection.cpu.state, DeviceState::kAvailable);
  EXPECT_THAT(fmt::format("{}", fmt::join(on.detection.evidence, "\n")),
              HasSubstr("cpu.isa.avx512_bf16: of the test"));
  const auto lacking = Report(without, wide, medium, id);
  EXPECT_EQ(lacking.outcome.state, RowState::kUnavailable);
  EXPECT_EQ(lacking.outcome.value, "highest");
  EXPECT_THAT(lacking.outcome.reason, HasSubstr("avx512_bf16"));
  EXPECT_THAT(lacking.detection.remedy, HasSubstr("AVX-512 BF16"));
  EXPECT_EQ(Report(with, narrow, {}, id).outcome.state, RowState::kNoEffect);
  EXPECT_EQ(Report(without, narrow, {}, id).outcome.state, RowState::kUnavailable);
  // The unit is there, but --isa forbids it.
  medium.isa = "avx2";
  EXPECT_EQ(Report(with, wide, medium, id).outcome.state, RowState::kUnavailable);
  const RowInput input{without, &wide, {}};
  EXPECT_TRUE(FindOptimization(id)->arms(input, "cpu").empty());
  EXPECT_NE(Report(with, narrow, {}, "dtype").outcome.reason,
            Report(without, narrow, {}, "dtype").outcome.reason);
}

TEST(Rows, WhatTheMachineHasElseChangesThem) {
  const ModelFacts facts = Facts("bfloat16");
  Machine machine = Zen4();
  EXPECT_EQ(Report(machine, facts, {}, "device_map").outcome.state, RowState::kNoEffect);
  machine.memory.usable_bytes = uint64_t{1} << 30;
  const auto placed = Report(machine, facts, {}, "device_map");
  EXPECT_EQ(placed.outcome.state, RowState::kOn);
  EXPECT_THAT(placed.outcome.reason, HasSubstr("disk"));
  EngineOptions options{.max_memory = "cpu=1GiB"};
  EXPECT_EQ(Report(Zen4(), facts, options, "device_map").outcome.state, RowState::kOn);
  options = {.dtype = "int4", .max_memory = "cpu=1GiB"};  // 0.6 GB: fits
  EXPECT_EQ(Report(Zen4(), facts, options, "device_map").outcome.state, RowState::kNoEffect);
  for (const Optimization* row : AllOptimizations()) {
    Machine gpu = Zen4();
    const auto none = Report(gpu, facts, {}, row->id);
    EXPECT_EQ(none.detection.cuda.state, DeviceState::kUnavailable);
    EXPECT_THAT(none.detection.cuda.reason, HasSubstr("no NVIDIA"));
    gpu.gpus.push_back({.kind = "cuda", .name = "NVIDIA H100"});
    const auto there = Report(gpu, facts, {}, row->id);
    EXPECT_THAT(there.detection.cuda.reason, HasSubstr("NVIDIA H100"));
    EXPECT_THAT(there.detection.cuda.reason, HasSubstr("no CUDA backend"));
    EXPECT_EQ(there.detection.cuda.state, DeviceState::kUnavailable);
  }
  EXPECT_THAT(Report(machine, facts, {}, "use_cache").outcome.reason,
              testing::Not(Report(Zen4(), facts, {}, "use_cache").outcome.reason));
}

TEST(Rows, TheReferenceBackendLeavesSomeWithoutEffect) {
  const ModelFacts facts = Facts("bfloat16");
  const EngineOptions options{.backend = "reference"};
  for (const char* id :
       {"float32_matmul_precision", "cudnn_benchmark", "dtype", "attn_implementation"}) {
    const auto report = Report(Zen4(), facts, options, id);
    EXPECT_EQ(report.outcome.state, RowState::kNoEffect) << id;
    EXPECT_THAT(report.outcome.reason, HasSubstr("reference")) << id;
  }
}

TEST(Rows, FactsDecide) {
  const Machine machine = Zen4();
  ModelFacts facts = Facts("float32");
  EXPECT_EQ(Report(machine, facts, {}, "dtype").outcome.state, RowState::kOff);
  EXPECT_THAT(Report(machine, facts, {}, "dtype").outcome.reason, HasSubstr("float32"));
  facts.has_tokenizer_json = false;
  EXPECT_EQ(Report(machine, facts, {}, "use_fast").outcome.state, RowState::kNoEffect);
  EXPECT_EQ(Report(machine, facts, {}, "compile").estimate.launches_saved, 300);
  EXPECT_EQ(Report(machine, facts, {}, "low_cpu_mem_usage").estimate.bytes_saved,
            facts.weights_bytes);
  EXPECT_EQ(Report(machine, Facts("bfloat16"), {}, "dtype").estimate.bytes_saved,
            2 * facts.parameters);
  // 4095 tokens again: the weights, and 4 head_dim heads layers for half of the keys.
  EXPECT_EQ(Report(machine, facts, {}, "use_cache").estimate.flops_saved,
            int64_t{4095} * (2 * 900'000'000 + int64_t{2} * 16 * 32 * 64 * 4096));
}

TEST(Rows, ReturnedAttentionsMakeAttentionEager) {
  const ModelFacts facts = Facts("bfloat16");
  EngineOptions options{.output_attentions = true};
  EngineOptions run = options;
  ASSERT_TRUE(RunOptimizations(Zen4(), &facts, "cpu", &run).ok());
  EXPECT_EQ(run.attn_implementation, "eager");
  const auto report = Report(Zen4(), facts, options, "attn_implementation");
  EXPECT_EQ(report.outcome.state, RowState::kOff);
  EXPECT_THAT(report.outcome.reason, HasSubstr("output_attentions"));
  for (const char* implementation : {"flash_attention_2", "sdpa"}) {
    options.attn_implementation = implementation;
    EXPECT_EQ(Fails(options).code(), StatusCode::kUsage) << implementation;
  }
  options.attn_implementation = "eager";
  EXPECT_TRUE(RunRows(Zen4(), facts, options).ok());
}

TEST(Rows, UnknownIdsValuesAndContradictionsAreUsageErrors) {
  std::vector<EngineOptions> wrong(12);
  wrong[0].disabled = {"no_such_row"};
  wrong[1].enabled = {"Compile"};
  wrong[2].required = {""};
  wrong[3].dtype = "float33";
  wrong[4].attn_implementation = "psychic";
  wrong[5].float32_matmul_precision = "HIGH";
  wrong[6].device_map = "everywhere";
  wrong[7].max_memory = "cpu=lots";
  wrong[8] = {.dtype = "bfloat16", .disabled = {"dtype"}};
  wrong[9] = {.attn_implementation = "eager", .enabled = {"attn_implementation"}};
  wrong[10] = {.float32_matmul_precision = "high", .disabled = {"float32_matmul_precision"}};
  wrong[11] = {.device_map = "auto", .disabled = {"device_map"}};
  for (size_t i = 0; i < wrong.size(); ++i) {
    const Status status = Fails(wrong[i]);
    EXPECT_EQ(status.code(), StatusCode::kUsage) << i;
    if (i < 8) {
      EXPECT_FALSE(CheckOptionValues(wrong[i]).ok()) << i;
    } else {
      EXPECT_THAT(status.message(), HasSubstr("contradicts")) << i;
    }
  }
}

TEST(Rows, RequireNamesTheReason) {
  EngineOptions options;
  options.required = {"float32_matmul_precision"};
  Status status = Fails(options);
  EXPECT_EQ(status.code(), StatusCode::kRunTime);
  EXPECT_THAT(status.message(), HasSubstr("no_effect"));
  EXPECT_THAT(status.message(), HasSubstr("weights are bfloat16"));
  status = Fails(options, MachineWith({kSse2}));
  EXPECT_THAT(status.message(), HasSubstr("avx512_bf16"));
  status = Fails(options, Zen4(), "float32");
  EXPECT_THAT(status.message(), HasSubstr("highest is the default"));
  options.enabled = options.required;
  EXPECT_TRUE(RunRows(Zen4(), Facts("float32"), options).ok());
  options = {};
  options.required = {"compile", "use_cache", "attn_implementation", "dtype"};
  EXPECT_TRUE(RunRows(Zen4(), Facts("bfloat16"), options).ok());
}

TEST(Rows, AWishThatIsNotMetIsTold) {
  const ModelFacts facts = Facts("float32");
  EngineOptions asked;
  asked.float32_matmul_precision = "medium";
  EngineOptions run = asked;
  const auto reports = RunOptimizations(MachineWith({kSse2}), &facts, "cpu", &run);
  ASSERT_TRUE(reports.ok());
  EXPECT_EQ(run.float32_matmul_precision, "highest");
  const auto wishes = UnmetWishes(asked, *reports);
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_THAT(wishes[0], HasSubstr("avx512_bf16"));
  EXPECT_TRUE(UnmetWishes({}, *reports).empty());
}

TEST(Rows, SpeakBothLanguages) {
  const auto ascii = [](const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  };
  for (const std::string dtype : {"float32", "bfloat16"}) {
    for (const CpuFeatures features : {kBf16Units, CpuFeatures{}}) {
      const Machine machine = MachineWith(features);
      const ModelFacts facts = Facts(dtype);
      const auto english = RunRows(machine, facts, {});
      const auto chinese = RunRows(machine, facts, {}, Language::kChinese);
      ASSERT_TRUE(english.ok() && chinese.ok());
      for (size_t i = 0; i < english->size(); ++i) {
        EXPECT_TRUE(ascii((*english)[i].outcome.reason)) << (*english)[i].outcome.reason;
        EXPECT_FALSE(ascii((*chinese)[i].outcome.reason)) << (*chinese)[i].outcome.reason;
        EXPECT_FALSE(ascii((*chinese)[i].detection.cuda.reason));
        EXPECT_EQ((*english)[i].outcome.state, (*chinese)[i].outcome.state);
      }
    }
  }
}

TEST(ModelFacts, OfTheDemoModel) {
  const std::string path = std::string(FATHOM_SOURCE_DIR) + "/models/fathom-tales";
  const auto facts = FactsOf(path, {});
  ASSERT_TRUE(facts.ok()) << facts.status().message();
  // model.safetensors: 9486400 bfloat16 numbers behind its header.
  const int64_t parameters =
      4096 * 320 + 320 + 7 * (2 * 320 + 320 * 320 * 2 + 2 * 160 * 320 + 3 * 320 * 896);
  EXPECT_EQ(facts->parameters, parameters);
  EXPECT_EQ(facts->weights_bytes, 2 * parameters);
  EXPECT_EQ(facts->checkpoint_dtype, "bfloat16");
  EXPECT_EQ(facts->context_length, 512);
  EXPECT_EQ(facts->cache_bytes_per_token, 7 * 2 * 5 * 32 * 2);
  EXPECT_TRUE(facts->has_tokenizer_json);
  EXPECT_EQ(facts->head_bytes, 0);
  EXPECT_EQ(facts->embedding_bytes, 2 * 4096 * 320);
  ASSERT_EQ(facts->layer_bytes.size(), 7u);
  int64_t layers = 0;
  for (const int64_t bytes : facts->layer_bytes) layers += bytes;
  EXPECT_EQ(layers + facts->embedding_bytes + 2 * 320, facts->weights_bytes);
  EXPECT_LT(facts->num_fused_operations, facts->num_operations);
  EXPECT_LT(facts->reused_activation_bytes, facts->activation_bytes);
  EXPECT_EQ(FactsOf(path + "/none", {}).status().code(), StatusCode::kBadFile);
}

}  // namespace
}  // namespace fathom
