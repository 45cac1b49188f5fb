// output_hidden_states: False is the optimization, True asks for what costs memory.
#include "audit/rules/row.h"

namespace fathom {
namespace {

Effect Asked(const ScriptValue& value) { return Inverted(BoolEffect(value)); }

bool IsConfig(const std::vector<std::string>& paths, std::string_view text) {
  return HasWord(text, "config") || (!paths.empty() && HasWord(paths[0], "onfig"));
}

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.own) continue;
    finder.AddArgument(call, "output_hidden_states", -1, Asked, sites);
    for (const std::string_view outer : {"model_kwargs", "generate_kwargs"}) {
      finder.AddNested(call, outer, "output_hidden_states", Asked, sites);
    }
  }
  finder.AddWrites("output_hidden_states", IsConfig, Asked, sites);
}

}  // namespace

const Row& row_07_output_hidden_states() {
  static const Row row = {7, "output_hidden_states", "output_hidden_states", "FTH007", "", Find};
  return row;
}

}  // namespace fathom
