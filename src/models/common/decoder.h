// The decoder that llama made common: pre-norm blocks of rotary grouped-query attention and a gated
// feed-forward layer. Architectures that differ in biases and windows say so in DecoderOptions.
#pragma once

#include <functional>

#include "checkpoint/model_config.h"
#include "graph/builder.h"

namespace fathom {

struct DecoderOptions {
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  // Each head of q and k goes through an rms_norm of its own before the rotation: weights
  // `q_norm`, `k_norm` [head_dim] (Qwen3Attention).
  bool qk_norm = false;
  // Keys that a query of the layer sees, itself included; 0: all.
  std::function<int64_t(int64_t layer)> window;
};

// Weights under `model.` as transformers' LlamaForCausalLM names them, the head under `lm_head.`.
Result<Graph> BuildDecoder(const ModelConfig& config, const Parallel& parallel,
                           const DecoderOptions& options);

}  // namespace fathom
