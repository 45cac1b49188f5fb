// Qwen 2 and 2.5: biases on q, k, v alone; a sliding window on the upper layers where the file
// asks. Mirrors transformers' models/qwen2: configuration_qwen2.py, modeling_qwen2.py.
#include "models/architecture.h"
#include "models/common/decoder.h"

namespace fathom {
namespace {

Result<ModelConfig> ParseConfig(const ConfigFile& file) {
  return ParseModelConfig(file, {.vocab_size = 151936,
                                 .hidden_size = 4096,
                                 .intermediate_size = 22016,
                                 .num_hidden_layers = 32,
                                 .num_attention_heads = 32,
                                 .num_key_value_heads = 32,
                                 .max_position_embeddings = 32768,
                                 .sliding_window = 4096,
                                 .max_window_layers = 28,
                                 .has_layer_types = true});
}

Result<Graph> BuildGraph(const ModelConfig& config, const Parallel& parallel) {
  const auto window = [&config](int64_t layer) -> int64_t {
    return config.Slides(layer) ? config.sliding_window.value_or(0) : 0;
  };
  return BuildDecoder(config, parallel, {.qkv_bias = true, .window = window});
}

}  // namespace

const Architecture& architecture_qwen2() {
  static const Architecture architecture = {"qwen2", "qwen2", ParseConfig, BuildGraph};
  return architecture;
}

}  // namespace fathom
