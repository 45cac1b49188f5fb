// Any text as config.json and as generation_config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "checkpoint/generation_config.h"
#include "checkpoint/model_config.h"
#include "tests/checkpoint/defaults.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto file = ConfigFile::Parse(text, "config.json");
  if (file.ok()) {
    for (const ConfigDefaults& defaults : {kLlama, kQwen2}) {
      auto config = ParseModelConfig(*file, defaults);
      if (!config.ok()) {
        FATHOM_CHECK(config.status().code() == StatusCode::kBadFile);
        continue;
      }
      // What later code divides by and indexes with.
      FATHOM_CHECK(config->num_attention_heads % config->num_key_value_heads == 0);
      FATHOM_CHECK(static_cast<int64_t>(config->layer_types.size()) == config->num_hidden_layers);
      for (int64_t layer = 0; layer < config->num_hidden_layers; ++layer) {
        const RopeParameters* rope = config->RopeOf(layer);
        FATHOM_CHECK(rope == nullptr || rope->rope_theta > 0);
      }
    }
  }
  auto json = ParseJson(text, "generation_config.json");
  if (!json.ok()) return 0;
  auto generation = GenerationConfig::FromJson(*json, "generation_config.json");
  if (generation.ok()) (void)generation->WithDefaults().Validate();
  return 0;
}
