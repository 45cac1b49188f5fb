// The escapes of a template's string constants: Python's "unicode-escape" over ASCII.
#pragma once

#include <string>

#include "text/template/unicode.h"

namespace fathom::jinja {

// `text` is what stands between the quotes. `problem` is set where an escape is broken.
Text UnescapeStringLiteral(TextView text, std::string& problem);

}  // namespace fathom::jinja
