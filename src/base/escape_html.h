// Text as it stands in a page, between tags or in a quoted attribute.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// &, <, >, " and ' as entities; control characters but newline, and what is no UTF-8, as U+FFFD.
std::string EscapeHtml(std::string_view text);

}  // namespace fathom
