// Row device_map: layers beyond the budget run mapped from disk, and the text is the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/log.h"
#include "fathom/engine.h"
#include "graph/plan.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

struct Loaded {
  std::shared_ptr<const Model> model;
  std::vector<Notice> notices;
  int64_t mapped = 0;
};

EngineOptions SmallOptions() {
  EngineOptions options{.threads = 2, .dtype = "float32"};
  options.context_length = 128;
  options.chunk_tokens = 64;
  options.load_tokenizer = false;
  return options;
}

Loaded Load(const std::string& name, const EngineOptions& options) {
  NoticeList notices;
  Loaded loaded;
  const auto model = Model::Load(GoldenPath("models/" + name), options, &notices);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return loaded;
  loaded.model = *model;
  loaded.notices = notices.Take();
  for (const WeightPlan& plan : loaded.model->plan().weights) loaded.mapped += plan.mapped;
  return loaded;
}

std::vector<int32_t> Answer(const Loaded& loaded) {
  if (loaded.model == nullptr) return {};
  const auto engine = Engine::Create(loaded.model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  if (!engine.ok()) return {};
  Request request;
  for (int i = 0; i < 40; ++i) request.prompt_ids.push_back(i * 7 % 60 + 3);
  request.max_new_tokens = 12;
  request.ignore_eos = true;
  const auto results = (*engine)->Generate(request);
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() ? (*results)[0].ids : std::vector<int32_t>{};
}

TEST(Offload, WhatDoesNotFitRunsFromDiskWithTheSameIds) {
  for (const char* name : {"llama-default", "llama-tied-fp32", "qwen2-untied", "qwen2-sharded"}) {
    SCOPED_TRACE(name);
    const auto usual = Answer(Load(name, SmallOptions()));
    ASSERT_EQ(usual.size(), 12u);
    for (const bool compiled : {true, false}) {
      for (const char* backend : {"cpu", "reference"}) {
        for (const char* row : {"", "low_cpu_mem_usage"}) {
          EngineOptions options = SmallOptions();
          options.backend = backend;
          if (!compiled) options.disabled.push_back("compile");
          if (*row != 0) options.disabled.push_back(row);
          options.max_memory = R"({"cpu": "1KB"})";
          const Loaded loaded = Load(name, options);
          EXPECT_GT(loaded.mapped, 0) << backend;
          EXPECT_THAT(loaded.notices, Contains(Field(&Notice::text, HasSubstr("from disk"))));
          EXPECT_EQ(Answer(loaded), usual) << backend << " " << compiled << " " << row;
        }
      }
    }
  }
}

TEST(Offload, ARoomyBudgetAndOneDeviceKeepEverythingInMemory) {
  const auto usual = Answer(Load("llama-default", SmallOptions()));
  for (const char* map : {"auto", "balanced", "balanced_low_0", "sequential", "cpu"}) {
    EngineOptions options = SmallOptions();
    options.device_map = map;
    options.max_memory = "cpu=1GB";
    const Loaded loaded = Load("llama-default", options);
    EXPECT_EQ(loaded.mapped, 0) << map;
    EXPECT_EQ(Answer(loaded), usual) << map;
  }
}

TEST(Offload, AMapNamesTheLayersThatStayOnDisk) {
  EngineOptions options = SmallOptions();
  options.device_map = R"({"": "cpu", "model.layers.1": "disk"})";
  const Loaded loaded = Load("llama-default", options);
  ASSERT_NE(loaded.model, nullptr);
  EXPECT_EQ(loaded.mapped, 7);  // q, k, v, o, gate, up, down
  const Graph& graph = *loaded.model->plan().graph;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    if (loaded.model->plan().weights[i].mapped) {
      EXPECT_THAT(graph.weights[i].sources[0], HasSubstr("layers.1."));
    }
  }
  EXPECT_EQ(Answer(loaded), Answer(Load("llama-default", SmallOptions())));
}

// bf16 of a float32 file would have to be rounded: it stays in memory and says so.
TEST(Offload, WhatTheFileDoesNotHoldStaysInMemory) {
  EngineOptions options = SmallOptions();
  options.dtype = "bfloat16";
  const auto usual = Answer(Load("llama-tied-fp32", options));
  options.max_memory = "cpu=1KB";
  const Loaded loaded = Load("llama-tied-fp32", options);
  EXPECT_EQ(loaded.mapped, 0);
  EXPECT_THAT(loaded.notices, Contains(Field(&Notice::text, HasSubstr("stay in it"))));
  EXPECT_EQ(Answer(loaded), usual);
}

TEST(Offload, RefusesDevicesThatAreNotHere) {
  const std::pair<const char*, StatusCode> bad[] = {
      {"cuda:0", StatusCode::kRunTime},
      {R"({"model": 0, "lm_head": "cpu"})", StatusCode::kRunTime},
      {R"({"model.layers": "cpu"})", StatusCode::kUsage},
      {"everywhere", StatusCode::kUsage},
  };
  for (const auto& [map, code] : bad) {
    EngineOptions options = SmallOptions();
    options.device_map = map;
    const auto model = Model::Load(GoldenPath("models/llama-default"), options, nullptr);
    ASSERT_FALSE(model.ok()) << map;
    EXPECT_EQ(model.status().code(), code) << model.status().message();
  }
}

}  // namespace
}  // namespace fathom
