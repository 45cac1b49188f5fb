#include "measure/shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <vector>

namespace fathom {
namespace {

// The hyperparameters of the published config.json files.
constexpr std::array kShapes = {
    NamedShape{"smollm2-135m", R"({
      "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
      "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
      "vocab_size": 49152, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05,
      "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16"})"},
    NamedShape{"qwen2.5-0.5b", R"({
      "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
      "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
      "vocab_size": 151936, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
      "rope_theta": 1000000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16"})"},
    NamedShape{"llama-3.2-1b", R"({
      "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192,
      "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
      "head_dim": 64, "vocab_size": 128256, "max_position_embeddings": 131072,
      "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": true,
      "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
                       "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
      "torch_dtype": "bfloat16"})"},
    NamedShape{"llama-3.1-8b", R"({
      "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
      "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
      "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05,
      "rope_theta": 500000.0, "tie_word_embeddings": false,
      "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                       "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
      "torch_dtype": "bfloat16"})"},
};

}  // namespace

std::span<const NamedShape> AllShapes() { return kShapes; }

Result<const NamedShape*> FindShape(std::string_view name) {
  std::vector<std::string_view> names;
  for (const NamedShape& shape : kShapes) {
    if (shape.name == name) return &shape;
    names.push_back(shape.name);
  }
  return Status::Usage("--shape", fmt::format("\"{}\" is no shape known here", name),
                       fmt::format("take one of {}", fmt::join(names, ", ")));
}

}  // namespace fathom
