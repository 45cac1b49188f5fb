#include "models/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

namespace fathom {

Result<const Architecture*> FindArchitecture(const ConfigFile& file) {
  std::vector<std::string_view> names;
  for (const Architecture* architecture : AllArchitectures()) {
    if (architecture->hf_name == file.model_type) return architecture;
    names.push_back(architecture->hf_name);
  }
  return Status::BadFile(file.path, "model_type", fmt::format("\"{}\"", file.model_type),
                         "is not an architecture that this build has",
                         fmt::format("it has {}", fmt::join(names, ", ")));
}

}  // namespace fathom
