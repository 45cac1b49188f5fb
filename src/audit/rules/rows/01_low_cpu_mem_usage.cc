// low_cpu_mem_usage=True given to whatever loads a model.
#include "audit/rules/row.h"

namespace fathom {
namespace {

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.own) continue;
    if (call.target == Target::kModelLoad || call.target == Target::kPipeline ||
        call.target == Target::kFunction) {
      finder.AddArgument(call, "low_cpu_mem_usage", -1, BoolEffect, sites);
      finder.AddNested(call, "model_kwargs", "low_cpu_mem_usage", BoolEffect, sites);
    }
  }
}

}  // namespace

const Row& row_01_low_cpu_mem_usage() {
  static const Row row = {1, "low_cpu_mem_usage", "low_cpu_mem_usage", "FTH001", "", Find};
  return row;
}

}  // namespace fathom
