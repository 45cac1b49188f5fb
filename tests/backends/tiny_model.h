// A two-layer decoder with random weights and a driver of ragged steps, for tests of backends.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backends/backend.h"
#include "graph/builder.h"
#include "graph/plan.h"
#include "ops/op.h"
#include "tensor/convert.h"

namespace fathom::tiny {

struct Options {
  int64_t vocab_size = 67;
  int64_t hidden_size = 48;
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t head_dim = 12;
  int64_t intermediate_size = 80;
  std::vector<int64_t> windows = {0, 40};  // one a layer
  bool bias = true;
  bool tied = false;
};

inline Result<Graph> Build(const Options& o) {
  GraphBuilder b;
  std::vector<float> inv_freq;
  for (int64_t i = 0; i < o.head_dim; i += 2) {
    inv_freq.push_back(std::pow(10000.0f, -static_cast<float>(i) / o.head_dim));
  }
  const ValueId table = b.Weight({.name = "embed",
                                  .role = WeightRole::kEmbedding,
                                  .sources = {"embed"},
                                  .rows = o.vocab_size,
                                  .cols = o.hidden_size});
  ValueId x = b.Add1("embedding", "embed", {b.Input("token_ids"), table});
  const ValueId rope =
      b.Add1("rotary_table", "rope", {b.Input("positions"), b.Input("rope_lengths")},
             {{"inv_freq", inv_freq}, {"attention_scaling", 1.0}});
  const auto linear = [&](const std::string& name, ValueId in, int64_t out, int64_t from,
                          bool bias) {
    return b.Add1("linear", name,
                  {in, b.Matrix(name + ".w", name + ".w", out, from),
                   bias ? b.Vector(name + ".b", name + ".b", out) : kAbsent});
  };
  const auto norm = [&](const std::string& name, ValueId in) {
    return b.Add1("rms_norm", name, {in, b.Vector(name, name, o.hidden_size)}, {{"eps", 1e-6}});
  };
  for (size_t layer = 0; layer < o.windows.size(); ++layer) {
    b.SetScope(static_cast<int32_t>(layer), "layers." + std::to_string(layer) + ".");
    const std::string at = "layers." + std::to_string(layer) + ".";
    ValueId h = norm(at + "norm", x);
    ValueId q = linear(at + "q", h, o.heads * o.head_dim, o.hidden_size, o.bias);
    ValueId k = linear(at + "k", h, o.kv_heads * o.head_dim, o.hidden_size, o.bias);
    const ValueId v = linear(at + "v", h, o.kv_heads * o.head_dim, o.hidden_size, o.bias);
    q = b.Add1("rotary", "q_rotary", {q, rope}, {{"head_dim", o.head_dim}});
    k = b.Add1("rotary", "k_rotary", {k, rope}, {{"head_dim", o.head_dim}});
    const int64_t window = o.windows[layer];
    const int group = b.Group(window);
    const ValueId key = b.Cache("key", group, o.kv_heads, o.head_dim);
    const ValueId value = b.Cache("value", group, o.kv_heads, o.head_dim);
    b.Add("cache_write", "write", {k, v, b.Input(step_input::Slots(group)), key, value});
    h = b.Add1("attention", "attention",
               {q, key, value, b.Input(step_input::BlockTable(group)), b.Input("sequence_start"),
                b.Input("cache_offset")},
               {{"num_heads", o.heads},
                {"scale", 1 / std::sqrt(static_cast<double>(o.head_dim))},
                {"window", window}});
    h = linear(at + "o", h, o.hidden_size, o.heads * o.head_dim, false);
    x = b.Add1("add", "residual", {x, h});
    h = norm(at + "mlp_norm", x);
    const ValueId gate = linear(at + "gate", h, o.intermediate_size, o.hidden_size, false);
    const ValueId up = linear(at + "up", h, o.intermediate_size, o.hidden_size, false);
    h = b.Add1("gated_activation", "act", {gate, up}, {{"activation", std::string("silu")}});
    h = linear(at + "down", h, o.hidden_size, o.intermediate_size, false);
    x = b.Add1("add", "mlp_residual", {x, h});
  }
  b.SetScope(-1, "");
  x = b.Add1("gather_rows", "rows", {x, b.Input("logit_rows")});
  x = norm("final_norm", x);
  const ValueId head = o.tied ? table : b.Matrix("head.w", "head.w", o.vocab_size, o.hidden_size);
  return b.Finish(b.Add1("linear", "head", {x, head, kAbsent}),
                  static_cast<int64_t>(o.windows.size()), o.vocab_size);
}

// The bytes of a checkpoint: random float32 numbers, those of `seed`.
class Checkpoint {
 public:
  Checkpoint(const Graph& graph, uint32_t seed) {
    std::mt19937 random(seed);
    for (const WeightRecipe& recipe : graph.weights) {
      const bool vector = recipe.role == WeightRole::kVector;
      const int64_t cols = vector ? 1 : recipe.cols;
      std::vector<float> values(recipe.rows * cols);
      const float scale = vector ? 0.3f : 1.7f / std::sqrt(static_cast<float>(cols));
      for (float& value : values) {
        value = scale * (static_cast<float>(random() >> 8) * 0x1p-23f - 1);
        if (vector) value += 0.8f;
      }
      values_.push_back(std::move(values));
      sources_.push_back(
          {.dtype = DType::kF32, .data = values_.back().data(), .rows = recipe.rows, .cols = cols});
    }
  }
  const WeightSource& source(size_t i) const { return sources_[i]; }

 private:
  std::vector<std::vector<float>> values_;
  std::vector<WeightSource> sources_;
};

struct Piece {
  int sequence = 0;
  std::vector<int32_t> tokens;
};

// One backend, weights, caches and executable, and the sequences' blocks.
class Runner {
 public:
  Runner(Backend& backend, std::shared_ptr<const Graph> graph, const Checkpoint& checkpoint,
         DType dtype = DType::kF32, bool compiled = true, bool reuse = true)
      : graph_(std::move(graph)), blocks_(graph_->groups.size()) {
    plan_.graph = graph_;
    plan_.capacity = {.num_tokens = 80, .num_sequences = 4, .num_logit_rows = 80, .max_blocks = 6};
    plan_.cache_dtype = dtype;
    plan_.num_blocks = 20;
    plan_.compiled = compiled;
    plan_.memory = PlanMemory(*graph_, plan_.capacity, reuse);
    std::shared_ptr<WeightStore> weights =
        backend.CreateWeights(static_cast<int>(graph_->weights.size()));
    for (size_t i = 0; i < graph_->weights.size(); ++i) {
      const WeightRecipe& recipe = graph_->weights[i];
      plan_.weights.push_back(backend.ChooseWeight(recipe, dtype, compiled));
      const Status status = backend.Upload(*weights, static_cast<int>(i), recipe, plan_.weights[i],
                                           {&checkpoint.source(i), 1}, true);
      EXPECT_TRUE(status.ok()) << status.message();
    }
    auto caches = backend.CreateCaches(plan_);
    EXPECT_TRUE(caches.ok());
    caches_ = *std::move(caches);
    auto executable = backend.Compile(plan_, weights, caches_);
    EXPECT_TRUE(executable.ok()) << executable.status().message();
    if (executable.ok()) executable_ = *std::move(executable);
  }

  // Logits of every token of the step, row by row.
  std::vector<std::vector<float>> Step(const std::vector<Piece>& pieces) {
    StepSizes sizes{.num_sequences = static_cast<int64_t>(pieces.size())};
    for (const Piece& piece : pieces) {
      sizes.num_tokens += static_cast<int64_t>(piece.tokens.size());
      const int64_t length = lengths_[piece.sequence] + static_cast<int64_t>(piece.tokens.size());
      sizes.max_blocks =
          std::max(sizes.max_blocks, (length + kCacheBlockSize - 1) / kCacheBlockSize);
    }
    sizes.num_logit_rows = sizes.num_tokens;
    Fill(pieces, sizes);
    Status status = executable_->Launch(sizes);
    EXPECT_TRUE(status.ok()) << status.message();
    status = executable_->Wait();
    EXPECT_TRUE(status.ok()) << status.message();
    const Tensor logits = executable_->Logits();
    EXPECT_EQ(logits.shape, (Shape{sizes.num_logit_rows, graph_->vocab_size}));
    std::vector<std::vector<float>> rows;
    for (int64_t r = 0; r < logits.shape[0]; ++r) {
      rows.emplace_back(logits.row<float>(r), logits.row<float>(r) + logits.shape[1]);
    }
    return rows;
  }

  Executable& executable() { return *executable_; }
  CacheStore& caches() { return *caches_; }
  const Plan& plan() const { return plan_; }

 private:
  // The physical block of logical block `b`, made at first use, from both ends in turn.
  int32_t BlockOf(size_t group, int sequence, int64_t b) {
    auto& blocks = blocks_[group][sequence];
    while (static_cast<int64_t>(blocks.size()) <= b) {
      blocks.push_back(used_ % 2 == 0 ? used_ / 2 : static_cast<int32_t>(19 - used_ / 2));
      ++used_;
      if (used_ == 20) used_ = 0;  // groups have caches of their own: numbers may come again
    }
    return blocks[b];
  }

  void Fill(const std::vector<Piece>& pieces, const StepSizes& sizes) {
    const auto input = [&](std::string_view name) { return executable_->Input(name); };
    int64_t t = 0;
    input("sequence_start")[0] = 0;
    for (size_t s = 0; s < pieces.size(); ++s) {
      const Piece& piece = pieces[s];
      const int64_t offset = lengths_[piece.sequence];
      const int64_t length = offset + static_cast<int64_t>(piece.tokens.size());
      for (size_t g = 0; g < graph_->groups.size(); ++g) {
        const auto table = input(step_input::BlockTable(static_cast<int>(g)));
        const int64_t window = graph_->groups[g].window;
        for (int64_t b = 0; b < sizes.max_blocks; ++b) {
          const bool used = b * kCacheBlockSize < length;
          const bool freed = window > 0 && (b + 1) * kCacheBlockSize <= offset - window + 1;
          table[s * sizes.max_blocks + b] = used && !freed ? BlockOf(g, piece.sequence, b) : -1;
        }
      }
      for (size_t i = 0; i < piece.tokens.size(); ++i, ++t) {
        const auto position = static_cast<int32_t>(offset + static_cast<int64_t>(i));
        input("token_ids")[t] = piece.tokens[i];
        input("positions")[t] = position;
        input("rope_lengths")[t] = static_cast<int32_t>(length);
        input("logit_rows")[t] = static_cast<int32_t>(t);
        for (size_t g = 0; g < graph_->groups.size(); ++g) {
          input(step_input::Slots(static_cast<int>(g)))[t] = static_cast<int32_t>(
              BlockOf(g, piece.sequence, position / kCacheBlockSize) * kCacheBlockSize +
              position % kCacheBlockSize);
        }
      }
      input("sequence_start")[s + 1] = static_cast<int32_t>(t);
      input("cache_offset")[s] = static_cast<int32_t>(offset);
      lengths_[piece.sequence] = length;
    }
  }

  std::shared_ptr<const Graph> graph_;
  Plan plan_;
  std::shared_ptr<CacheStore> caches_;
  std::unique_ptr<Executable> executable_;
  std::map<int, int64_t> lengths_;
  std::vector<std::map<int, std::vector<int32_t>>> blocks_;  // per group, per sequence
  int32_t used_ = 0;
};

inline std::vector<int32_t> Tokens(int64_t count, uint32_t seed, int64_t vocab_size = 67) {
  std::mt19937 random(seed);
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % vocab_size);
  return tokens;
}

// |a - b| <= tolerance * max |a|, over all rows.
inline void ExpectClose(const std::vector<std::vector<float>>& a,
                        const std::vector<std::vector<float>>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  double largest = 0, worst = 0;
  for (size_t r = 0; r < a.size(); ++r) {
    for (size_t i = 0; i < a[r].size(); ++i) {
      ASSERT_TRUE(std::isfinite(a[r][i]) && std::isfinite(b[r][i])) << r << " " << i;
      largest = std::max(largest, std::abs(double{a[r][i]}));
      worst = std::max(worst, std::abs(double{a[r][i]} - b[r][i]));
    }
  }
  EXPECT_GT(largest, 0.1);
  EXPECT_LE(worst, tolerance * largest);
}

}  // namespace fathom::tiny
