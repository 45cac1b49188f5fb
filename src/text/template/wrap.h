// textwrap.wrap for the filter wordwrap, and the filter urlize.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

struct WrapOptions {
  int64_t width = 79;
  bool break_long_words = true;
  bool break_on_hyphens = true;
};

// The lines of one paragraph; its tabs and spaces stay as they are.
Values WrapText(const String& text, const WrapOptions& options);

Value UrlizeFilter(Interpreter& interpreter, const Value& input, Arguments& arguments);

}  // namespace fathom::jinja
