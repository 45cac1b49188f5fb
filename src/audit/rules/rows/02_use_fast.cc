// use_fast=True given to a tokenizer (or to a pipeline, which makes one).
#include "audit/rules/row.h"

namespace fathom {
namespace {

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.target == Target::kTokenizerLoad || call.target == Target::kPipeline) {
      finder.AddArgument(call, "use_fast", -1, BoolEffect, sites);
    }
    if (call.target == Target::kPipeline) {
      finder.AddNested(call, "tokenizer_kwargs", "use_fast", BoolEffect, sites);
    }
  }
}

}  // namespace

const Row& row_02_use_fast() {
  static const Row row = {2, "use_fast", "use_fast", "FTH002", "", Find};
  return row;
}

}  // namespace fathom
