// EngineOptions <-> JSON: an arm handed to a fresh process, and the key of what is known of an arm.
#pragma once

#include <string_view>

#include "base/json.h"
#include "fathom/options.h"
#include "fathom/status.h"

namespace fathom {

JsonValue EngineOptionsToJson(const EngineOptions& options);
// kUsage (naming `what`): no object, an unknown member, a member of another type.
Result<EngineOptions> EngineOptionsFromJson(const JsonValue& value, std::string_view what);

}  // namespace fathom
