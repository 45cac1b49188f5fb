// The kinds of tokenizer.json components: closed sets selected by the JSON "type".
//
// A kind is a record {type, make} that its own file registers; an unknown type is refused by name.
// Adding a kind is adding a file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"

namespace fathom {

template <typename Component>
struct ComponentKind {
  std::string_view type;
  // field: where in tokenizer.json the component stands, for messages ("decoder.decoders[1]").
  Result<std::unique_ptr<Component>> (*make)(const JsonValue& json, const std::string& field);
};

template <typename Component>
std::vector<ComponentKind<Component>>& ComponentKinds() {
  static std::vector<ComponentKind<Component>> kinds;
  return kinds;
}

template <typename Component>
struct RegisterComponent {
  RegisterComponent(std::string_view type,
                    Result<std::unique_ptr<Component>> (*make)(const JsonValue&,
                                                               const std::string&)) {
    ComponentKinds<Component>().push_back({type, make});
  }
};

// "unknown type X" with the types that are known.
Status UnknownType(const std::string& field, std::string_view type,
                   std::vector<std::string_view> known);

// The component that the object describes; its "type" chooses the kind.
template <typename Component>
Result<std::unique_ptr<Component>> MakeComponent(const JsonValue& json, const std::string& field) {
  const JsonValue* type = json.Find("type");
  if (type == nullptr || !type->is_string()) {
    return Status::BadFile("", field, "has no \"type\"");
  }
  std::vector<std::string_view> known;
  for (const ComponentKind<Component>& kind : ComponentKinds<Component>()) {
    if (kind.type == type->as_string()) return kind.make(json, field);
    known.push_back(kind.type);
  }
  return UnknownType(field, type->as_string(), std::move(known));
}

// The components of an array, as the member `list` of `json`.
template <typename Component>
Result<std::vector<std::unique_ptr<Component>>> MakeComponents(const JsonValue& json,
                                                               std::string_view list,
                                                               const std::string& field) {
  const std::string where = field + "." + std::string(list);
  const JsonValue* items = json.Find(list);
  if (items == nullptr || !items->is_array()) return Status::BadFile("", where, "is not an array");
  std::vector<std::unique_ptr<Component>> result;
  for (size_t i = 0; i < items->as_array().size(); ++i) {
    FATHOM_ASSIGN(auto component, MakeComponent<Component>(items->as_array()[i],
                                                           where + "[" + std::to_string(i) + "]"));
    result.push_back(std::move(component));
  }
  return result;
}

// Reads the members of one JSON object, each with its own error. A member that is absent takes the
// fallback where there is one; null counts as absent.
class JsonFields {
 public:
  JsonFields(const JsonValue& json, const std::string& field) : json_(json), field_(field) {}

  Result<bool> Bool(std::string_view name, std::optional<bool> fallback = {}) const;
  Result<std::string> String(std::string_view name, std::optional<std::string> fallback = {}) const;
  // A non-negative integer <= limit.
  Result<int64_t> Count(std::string_view name, int64_t limit,
                        std::optional<int64_t> fallback = {}) const;
  // A string of exactly one code point.
  Result<char32_t> Char(std::string_view name) const;
  // One of the names; the result is its index.
  Result<size_t> OneOf(std::string_view name, const std::vector<std::string_view>& names,
                       std::optional<size_t> fallback = {}) const;

  std::string Where(std::string_view name) const { return field_ + "." + std::string(name); }

 private:
  const JsonValue* Present(std::string_view name) const;
  Status Wrong(std::string_view name, const JsonValue* value, std::string_view wanted) const;

  const JsonValue& json_;
  const std::string& field_;
};

}  // namespace fathom
