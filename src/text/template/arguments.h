// Arguments of a call, put in the order of the parameters as Python does.
#pragma once

#include <initializer_list>
#include <string_view>

#include "text/template/value.h"

namespace fathom::jinja {

// One value a parameter, kMissing where none was passed. Raises kType where an argument is unknown,
// passed twice, or one of the first `required` is missing.
Values Bind(std::string_view function, Arguments& arguments,
            std::initializer_list<std::string_view> parameters, size_t required = 0);

// The same for a function whose parameters have no names (most methods of str).
Values BindPositional(std::string_view function, Arguments& arguments, size_t least, size_t most);

inline Value ValueOr(const Value& value, Value fallback) {
  return value.is_missing() ? fallback : value;
}

}  // namespace fathom::jinja
