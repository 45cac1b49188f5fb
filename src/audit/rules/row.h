// Row: one of the thirteen, as the audit looks for it. One file of rules/rows/ a row.
#pragma once

#include <span>
#include <string_view>

#include "audit/rules/sites.h"

namespace fathom {

struct Row {
  int number = 0;
  std::string_view id;       // as on the command line: "cudnn_benchmark"
  std::string_view name;     // as a script spells it: "torch.backends.cudnn.benchmark"
  std::string_view code;     // "FTH009"
  std::string_view variant;  // which facts tell of it where it is not written
  void (*find)(SiteFinder& finder, Sites* sites);
};

// In the order of their numbers.
std::span<const Row* const> AllRows();
const Row* FindRowByCode(std::string_view code);

}  // namespace fathom
