// device_map="auto" and the other ways to spread layers over devices.
#include "audit/rules/row.h"

namespace fathom {
namespace {

Effect MapEffect(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::kString: {
      const std::string& text = value.text;
      const bool spreads = text == "auto" || text.starts_with("balanced") || text == "sequential";
      return spreads ? Effect::kOn : Effect::kOff;
    }
    case ScriptValue::Kind::kNone:
    case ScriptValue::Kind::kNumber:
      return Effect::kOff;
    case ScriptValue::Kind::kAbsent:
      return Effect::kNone;
    case ScriptValue::Kind::kPath: {
      const std::string_view last = LastComponent(value.text);
      if (last == "infer_auto_device_map()") return Effect::kOn;
      return HasWord(value.text, "device") && !HasWord(value.text, "device_map") ? Effect::kOff
                                                                                 : Effect::kUnknown;
    }
    case ScriptValue::Kind::kDisplay: {
      // A map written out: on one device where every layer goes to the same.
      std::string_view first;
      if (!value.node->Is(SyntaxKind::kDictionary)) return Effect::kUnknown;
      for (const SyntaxNode* pair : value.node->children) {
        const SyntaxNode* place = pair->Child(SyntaxField::kValue);
        if (place == nullptr) return Effect::kUnknown;
        if (first.empty()) first = place->text;
        if (place->text != first) return Effect::kOn;
      }
      return Effect::kOff;
    }
    default:
      return Effect::kUnknown;
  }
}

Effect PlanEffect(const ScriptValue& value) {
  if (value.Is(ScriptValue::Kind::kString)) return Effect::kOn;
  return value.Is(ScriptValue::Kind::kNone) || value.Is(ScriptValue::Kind::kAbsent)
             ? Effect::kNone
             : Effect::kUnknown;
}

Effect SizeEffect(const ScriptValue& value) {
  if (!value.Is(ScriptValue::Kind::kNumber)) return BoolEffect(value);
  return value.number > 1 ? Effect::kOn : Effect::kOff;
}

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.own) continue;
    const bool loads = call.target == Target::kModelLoad || call.target == Target::kPipeline;
    if (loads || call.IsAny({"accelerate.dispatch_model", ".dispatch_model", "dispatch_model",
                             "accelerate.load_checkpoint_and_dispatch"})) {
      finder.AddArgument(call, "device_map", -1, MapEffect, sites);
      finder.AddNested(call, "model_kwargs", "device_map", MapEffect, sites);
    }
    if (!loads) continue;
    finder.AddArgument(call, "tp_plan", -1, PlanEffect, sites);
    if (!call.paths.empty() && LastComponent(call.paths[0]) == "LLM") {
      finder.AddArgument(call, "tensor_parallel_size", -1, SizeEffect, sites);
    }
  }
}

}  // namespace

const Row& row_12_device_map() {
  static const Row row = {12, "device_map", "device_map", "FTH012", "", Find};
  return row;
}

}  // namespace fathom
