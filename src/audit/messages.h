// Every sentence of the audit's reports, in both languages, whole: messages.cc is the one place.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/language.h"

namespace fathom {

// The sentence as it is kept, with its {} places. A key that is not in the table is a broken
// invariant.
std::string_view RawText(Language language, std::string_view key);
bool HasText(std::string_view key);

// Arguments stand at {0}, {1} ...
template <typename... Arguments>
std::string Text(Language language, std::string_view key, const Arguments&... arguments) {
  return fmt::vformat(RawText(language, key), fmt::make_format_args(arguments...));
}

// What stands between two sentences.
inline std::string Gap(Language language) { return language == Language::kEnglish ? " " : ""; }

}  // namespace fathom
