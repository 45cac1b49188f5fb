// HTML escaping: markupsafe.escape, and the filters that work on tags.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

// markupsafe.escape: markup stays as it is, everything else is turned into text and escaped.
Value EscapeHtml(const Value& value);
Value MarkSafe(const Value& value);   // markupsafe.Markup(value)
Value StripTags(const Value& value);  // Markup(value).striptags()

}  // namespace fathom::jinja
