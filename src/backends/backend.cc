#include "backends/backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace fathom {

const BackendRecord* FindBackend(std::string_view name) {
  for (const BackendRecord* record : AllBackends()) {
    if (record->name == name) return record;
  }
  return nullptr;
}

bool IsPlainBackend(std::string_view name) {
  const BackendRecord* record = FindBackend(name);
  return record != nullptr && record->plain;
}

Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name, const Machine& machine,
                                               const BackendOptions& options) {
  if (const BackendRecord* record = FindBackend(name)) return record->create(machine, options);
  std::vector<std::string_view> names;
  for (const BackendRecord* record : AllBackends()) names.push_back(record->name);
  return Status::Usage("--backend", fmt::format("there is no backend \"{}\"", name),
                       fmt::format("choose one of {}", fmt::join(names, ", ")));
}

TuningSummary RememberedTuning(std::string_view name, const Machine& machine,
                               const BackendOptions& options) {
  const BackendRecord* record = FindBackend(name);
  if (record == nullptr || record->remembered == nullptr) return {};
  return record->remembered(machine, options);
}

}  // namespace fathom
