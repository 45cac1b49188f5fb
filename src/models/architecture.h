// Architecture: one file of src/models an architecture: which config.json it takes, where its
// weights lie in the checkpoint, and its forward pass.
#pragma once

#include <span>
#include <string_view>

#include "checkpoint/model_config.h"
#include "fathom/status.h"
#include "graph/builder.h"

namespace fathom {

struct Architecture {
  std::string_view hf_name;    // model_type in config.json: "llama"
  std::string_view gguf_name;  // general.architecture in a GGUF file
  // The fields of config.json with this architecture's defaults (those of its configuration class
  // in transformers). kBadFile with field, value and limit.
  Result<ModelConfig> (*parse_config)(const ConfigFile& file);
  // The forward pass with its weight recipes.
  Result<Graph> (*build_graph)(const ModelConfig& config, const Parallel& parallel);
};

std::span<const Architecture* const> AllArchitectures();
// By model_type; unknown: kBadFile naming it and those there are.
Result<const Architecture*> FindArchitecture(const ConfigFile& file);

}  // namespace fathom
