// Llama 1 to 3.x and everything published under its name (SmolLM2, TinyLlama, Yi ...).
// Mirrors transformers' models/llama: configuration_llama.py, modeling_llama.py.
#include "models/architecture.h"
#include "models/common/decoder.h"

namespace fathom {
namespace {

Result<ModelConfig> ParseConfig(const ConfigFile& file) {
  return ParseModelConfig(file, {.vocab_size = 32000,
                                 .hidden_size = 4096,
                                 .intermediate_size = 11008,
                                 .num_hidden_layers = 32,
                                 .num_attention_heads = 32,
                                 .max_position_embeddings = 2048,
                                 .bos_token_id = 1,
                                 .eos_token_id = 2,
                                 .hidden_size_by_heads = true});
}

Result<Graph> BuildGraph(const ModelConfig& config, const Parallel& parallel) {
  return BuildDecoder(config, parallel,
                      {.qkv_bias = config.attention_bias,
                       .o_bias = config.attention_bias,
                       .mlp_bias = config.mlp_bias});
}

}  // namespace

const Architecture& architecture_llama() {
  static const Architecture architecture = {"llama", "llama", ParseConfig, BuildGraph};
  return architecture;
}

}  // namespace fathom
