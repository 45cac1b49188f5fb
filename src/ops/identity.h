// The plain halves of operations that move data and, among one rank, change nothing.
#pragma once

#include <string_view>

#include "ops/op.h"

namespace fathom {

// A record whose reference copies x to y.
OpRecord MakeIdentityRecord(std::string_view name, std::string_view formula);

}  // namespace fathom
