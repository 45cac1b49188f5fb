// ModelFacts: what a row asks about a model; from config.json and the headers of the checkpoint
// alone, so that a model can be explained without being loaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "graph/graph.h"

namespace fathom {

struct ModelFacts {
  std::string path;
  std::string architecture;      // model_type
  std::string checkpoint_dtype;  // "bfloat16": what --dtype auto gives
  int64_t parameters = 0;        // a tied head counted once
  int64_t weights_bytes = 0;     // of the checkpoint's tensors
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t hidden_size = 0;
  int64_t vocab_size = 0;
  int64_t context_length = 0;         // max_position_embeddings, or --context-length
  int64_t cache_bytes_per_token = 0;  // in checkpoint_dtype
  int64_t num_operations = 0;         // nodes of the eager graph
  int64_t num_fused_operations = 0;   // nodes of the compiled one
  // Activations of a step of step_tokens tokens: all of them, and with their memory reused.
  int64_t step_tokens = 0;
  int64_t activation_bytes = 0;
  int64_t reused_activation_bytes = 0;
  int64_t linear_parameters = 0;     // multiplied by for every token: no embedding, no head
  std::vector<int64_t> layer_bytes;  // per decoder layer in checkpoint_dtype, for device_map
  int64_t embedding_bytes = 0;
  int64_t head_bytes = 0;  // 0: tied
  bool has_tokenizer_json = false;
};

// The type that `auto` means, in transformers' order: config.dtype, else the first floating tensor
// of the checkpoint (modeling_utils.py, _get_dtype). kBadFile where none floats.
Result<DType> CheckpointDType(const ModelConfig& config, const Checkpoint& checkpoint);

// Of a model folder; fails as loading would: kBadFile.
Result<ModelFacts> FactsOf(const std::string& folder, const EngineOptions& options);

// The same from what is read already. `graph` as the architecture built it; `checkpoint` null: a
// shape with random weights, of config.dtype (float32 where it has none).
Result<ModelFacts> FactsOfGraph(const ModelConfig& config, const Graph& graph,
                                const Checkpoint* checkpoint, const EngineOptions& options);

}  // namespace fathom
