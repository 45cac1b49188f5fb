// The languages of the reports: whatever a person reads of a table is said in both.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "fathom/status.h"

namespace fathom {

enum class Language : uint8_t { kEnglish, kChinese };

// "en", "zh".
std::string_view LanguageName(Language language);
// kUsage for anything else.
Result<Language> ParseLanguage(std::string_view name);
// What LC_ALL, LC_MESSAGES, LANG say, the first one set deciding: Chinese for zh*, else English.
Language LocaleLanguage();

// A text in both.
struct Words {
  std::string_view en;
  std::string_view zh;
  constexpr std::string_view In(Language language) const {
    return language == Language::kChinese ? zh : en;
  }
};

// The same values in the sentence of the language; both sentences are checked when compiled.
// Arguments that the languages order differently are numbered: "{1} of {0}".
template <typename... Args>
std::string Say(Language language, fmt::format_string<Args...> en, fmt::format_string<Args...> zh,
                Args&&... args) {
  if (language == Language::kChinese) return fmt::format(zh, std::forward<Args>(args)...);
  return fmt::format(en, std::forward<Args>(args)...);
}

}  // namespace fathom
