#include "optimizations/model_facts.h"

#include <charconv>
#include <filesystem>

#include "graph/passes/passes.h"
#include "graph/plan.h"
#include "models/architecture.h"

namespace fathom {

namespace {

bool IsFloating(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return true;
    default:
      return false;
  }
}

int64_t ElementsOf(const WeightRecipe& recipe) {
  return recipe.role == WeightRole::kVector ? recipe.rows : recipe.rows * recipe.cols;
}

// The layer that "layers.3.mlp.up_proj.weight" belongs to; -1: none.
int64_t LayerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "layers.";
  const size_t at = name.find(kPrefix);
  if (at == std::string_view::npos || (at > 0 && name[at - 1] != '.')) return -1;
  int64_t layer = -1;
  const char* first = name.data() + at + kPrefix.size();
  const auto [end, error] = std::from_chars(first, name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

void CountWeights(const Graph& graph, int64_t element_bytes, ModelFacts& facts) {
  facts.layer_bytes.assign(static_cast<size_t>(facts.num_hidden_layers), 0);
  for (const WeightRecipe& recipe : graph.weights) {
    const int64_t elements = ElementsOf(recipe);
    facts.parameters += elements;
    const int64_t layer = LayerOf(recipe.name);
    if (layer >= 0 && layer < facts.num_hidden_layers) {
      facts.layer_bytes[static_cast<size_t>(layer)] += elements * element_bytes;
      if (recipe.role == WeightRole::kMatrix) facts.linear_parameters += elements;
    } else if (recipe.role == WeightRole::kEmbedding) {
      facts.embedding_bytes += elements * element_bytes;
    } else if (recipe.role == WeightRole::kMatrix) {
      facts.head_bytes += elements * element_bytes;
    }
  }
}

}  // namespace

Result<DType> CheckpointDType(const ModelConfig& config, const Checkpoint& checkpoint) {
  if (config.dtype.has_value() && IsFloating(*config.dtype)) return *config.dtype;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    if (IsFloating(tensor.dtype)) return tensor.dtype;
  }
  return Status::BadFile(checkpoint.path(), "dtype",
                         "no tensor has a floating point type that runs",
                         "float32, bfloat16, float16");
}

Result<ModelFacts> FactsOfGraph(const ModelConfig& config, const Graph& graph,
                                const Checkpoint* checkpoint, const EngineOptions& options) {
  DType dtype = config.dtype.value_or(DType::kF32);
  if (checkpoint != nullptr) {
    FATHOM_ASSIGN(dtype, CheckpointDType(config, *checkpoint));
  }
  ModelFacts facts;
  facts.architecture = config.model_type;
  facts.checkpoint_dtype = TorchName(dtype);
  facts.num_hidden_layers = config.num_hidden_layers;
  facts.num_attention_heads = config.num_attention_heads;
  facts.num_key_value_heads = config.num_key_value_heads;
  facts.head_dim = config.head_dim;
  facts.hidden_size = config.hidden_size;
  facts.vocab_size = graph.vocab_size;
  facts.context_length =
      options.context_length > 0 ? options.context_length : config.max_position_embeddings;
  CountWeights(graph, BytesOf(dtype), facts);
  facts.weights_bytes = checkpoint != nullptr ? static_cast<int64_t>(checkpoint->total_bytes())
                                              : facts.parameters * BytesOf(dtype);
  for (const CacheSpec& cache : graph.caches) {
    facts.cache_bytes_per_token += cache.num_heads * cache.head_dim * BytesOf(dtype);
  }
  facts.num_operations = static_cast<int64_t>(graph.nodes.size());
  facts.step_tokens = std::min(options.chunk_tokens, facts.context_length);
  Graph fused = graph;
  FATHOM_TRY(RunPasses(fused, {}).status());
  facts.num_fused_operations = static_cast<int64_t>(fused.nodes.size());
  const StepSizes step = {facts.step_tokens, 1, 1, 1};
  facts.activation_bytes = PlanMemory(fused, step, false).arena_bytes;
  facts.reused_activation_bytes = PlanMemory(fused, step, true).arena_bytes;
  return facts;
}

Result<ModelFacts> FactsOf(const std::string& folder, const EngineOptions& options) {
  FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Open(folder));
  FATHOM_ASSIGN(const Architecture* architecture, FindArchitecture(file));
  FATHOM_ASSIGN(const ModelConfig config, architecture->parse_config(file));
  FATHOM_ASSIGN(const Checkpoint checkpoint, Checkpoint::Open(folder));
  FATHOM_ASSIGN(const Graph graph, architecture->build_graph(config, Parallel{}));
  FATHOM_ASSIGN(ModelFacts facts, FactsOfGraph(config, graph, &checkpoint, options));
  facts.path = folder;
  std::error_code error;
  facts.has_tokenizer_json =
      std::filesystem::exists(std::filesystem::path(folder) / "tokenizer.json", error);
  return facts;
}

}  // namespace fathom
