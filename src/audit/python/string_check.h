// What Python refuses inside a string literal: escapes, bytes beyond ASCII, the parts of an
// f-string.
#pragma once

#include <optional>
#include <string_view>

#include "audit/python/python_source.h"

namespace fathom {

struct StringPrefix {
  bool raw = false;
  bool bytes = false;
  bool format = false;
  size_t size = 0;  // of the letters
};
StringPrefix ReadStringPrefix(std::string_view literal);

// `literal` from its prefix to its closing quotes; it begins on `line`; `line_after` is the line of
// the token that follows the strings, where CPython places most of these errors.
std::optional<SyntaxError> CheckString(std::string_view literal, int line, int line_after);

}  // namespace fathom
