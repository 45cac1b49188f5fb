// Machine <-> JSON trees, for documents that hold a machine among other things.
#pragma once

#include <string_view>

#include "base/json.h"
#include "fathom/machine.h"

namespace fathom {

JsonValue MachineToJsonValue(const Machine& machine);
JsonValue RoofsToJsonValue(const Roofs& roofs);
// As MachineFromJson.
Result<Machine> MachineFromJsonValue(const JsonValue& value, std::string_view what);

}  // namespace fathom
