#include "base/language.h"

#include <cstdlib>

namespace fathom {

std::string_view LanguageName(Language language) {
  return language == Language::kChinese ? "zh" : "en";
}

Result<Language> ParseLanguage(std::string_view name) {
  if (name == "en") return Language::kEnglish;
  if (name == "zh") return Language::kChinese;
  return Status::Usage("--lang", std::string(name) + " is neither en nor zh");
}

Language LocaleLanguage() {
  for (const char* variable : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("zh") ? Language::kChinese : Language::kEnglish;
  }
  return Language::kEnglish;
}

}  // namespace fathom
