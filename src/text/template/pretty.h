// pprint.pformat with its default width, for the filter pprint.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

Value PrettyFormat(const Value& value);

}  // namespace fathom::jinja
