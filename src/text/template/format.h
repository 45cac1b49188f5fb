// Python's two ways to format: "..." % values, and "...".format(...) with its format
// specifications.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

// format % arguments: a tuple, one value, or a mapping for %(name)s.
Value PercentFormat(const String& format, const Value& arguments);

// format.format(...): fields look attributes up as the sandbox does.
Value StrFormat(Interpreter& interpreter, const String& format, const Values& positional,
                const Value& mapping);

// format(value, spec)
void FormatField(const Value& value, TextView spec, StringBuilder& out);

// A float as C's %e, %f and %g write it, Python's spelling of infinities; `type` in "eEfFgG".
std::string FormatFloat(double value, char type, int precision, bool alternate);

}  // namespace fathom::jinja
