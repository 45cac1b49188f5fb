// torch.backends.cudnn.benchmark, by whatever name the module goes.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

bool IsCudnn(const std::vector<std::string>& paths, std::string_view text) {
  return text == "cudnn" || std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
           return path == "torch.backends.cudnn" || path == "backends.cudnn";
         });
}

void Find(SiteFinder& finder, Sites* sites) {
  finder.AddWrites("benchmark", IsCudnn, BoolEffect, sites);
  for (const KnownCall& call : finder.calls()) {
    if (call.IsAny({"torch.backends.cudnn.flags", "torch.backends.cudnn.set_flags"})) {
      finder.AddArgument(call, "benchmark", 1, BoolEffect, sites);
    }
  }
}

}  // namespace

const Row& row_09_cudnn_benchmark() {
  static const Row row = {9,   "cudnn_benchmark", "torch.backends.cudnn.benchmark", "FTH009", "",
                          Find};
  return row;
}

}  // namespace fathom
