// How many columns of a terminal a text takes, and how it is cut into lines of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// 0 for combining marks and what is not shown, 2 for the wide characters of East Asia and for
// emoji, 1 for the rest (Unicode's East_Asian_Width W and F; ambiguous ones count 1).
int CodePointWidth(char32_t code_point);
int DisplayWidth(std::string_view text);

// `text` with blanks behind it (before it, where `right`) up to `width` columns; never cut.
std::string PadToWidth(std::string_view text, int width, bool right = false);

// Lines of at most `width` columns (at least 2), broken at blanks, before or behind a wide
// character (but no closing punctuation starts a line), and within a word only where it is longer
// than a line.
std::vector<std::string> WrapToWidth(std::string_view text, int width);

}  // namespace fathom
