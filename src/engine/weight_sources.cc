#include "engine/weight_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "tensor/convert.h"

namespace fathom {

namespace {

constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kEmbedding = "model.embed_tokens.weight";

Status BadTensor(const Checkpoint& checkpoint, const CheckpointTensor& tensor, std::string what,
                 std::string limit) {
  return Status::BadFile(checkpoint.FilePath(tensor), tensor.name, std::move(what),
                         std::move(limit));
}

// The number of rows that source `i` must have, or -1 where the recipe takes a part of it.
int64_t ExactRows(const WeightRecipe& recipe, size_t i) {
  if (recipe.sources.size() == 1 && recipe.source_rows.empty() && recipe.source_first_row.empty()) {
    return recipe.rows;
  }
  return -1;
}

Status CheckShape(const Checkpoint& checkpoint, const WeightRecipe& recipe, size_t i,
                  const CheckpointTensor& tensor) {
  const bool vector = recipe.role == WeightRole::kVector;
  const size_t rank = vector ? 1 : 2;
  const int64_t exact = ExactRows(recipe, i);
  const auto expected = [&] {
    const std::string rows = exact >= 0 ? fmt::format("{}", exact) : "rows";
    if (vector) return fmt::format("expected [{}]", rows);
    return recipe.transpose ? fmt::format("expected [{}, {}]", recipe.cols, rows)
                            : fmt::format("expected [{}, {}]", rows, recipe.cols);
  };
  bool fits = tensor.shape.size() == rank;
  if (fits) {
    const int64_t rows = tensor.shape[recipe.transpose && !vector ? 1 : 0];
    const int64_t first = i < recipe.source_first_row.size() ? recipe.source_first_row[i] : 0;
    const int64_t wanted = i < recipe.source_rows.size() ? recipe.source_rows[i] : rows - first;
    fits = exact >= 0 ? rows == exact
                      : first >= 0 && wanted >= 0 && first <= rows && wanted <= rows - first;
    if (!vector) fits = fits && tensor.shape[recipe.transpose ? 0 : 1] == recipe.cols;
  }
  if (!fits) {
    return BadTensor(checkpoint, tensor, fmt::format("has shape {}", tensor.ShapeToString()),
                     expected() + " by config.json");
  }
  if (!ConvertsToFloat(tensor.dtype)) {
    return BadTensor(checkpoint, tensor, fmt::format("has type {}", SafetensorsName(tensor.dtype)),
                     "which has no float form");
  }
  return Status::Ok();
}

Result<LocatedWeight> Locate(const Checkpoint& checkpoint, const WeightRecipe& recipe, bool tied) {
  LocatedWeight located;
  for (size_t i = 0; i < recipe.sources.size(); ++i) {
    const CheckpointTensor* tensor = FindSource(checkpoint, recipe.sources[i]);
    // Tying is symmetric: a file may hold the head instead of the embedding.
    if (tensor == nullptr && tied && recipe.role == WeightRole::kEmbedding) {
      tensor = FindSource(checkpoint, kHead);
    }
    if (tensor == nullptr) {
      return Status::BadFile(checkpoint.path(), recipe.sources[i], "the tensor is missing",
                             "config.json asks for it");
    }
    FATHOM_TRY(CheckShape(checkpoint, recipe, i, *tensor));
    const bool vector = recipe.role == WeightRole::kVector;
    located.tensors.push_back(tensor);
    located.sources.push_back({.dtype = tensor->dtype,
                               .data = tensor->data,
                               .rows = vector ? 1 : tensor->shape[0],
                               .cols = tensor->shape[vector ? 0 : 1]});
    located.source_bytes += tensor->size_bytes;
  }
  return located;
}

// For "model.layers.3.self_attn.q_proj.weight": the end of "model.layers." and 3; nothing where the
// name has no number between dots.
struct LayerName {
  size_t prefix_size = 0;
  int64_t layer = -1;
};

LayerName SplitLayerName(std::string_view name) {
  for (size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const char* begin = name.data() + dot + 1;
    const char* end = name.data() + name.size();
    int64_t layer = -1;
    const auto [next, error] = std::from_chars(begin, end, layer);
    if (error == std::errc() && next != end && *next == '.' && layer >= 0) return {dot + 1, layer};
  }
  return {};
}

// A tensor beside those of the layers that the config has is no leftover: the config is wrong.
Status RefuseExtraLayers(const Checkpoint& checkpoint, const ModelConfig& config,
                         const std::set<const CheckpointTensor*>& used) {
  std::set<std::string_view> prefixes;
  for (const CheckpointTensor* tensor : used) {
    const LayerName split = SplitLayerName(tensor->name);
    if (split.layer >= 0)
      prefixes.insert(std::string_view(tensor->name).substr(0, split.prefix_size));
  }
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const LayerName split = SplitLayerName(tensor.name);
    if (split.layer < config.num_hidden_layers) continue;
    if (!prefixes.contains(std::string_view(tensor.name).substr(0, split.prefix_size))) continue;
    return BadTensor(checkpoint, tensor, fmt::format("is of layer {}", split.layer),
                     fmt::format("num_hidden_layers is {}", config.num_hidden_layers));
  }
  return Status::Ok();
}

// Buffers that old versions of transformers saved, and what a tied head leaves behind.
bool IsExpectedLeftover(const CheckpointTensor& tensor, bool tied) {
  const std::string_view name = tensor.name;
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with("attn.masked_bias") ||
         name.ends_with("attn.bias") || (tied && name.ends_with(kHead));
}

void TellUnused(const Checkpoint& checkpoint, const std::set<const CheckpointTensor*>& used,
                bool tied, NoticeSink* notices) {
  if (notices == nullptr) return;
  int64_t count = 0;
  const CheckpointTensor* first = nullptr;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    if (used.contains(&tensor) || IsExpectedLeftover(tensor, tied)) continue;
    if (count++ == 0) first = &tensor;
  }
  if (count == 1) notices->Warn(fmt::format("the tensor {} is not used", first->name));
  if (count > 1) {
    notices->Warn(fmt::format("{} tensors are not used, the first is {}", count, first->name));
  }
}

}  // namespace

const CheckpointTensor* FindSource(const Checkpoint& checkpoint, std::string_view name) {
  if (const CheckpointTensor* tensor = checkpoint.Find(name)) return tensor;
  constexpr std::string_view kBase = "model.";
  std::vector<std::string> names = {fmt::format("language_model.{}", name)};
  if (name.starts_with(kBase)) {
    const std::string_view rest = name.substr(kBase.size());
    names.push_back(fmt::format("model.language_model.{}", rest));
    names.push_back(std::string(rest));
  } else {
    names.push_back(fmt::format("model.{}", name));
  }
  for (const std::string& other : names) {
    if (const CheckpointTensor* tensor = checkpoint.Find(other)) return tensor;
  }
  return nullptr;
}

bool HeadIsTied(const Checkpoint& checkpoint, const ModelConfig& config, NoticeSink* notices) {
  if (!config.tie_word_embeddings) return false;
  const CheckpointTensor* head = FindSource(checkpoint, kHead);
  const CheckpointTensor* embedding = FindSource(checkpoint, kEmbedding);
  if (head == nullptr || embedding == nullptr) return true;
  const bool same = head->dtype == embedding->dtype && head->shape == embedding->shape &&
                    std::memcmp(head->data, embedding->data, head->size_bytes) == 0;
  checkpoint.Drop(*head);
  checkpoint.Drop(*embedding);
  if (!same && notices != nullptr) {
    notices->Warn(
        "config.json ties the head to the embedding, but the checkpoint holds both with different "
        "values: they stay apart");
  }
  return same;
}

Result<std::vector<LocatedWeight>> LocateWeights(const Checkpoint& checkpoint, const Graph& graph,
                                                 const ModelConfig& config, NoticeSink* notices) {
  std::vector<LocatedWeight> located;
  std::set<const CheckpointTensor*> used;
  for (const WeightRecipe& recipe : graph.weights) {
    FATHOM_ASSIGN(LocatedWeight weight, Locate(checkpoint, recipe, config.tie_word_embeddings));
    used.insert(weight.tensors.begin(), weight.tensors.end());
    located.push_back(std::move(weight));
  }
  FATHOM_TRY(RefuseExtraLayers(checkpoint, config, used));
  TellUnused(checkpoint, used, config.tie_word_embeddings, notices);
  return located;
}

}  // namespace fathom
