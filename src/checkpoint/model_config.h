// ModelConfig: config.json of a Hugging Face model as typed fields under their names there.
//
// Two steps, so that an architecture's own file adds what it alone has:
//   ConfigFile::Open(path)              reads the JSON, finds model_type and the text part
//   ParseModelConfig(file, defaults)    the fields that decoders share; `defaults` are those of the
//                                       architecture's configuration class in transformers
// Sizes are bounded, so that products of three of them fit in 64 bits. Files of transformers 4
// (torch_dtype, rope_theta, rope_scaling) and 5 (dtype, rope_parameters) are both read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/rope_parameters.h"
#include "fathom/status.h"
#include "tensor/dtype.h"

namespace fathom {

inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;

// Limits of the hyperparameters; published models stay far below.
inline constexpr int64_t kMaxVocabSize = int64_t{1} << 24;
inline constexpr int64_t kMaxHiddenSize = int64_t{1} << 20;
inline constexpr int64_t kMaxIntermediateSize = int64_t{1} << 22;
inline constexpr int64_t kMaxLayers = 10'000;
inline constexpr int64_t kMaxHeads = int64_t{1} << 14;
inline constexpr int64_t kMaxHeadDim = int64_t{1} << 14;
inline constexpr int64_t kMaxPositions = int64_t{1} << 30;

struct ConfigFile {
  std::string path;
  // The whole file. Shared, never null: a file of many values takes much more memory than its
  // bytes.
  std::shared_ptr<const JsonValue> raw;
  // What runs: the same, or, of a composite (image and text ...) model, its text_config with what
  // only the outer level has (dtype, special ids, tying).
  std::shared_ptr<const JsonValue> text;
  std::string model_type;  // of `text`: picks the architecture
  std::vector<std::string> architectures;
  bool composite = false;  // tensors may stand under "model.language_model." or "language_model."
  std::vector<std::string> notices;  // for the user: what was ignored or assumed

  // `path`: a model folder, or config.json itself. kBadFile where it is missing, beyond
  // kMaxConfigBytes, no strict JSON (NaN and Infinity are none), or names no model_type.
  static Result<ConfigFile> Open(const std::string& path);
  // From the text of a config.json; `path` is for messages.
  static Result<ConfigFile> Parse(std::string_view json, std::string path);
};

// What an architecture's configuration class in transformers has for the keys that a file lacks.
struct ConfigDefaults {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  std::optional<int64_t> num_key_value_heads;  // nullopt: num_attention_heads
  std::optional<int64_t> head_dim;             // nullopt: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  std::string_view hidden_act = "silu";
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  double rope_theta = 10000.0;  // default_theta of the class
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> eos_token_id;
  std::optional<int64_t> pad_token_id;
  std::optional<int64_t> sliding_window;
  // Qwen2's rule, for a file without layer_types: with use_sliding_window, the layers from
  // max_window_layers on slide, the others see all.
  bool use_sliding_window = false;
  int64_t max_window_layers = 0;
  // Whether the model looks at layer_types and windows at all (llama does not).
  bool has_layer_types = false;
  // Whether hidden_size must be a multiple of the heads even where head_dim is given (llama).
  bool hidden_size_by_heads = false;
};

struct ModelConfig {
  std::string file;  // config.json, for messages
  std::string model_type;
  std::vector<std::string> architectures;

  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;  // divides num_attention_heads
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  std::string hidden_act;
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;

  std::optional<int64_t> sliding_window;  // keys that a sliding layer sees, itself included
  bool use_sliding_window = false;
  int64_t max_window_layers = 0;
  std::vector<std::string>
      layer_types;  // [num_hidden_layers] "full_attention", "sliding_attention"

  // Ids below vocab_size; others in the file are dropped with a notice.
  std::vector<int64_t> bos_token_id;
  std::vector<int64_t> eos_token_id;
  std::optional<int64_t> pad_token_id;

  std::optional<DType> dtype;              // dtype, or torch_dtype
  std::vector<NamedRope> rope_parameters;  // never empty after parsing, one or one a layer type
  std::string quantization_method;         // quantization_config.quant_method; empty: none

  std::vector<std::string> notices;
  std::shared_ptr<const JsonValue> raw;   // the whole file, for `inspect model`
  std::shared_ptr<const JsonValue> text;  // what was parsed, for fields that one architecture has

  // The rope of a layer; null where its layer type has none.
  const RopeParameters* RopeOf(int64_t layer) const;
  bool Slides(int64_t layer) const { return layer_types[layer] == "sliding_attention"; }
};

// Reads and checks the shared fields. kBadFile with file, field, value and limit.
Result<ModelConfig> ParseModelConfig(const ConfigFile& file, const ConfigDefaults& defaults);

}  // namespace fathom
