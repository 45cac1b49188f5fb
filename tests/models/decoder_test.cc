// What the architectures build: shapes, fusions, refusals. That the numbers are right is shown in
// tests/engine, against transformers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "graph/plan.h"
#include "models/architecture.h"
#include "models/common/decoder.h"

namespace fathom {
namespace {

std::string Config(std::string_view type, std::string_view more) {
  return fmt::format(R"({{"model_type": "{}", "hidden_size": 64, "intermediate_size": 96,
      "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
      "vocab_size": 100, "max_position_embeddings": 128{}}})",
                     type, more);
}

Result<Graph> Build(const std::string& json) {
  FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Parse(json, "config.json"));
  FATHOM_ASSIGN(const Architecture* architecture, FindArchitecture(file));
  FATHOM_ASSIGN(const ModelConfig config, architecture->parse_config(file));
  return architecture->build_graph(config, {});
}

int CountOps(const Graph& graph, std::string_view op) {
  int count = 0;
  for (const OpNode& node : graph.nodes) count += node.op->name == op;
  return count;
}

TEST(Decoder, BuildsAndFuses) {
  for (const char* type : {"llama", "qwen2"}) {
    auto graph = Build(Config(type, ""));
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(CountOps(*graph, "linear"), 3 * 7 + 1);
    auto reports = RunPasses(*graph, {});
    ASSERT_TRUE(reports.ok()) << reports.status().message();
    for (const PassReport& report : *reports) EXPECT_GT(report.applied, 0) << report.name;
    EXPECT_EQ(CountOps(*graph, "linear_gated"), 3);
    EXPECT_EQ(CountOps(*graph, "linear_group"), 3);
    EXPECT_EQ(CountOps(*graph, "rotary_cache_write"), 3);
    EXPECT_EQ(CountOps(*graph, "linear"), 3 * 2 + 1);
    EXPECT_EQ(CountOps(*graph, "gated_activation"), 0);
    EXPECT_EQ(CountOps(*graph, "rotary"), 0);
    // All but the first norm follow an addition; the last one has the row gather between.
    EXPECT_EQ(CountOps(*graph, "add_rms_norm"), 3 * 2 - 1);
  }
}

TEST(Decoder, SkippedPassesDoNotRun) {
  auto graph = Build(Config("llama", ""));
  ASSERT_TRUE(graph.ok());
  const std::vector<std::string> skipped = {"fuse_linear_group", "fuse_add_rms_norm"};
  ASSERT_TRUE(RunPasses(*graph, skipped).ok());
  EXPECT_EQ(CountOps(*graph, "linear_group"), 0);
  EXPECT_EQ(CountOps(*graph, "add_rms_norm"), 0);
  EXPECT_EQ(CountOps(*graph, "linear_gated"), 3);
}

TEST(Decoder, HeadNormsStandBeforeTheRotation) {
  const auto file = ConfigFile::Parse(Config("llama", R"(, "head_dim": 32)"), "config.json");
  ASSERT_TRUE(file.ok());
  const auto config = (*FindArchitecture(*file))->parse_config(*file);
  ASSERT_TRUE(config.ok()) << config.status().message();
  auto graph = BuildDecoder(*config, {}, {.qk_norm = true});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_TRUE(RunPasses(*graph, {}).ok());
  // The first norm, the last one, and two a layer, which no addition precedes.
  EXPECT_EQ(CountOps(*graph, "rms_norm"), 2 + 3 * 2);
  EXPECT_EQ(CountOps(*graph, "rotary_cache_write"), 3);
  for (const OpNode& node : graph->nodes) {
    if (!node.attributes.Has("eps") || !node.attributes.Has("head_dim")) continue;
    EXPECT_EQ(node.attributes.Int("head_dim"), 32) << node.name;
    EXPECT_EQ(graph->values[node.inputs[1]].dims, std::vector<Dim>{Dim::Constant(32)}) << node.name;
  }
}

TEST(Decoder, TiedHeadIsOneWeight) {
  auto tied = Build(Config("llama", R"(, "tie_word_embeddings": true)"));
  auto untied = Build(Config("llama", R"(, "tie_word_embeddings": false)"));
  ASSERT_TRUE(tied.ok() && untied.ok());
  EXPECT_EQ(tied->weights.size() + 1, untied->weights.size());
}

TEST(Decoder, WindowsMakeGroups) {
  auto graph = Build(Config("qwen2", R"(, "use_sliding_window": true, "sliding_window": 16,
                                          "max_window_layers": 1)"));
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->groups.size(), 2u);
  EXPECT_EQ(graph->groups[0].window, 0);
  EXPECT_EQ(graph->groups[1].window, 16);
  EXPECT_EQ(graph->caches.size(), 6u);
}

TEST(Decoder, LengthDependentRopeIsMarked) {
  auto dynamic = Build(Config("llama", R"(, "rope_scaling": {"type": "dynamic", "factor": 2.0})"));
  auto linear = Build(Config("llama", R"(, "rope_scaling": {"type": "linear", "factor": 2.0})"));
  ASSERT_TRUE(dynamic.ok()) << dynamic.status().message();
  ASSERT_TRUE(linear.ok()) << linear.status().message();
  EXPECT_TRUE(dynamic->cache_depends_on_length);
  EXPECT_FALSE(linear->cache_depends_on_length);
}

TEST(Decoder, RefusesWhatItCannotRun) {
  for (const char* more :
       {R"(, "hidden_act": "spline")", R"(, "rope_scaling": {"type": "spiral"})"}) {
    auto graph = Build(Config("llama", more));
    ASSERT_FALSE(graph.ok()) << more;
    EXPECT_EQ(graph.status().code(), StatusCode::kBadFile) << graph.status().message();
  }
  auto unknown = Build(Config("perceptron", ""));
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("llama, qwen2"), std::string::npos);
}

}  // namespace
}  // namespace fathom
