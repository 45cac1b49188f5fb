// What LlamaConfig and Qwen2Config of transformers 5.23 have for missing keys.
#pragma once

#include "checkpoint/model_config.h"

namespace fathom {

inline constexpr ConfigDefaults kLlama = {
    .vocab_size = 32000,
    .hidden_size = 4096,
    .intermediate_size = 11008,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .max_position_embeddings = 2048,
    .rms_norm_eps = 1e-6,
    .bos_token_id = 1,
    .eos_token_id = 2,
    .hidden_size_by_heads = true,
};

inline constexpr ConfigDefaults kQwen2 = {
    .vocab_size = 151936,
    .hidden_size = 4096,
    .intermediate_size = 22016,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .num_key_value_heads = 32,
    .max_position_embeddings = 32768,
    .rms_norm_eps = 1e-6,
    .sliding_window = 4096,
    .max_window_layers = 28,
    .has_layer_types = true,
};

}  // namespace fathom
