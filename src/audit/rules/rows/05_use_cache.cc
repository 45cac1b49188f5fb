// use_cache given to generate, to a forward pass, to a generation config.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

bool IsModelConfig(const std::vector<std::string>& paths, std::string_view text) {
  if (IsGenerationConfig(paths, text)) return false;
  return text.ends_with("model.config") || text.ends_with("llm.config") || text == "config" ||
         std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
           return path.ends_with("from_pretrained().config") ||
                  HasWord(path, "Config.from_pretrained()");
         });
}

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    switch (call.target) {
      case Target::kGenerate:
      case Target::kForward:
      case Target::kGenerationConfig:
      case Target::kPipeline:
        finder.AddArgument(call, "use_cache", -1, BoolEffect, sites);
        finder.AddNested(call, "generate_kwargs", "use_cache", BoolEffect, sites);
        finder.AddNested(call, "model_kwargs", "use_cache", BoolEffect, sites, "config");
        break;
      case Target::kModelLoad:
      case Target::kConfigLoad:
        finder.AddArgument(call, "use_cache", -1, BoolEffect, sites, "config");
        break;
      default:
        break;
    }
    if (call.paths.empty() || call.own || LastComponent(call.paths[0]) != "update") continue;
    if (IsGenerationConfig(call.paths, "")) {
      finder.AddArgument(call, "use_cache", -1, BoolEffect, sites);
    }
  }
  finder.AddWrites("use_cache", IsGenerationConfig, BoolEffect, sites);
  finder.AddWrites("use_cache", IsModelConfig, BoolEffect, sites, "config");
}

}  // namespace

const Row& row_05_use_cache() {
  static const Row row = {5, "use_cache", "use_cache", "FTH005", "", Find};
  return row;
}

}  // namespace fathom
