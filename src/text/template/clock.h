// datetime.now().strftime(format) of Python, for strftime_now.
#pragma once

#include <string>

namespace fathom::jinja {

// The local time; where SOURCE_DATE_EPOCH holds a number of seconds, that time in UTC.
std::string FormatNow(const std::string& format);

}  // namespace fathom::jinja
