// The named entities of HTML and html.unescape.
#pragma once

#include <string_view>

#include "text/template/unicode.h"

namespace fathom::jinja {

struct HtmlEntity {
  std::string_view name;  // without the &; most end with a semicolon
  TextView text;
};
extern const HtmlEntity* const kHtmlEntities;  // sorted by name
extern const size_t kHtmlEntityCount;

Text UnescapeHtml(TextView text);

}  // namespace fathom::jinja
