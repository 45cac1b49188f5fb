// The reference backend: the same tokens give the same logits however they are cut into steps.
#include <gtest/gtest.h>

#include "backends/backend.h"
#include "graph/passes/passes.h"
#include "tests/backends/tiny_model.h"

namespace fathom {
namespace {

using tiny::Piece;
using tiny::Tokens;
using Rows = std::vector<std::vector<float>>;

std::unique_ptr<Backend> MakeReference() {
  auto backend = CreateBackend("reference", Machine{}, {});
  EXPECT_TRUE(backend.ok());
  return *std::move(backend);
}

std::shared_ptr<const Graph> MakeGraph(const tiny::Options& options = {}) {
  auto graph = tiny::Build(options);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  return std::make_shared<const Graph>(*std::move(graph));
}

void Append(Rows& rows, Rows more) {
  for (auto& row : more) rows.push_back(std::move(row));
}

TEST(Registry, NamesAreUniqueAndUnknownOnesRefused) {
  std::vector<std::string_view> names;
  for (const BackendRecord* record : AllBackends()) {
    EXPECT_TRUE(std::find(names.begin(), names.end(), record->name) == names.end());
    EXPECT_FALSE(record->description.empty());
    names.push_back(record->name);
  }
  EXPECT_TRUE(std::find(names.begin(), names.end(), "reference") != names.end());
  const auto unknown = CreateBackend("tpu", Machine{}, {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kUsage);
  EXPECT_NE(unknown.status().message().find("reference"), std::string::npos);
}

TEST(Reference, HasNoInstructionSets) {
  const auto refused = CreateBackend("reference", Machine{}, {.isa = "avx2"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUsage);
  EXPECT_TRUE(CreateBackend("reference", Machine{}, {.isa = "baseline"}).ok());
}

TEST(Reference, SaysWhatRunsEachNode) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 1);
  tiny::Runner runner(*backend, graph, checkpoint);
  const auto kernels = runner.executable().kernels();
  ASSERT_EQ(kernels.size(), graph->nodes.size());
  EXPECT_EQ(kernels[0].kernel, "embedding_reference");
  EXPECT_FALSE(kernels[0].fallback);
  EXPECT_GT(runner.executable().arena_bytes(), 0);
  EXPECT_TRUE(runner.executable().Input("no_such_input").empty());
  EXPECT_EQ(runner.executable().Input("token_ids").size(), 80u);
  EXPECT_EQ(runner.executable().Input("sequence_start").size(), 5u);
  EXPECT_EQ(runner.executable().Input("block_table.1").size(), 24u);
}

TEST(Reference, PrefillIsTheSameInChunksAndTokenByToken) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 2);
  const auto tokens = Tokens(75, 5);
  tiny::Runner whole(*backend, graph, checkpoint);
  const Rows wanted = whole.Step({{0, tokens}});

  tiny::Runner chunks(*backend, graph, checkpoint);
  Rows found;
  for (const auto& [begin, end] : {std::pair{0, 31}, {31, 33}, {33, 70}, {70, 75}}) {
    Append(found, chunks.Step({{0, {tokens.begin() + begin, tokens.begin() + end}}}));
  }
  tiny::ExpectClose(wanted, found, 1e-6);

  tiny::Runner one(*backend, graph, checkpoint);
  found.clear();
  for (const int32_t token : tokens) Append(found, one.Step({{0, {token}}}));
  tiny::ExpectClose(wanted, found, 1e-6);
}

TEST(Reference, RaggedStepsAreTheSequencesAlone) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph({.bias = false, .tied = true});
  const tiny::Checkpoint checkpoint(*graph, 3);
  const std::vector<std::vector<int32_t>> tokens = {Tokens(40, 1), Tokens(35, 2), Tokens(9, 3)};
  std::vector<Rows> wanted;
  for (const auto& sequence : tokens) {
    tiny::Runner alone(*backend, graph, checkpoint);
    wanted.push_back(alone.Step({{0, sequence}}));
  }
  tiny::Runner together(*backend, graph, checkpoint);
  std::vector<Rows> found(3);
  std::vector<size_t> done(3, 0);
  const std::vector<std::vector<size_t>> steps = {{33, 1, 0}, {1, 30, 4}, {6, 4, 5}};
  for (const auto& step : steps) {
    std::vector<Piece> pieces;
    for (size_t s = 0; s < 3; ++s) {
      if (step[s] == 0) continue;
      pieces.push_back({static_cast<int>(s),
                        {tokens[s].begin() + done[s], tokens[s].begin() + done[s] + step[s]}});
      done[s] += step[s];
    }
    Rows rows = together.Step(pieces);
    size_t next = 0;
    for (const Piece& piece : pieces) {
      for (size_t i = 0; i < piece.tokens.size(); ++i) {
        found[piece.sequence].push_back(rows[next++]);
      }
    }
  }
  for (size_t s = 0; s < 3; ++s) tiny::ExpectClose(wanted[s], found[s], 1e-6);
}

TEST(Reference, MemoryPlanChangesNothing) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 4);
  const auto tokens = Tokens(60, 6);
  tiny::Runner reuse(*backend, graph, checkpoint, DType::kF32, true, true);
  tiny::Runner own(*backend, graph, checkpoint, DType::kF32, false, false);
  EXPECT_LT(reuse.executable().arena_bytes(), own.executable().arena_bytes());
  EXPECT_EQ(reuse.Step({{0, tokens}}), own.Step({{0, tokens}}));
}

// A fused record's reference calls those it fuses: not a bit changes.
TEST(Reference, FusedGraphsGiveTheSameLogits) {
  const auto backend = MakeReference();
  for (const bool bias : {false, true}) {
    const auto graph = MakeGraph({.bias = bias});
    Graph fused = *graph;
    const auto reports = RunPasses(fused, {});
    ASSERT_TRUE(reports.ok()) << reports.status().message();
    EXPECT_LT(fused.nodes.size(), graph->nodes.size());
    const tiny::Checkpoint checkpoint(*graph, 12);
    tiny::Runner plain(*backend, graph, checkpoint);
    tiny::Runner runner(*backend, std::make_shared<const Graph>(fused), checkpoint);
    for (const int64_t count : {45, 1, 20}) {
      const auto tokens = Tokens(count, 13);
      EXPECT_EQ(plain.Step({{0, tokens}}), runner.Step({{0, tokens}})) << count;
    }
  }
}

TEST(Reference, NarrowCachesLoseABit) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 7);
  const auto tokens = Tokens(50, 8);
  tiny::Runner wide(*backend, graph, checkpoint);
  const Rows wanted = wide.Step({{0, tokens}});
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    tiny::Runner narrow(*backend, graph, checkpoint, dtype);
    EXPECT_EQ(narrow.plan().weights[0].dtype, DType::kF32);
    EXPECT_EQ(narrow.caches().size_bytes() * 2, wide.caches().size_bytes());
    const Rows found = narrow.Step({{0, tokens}});
    tiny::ExpectClose(wanted, found, EpsilonOf(dtype) * 4);
    EXPECT_NE(wanted, found);
  }
}

TEST(Reference, StepsBeyondTheCapacityAreRefused) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 9);
  tiny::Runner runner(*backend, graph, checkpoint);
  const StepSizes capacity = runner.executable().capacity();
  for (int field = 0; field < 4; ++field) {
    StepSizes sizes = capacity;
    int64_t* fields[] = {&sizes.num_tokens, &sizes.num_sequences, &sizes.num_logit_rows,
                         &sizes.max_blocks};
    ++*fields[field];
    EXPECT_EQ(runner.executable().Launch(sizes).code(), StatusCode::kRunTime);
    *fields[field] = -1;
    EXPECT_EQ(runner.executable().Launch(sizes).code(), StatusCode::kRunTime);
  }
  EXPECT_EQ(runner.Step({{0, Tokens(3, 1)}}).size(), 3u);  // still fine
}

TEST(Caches, CopyBlockCopiesRowsOfTheGroupAlone) {
  const auto backend = MakeReference();
  const auto graph = MakeGraph();
  const tiny::Checkpoint checkpoint(*graph, 10);
  tiny::Runner runner(*backend, graph, checkpoint, DType::kBF16);
  for (size_t c = 0; c < graph->caches.size(); ++c) {
    const Tensor cache = runner.caches().Get(static_cast<int>(c));
    EXPECT_EQ(cache.shape, (Shape{20, 2, 32, 12}));
    for (int64_t i = 0; i < cache.shape.elements(); ++i) {
      cache.as<uint16_t>()[i] = static_cast<uint16_t>(i + 1);
    }
  }
  runner.caches().CopyBlock(1, 3, 17, 5);
  for (size_t c = 0; c < graph->caches.size(); ++c) {
    const Tensor cache = runner.caches().Get(static_cast<int>(c));
    for (int64_t i = 0; i < cache.shape.elements(); ++i) {
      const int64_t block = i / cache.strides[0];
      const int64_t row = i / 12 % 32;
      const bool copied = graph->caches[c].group == 1 && block == 17 && row < 5;
      const int64_t from = copied ? i - 14 * cache.strides[0] : i;
      ASSERT_EQ(cache.as<uint16_t>()[i], static_cast<uint16_t>(from + 1)) << c << " " << i;
    }
  }
}

}  // namespace
}  // namespace fathom
