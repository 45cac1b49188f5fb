// One self-contained HTML page: no script, no network; light and dark, phone and paper.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/escape_html.h"
#include "base/language.h"

namespace fathom {

// The pieces of `text` by turns outside and inside of ` `.
std::vector<std::string_view> SplitCode(std::string_view text);

// Escaped, what stands between ` ` as <code>.
std::string EscapeHtmlWithCode(std::string_view text);

// The page around `body` (HTML). Classes that the style knows: those of tones (good, muted,
// warning, bad), number, lead (a line under a title), and details.
std::string HtmlPage(std::string_view title, Language language, std::string_view body);

}  // namespace fathom
