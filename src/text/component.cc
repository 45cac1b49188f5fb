#include "text/component.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace fathom {

Status UnknownType(const std::string& field, std::string_view type,
                   std::vector<std::string_view> known) {
  std::sort(known.begin(), known.end());
  return Status::BadFile("", field, fmt::format("type \"{}\" is not supported", type),
                         fmt::format("(known: {})", fmt::join(known, ", ")));
}

const JsonValue* JsonFields::Present(std::string_view name) const {
  const JsonValue* value = json_.Find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Status JsonFields::Wrong(std::string_view name, const JsonValue* value,
                         std::string_view wanted) const {
  if (value == nullptr) return Status::BadFile("", Where(name), "is missing");
  return Status::BadFile("", Where(name), fmt::format("is a {}", value->TypeName()),
                         fmt::format("and must be {}", wanted));
}

Result<bool> JsonFields::Bool(std::string_view name, std::optional<bool> fallback) const {
  const JsonValue* value = Present(name);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_bool()) return Wrong(name, value, "a boolean");
  return value->as_bool();
}

Result<std::string> JsonFields::String(std::string_view name,
                                       std::optional<std::string> fallback) const {
  const JsonValue* value = Present(name);
  if (value == nullptr && fallback) return *std::move(fallback);
  if (value == nullptr || !value->is_string()) return Wrong(name, value, "a string");
  return value->as_string();
}

Result<int64_t> JsonFields::Count(std::string_view name, int64_t limit,
                                  std::optional<int64_t> fallback) const {
  const JsonValue* value = Present(name);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_int()) return Wrong(name, value, "a non-negative integer");
  if (value->as_int() < 0 || value->as_int() > limit) {
    return Status::BadFile("", Where(name), fmt::format("{}", value->as_int()),
                           fmt::format("is outside 0..{}", limit));
  }
  return value->as_int();
}

Result<char32_t> JsonFields::Char(std::string_view name) const {
  FATHOM_ASSIGN(const std::string text, String(name));
  const DecodedCodePoint decoded = DecodeUtf8(text, 0);
  if (decoded.size_bytes == 0 || static_cast<size_t>(decoded.size_bytes) != text.size()) {
    return Status::BadFile("", Where(name), fmt::format("\"{}\"", text), "is not one character");
  }
  return decoded.code_point;
}

Result<size_t> JsonFields::OneOf(std::string_view name, const std::vector<std::string_view>& names,
                                 std::optional<size_t> fallback) const {
  const JsonValue* value = Present(name);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_string()) return Wrong(name, value, "a string");
  const auto found = std::find(names.begin(), names.end(), value->as_string());
  if (found == names.end()) {
    return Status::BadFile("", Where(name), fmt::format("\"{}\"", value->as_string()),
                           fmt::format("is none of {}", fmt::join(names, ", ")));
  }
  return static_cast<size_t>(found - names.begin());
}

}  // namespace fathom
