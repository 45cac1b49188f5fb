#include "text/template/arguments.h"

namespace fathom::jinja {

Values Bind(std::string_view function, Arguments& arguments,
            std::initializer_list<std::string_view> parameters, size_t required) {
  if (arguments.positional.size() > parameters.size()) {
    Raise(ErrorKind::kType, "{}() takes at most {} arguments ({} given)", function,
          parameters.size(), arguments.positional.size());
  }
  Values bound = arguments.positional;
  for (size_t i = bound.size(); i < parameters.size(); ++i) {
    bound.push_back(arguments.TakeKeyword(parameters.begin()[i]));
    if (i < required && bound.back().is_missing()) {
      Raise(ErrorKind::kType, "{}() missing required argument: '{}'", function,
            parameters.begin()[i]);
    }
  }
  if (!arguments.keyword.empty()) {
    Raise(ErrorKind::kType, "{}() got an unexpected or repeated keyword argument '{}'", function,
          arguments.keyword.front().first);
  }
  return bound;
}

Values BindPositional(std::string_view function, Arguments& arguments, size_t least, size_t most) {
  if (!arguments.keyword.empty()) {
    Raise(ErrorKind::kType, "{}() takes no keyword arguments", function);
  }
  if (arguments.positional.size() < least || arguments.positional.size() > most) {
    Raise(ErrorKind::kType, "{}() takes {} to {} arguments ({} given)", function, least, most,
          arguments.positional.size());
  }
  Values bound = arguments.positional;
  bound.resize(most, Value::Missing());
  return bound;
}

}  // namespace fathom::jinja
