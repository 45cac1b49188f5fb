#include "backends/backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace fathom {

Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name, const Machine& machine,
                                               const BackendOptions& options) {
  std::vector<std::string_view> names;
  for (const BackendRecord* record : AllBackends()) {
    if (record->name == name) return record->create(machine, options);
    names.push_back(record->name);
  }
  return Status::Usage("--backend", fmt::format("there is no backend \"{}\"", name),
                       fmt::format("choose one of {}", fmt::join(names, ", ")));
}

TuningSummary RememberedTuning(std::string_view name, const Machine& machine,
                               const BackendOptions& options) {
  for (const BackendRecord* record : AllBackends()) {
    if (record->name != name || record->remembered == nullptr) continue;
    return record->remembered(machine, options);
  }
  return {};
}

}  // namespace fathom
