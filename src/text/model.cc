#include "text/model.h"

#include "text/component.h"

namespace fathom {

std::vector<ModelKind>& ModelKinds() {
  static std::vector<ModelKind> kinds;
  return kinds;
}

Result<TokenizerModelPtr> MakeModel(ModelJson json) {
  const JsonValue* type = json.fields.Find("type");
  std::string name;
  if (type != nullptr && type->is_string()) {
    name = type->as_string();
  } else if (type == nullptr && json.has_merges) {
    name = "BPE";
  } else {
    return Status::BadFile("", "model", "has no \"type\"");
  }
  std::vector<std::string_view> known;
  for (const ModelKind& kind : ModelKinds()) {
    if (kind.type == name) return kind.make(std::move(json));
    known.push_back(kind.type);
  }
  return UnknownType("model", name, std::move(known));
}

}  // namespace fathom
