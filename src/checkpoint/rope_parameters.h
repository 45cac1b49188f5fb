// Rotary position embeddings as config.json describes them, v4 and v5 alike.
//
//   v4: "rope_theta": 10000.0, "rope_scaling": {"type" or "rope_type": "linear", "factor": 2.0}
//   v5: "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}, or an
//       object of such a layer type: {"full_attention": {...}, "sliding_attention": {...}}
//
// Mirrors transformers' modeling_rope_utils.py, RotaryEmbeddingConfigMixin
// (convert_rope_params_to_dict, standardize_rope_params, validate_rope), as a model sees the result
// once it was built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/config_reader.h"

namespace fathom {

enum class RopeType : uint8_t {
  kDefault,
  kLinear,
  kDynamic,  // NTK, with the length seen so far
  kYarn,
  kLongrope,
  kLlama3,
  kProportional,
};
// "default", "linear" ...: the spelling in config.json.
std::string_view RopeTypeName(RopeType type);

// Only the fields that the type uses are filled; the others keep what stands here.
struct RopeParameters {
  RopeType rope_type = RopeType::kDefault;
  double rope_theta = 10000.0;         // > 0
  double partial_rotary_factor = 1.0;  // 0 to 1: the part of head_dim that turns
  // linear, dynamic, llama3: always there. yarn, longrope: nullopt means max_position_embeddings /
  // original_max_position_embeddings. proportional: 1 where the file has none.
  std::optional<double> factor;
  // yarn, longrope, llama3: positions of the pretraining; never 0 there.
  int64_t original_max_position_embeddings = 0;
  std::optional<double> attention_factor;  // yarn, longrope; nullopt: computed
  double beta_fast = 32;                   // yarn
  double beta_slow = 1;                    // yarn
  std::optional<double> mscale;            // yarn; never 0
  std::optional<double> mscale_all_dim;    // yarn; never 0
  bool truncate = true;                    // yarn
  std::vector<double> short_factor;        // longrope [rotary_dim / 2]
  std::vector<double> long_factor;         // longrope [rotary_dim / 2]
  double low_freq_factor = 0;              // llama3
  double high_freq_factor = 0;             // llama3, > low_freq_factor

  // Dimensions of a head that turn: int(head_dim * partial_rotary_factor), as transformers counts.
  int64_t RotaryDim(int64_t head_dim) const;
};

// What the rope of a model depends on besides its own object.
struct RopeContext {
  double default_theta = 10000.0;  // of the architecture
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  // That may have an object of their own; empty: the file's object is never nested.
  std::vector<std::string> layer_types;
};

struct NamedRope {
  std::string layer_type;  // empty: of every layer
  RopeParameters parameters;
};

// Reads rope_parameters, rope_scaling, rope_theta, partial_rotary_factor and
// original_max_position_embeddings of a config: one entry, or one for each layer type that the
// file nests. Refusals go to `config`.
std::vector<NamedRope> ReadRopeParameters(ConfigReader& config, const RopeContext& context);

}  // namespace fathom
