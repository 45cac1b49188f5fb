// Evaluator: what a dictionary holds under a key, through the ways scripts fill and pass them.
#include <algorithm>

#include "audit/analysis/evaluator.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

Alternatives Absent(const SyntaxNode* node) {
  Alternative absent;
  absent.value.kind = ScriptValue::Kind::kAbsent;
  absent.origin = node;
  return {absent};
}

// Adds what is there; says whether it may be missing.
bool AddPresent(Alternatives& to, Alternatives from, const SyntaxNode* origin,
                const Guards& guards) {
  bool absent = false;
  for (Alternative& value : from) {
    if (value.value.Is(ScriptValue::Kind::kAbsent)) {
      absent = true;
      continue;
    }
    if (origin != nullptr) value.origin = origin;
    value.guards.insert(value.guards.begin(), guards.begin(), guards.end());
    if (to.size() < 24) to.push_back(std::move(value));
  }
  return absent;
}

}  // namespace

Alternatives Evaluator::LookUp(const SyntaxNode* dictionary, std::string_view key) {
  const SyntaxNode* node = Unwrap(dictionary);
  if (node == nullptr || depth_ > 30) return Absent(node);
  ++depth_;
  Alternatives found = LookUpInner(node, key);
  --depth_;
  return found.empty() ? Absent(node) : found;
}

Alternatives Evaluator::LookUpInner(const SyntaxNode* node, std::string_view key) {
  if (depth_ == 1) steps_ = 0;
  ++steps_;
  ++total_steps_;
  if (!HasSteps()) return Absent(node);
  switch (node->kind) {
    case Kind::kDictionary:
      return LookUpDisplay(node, key);
    case Kind::kCall:
      return LookUpCall(node, key);
    case Kind::kIdentifier:
      return LookUpName(node, std::string(node->text), key);
    case Kind::kAttribute: {
      std::string name = DottedText(node);
      if (name.empty()) return Absent(node);
      return LookUpName(node, name, key);
    }
    case Kind::kConditional: {
      Alternatives all;
      bool absent = false;
      if (node->children.size() < 3) return Absent(node);
      for (const int child : {0, 2}) {
        const Guards guards =
            GuardsBetween(node->children[static_cast<size_t>(child)], node->parent, *this);
        absent |= AddPresent(all, LookUp(node->children[static_cast<size_t>(child)], key), nullptr,
                             guards);
      }
      if (absent) all.push_back(Absent(node)[0]);
      return all;
    }
    case Kind::kBooleanOperator:
    case Kind::kBinaryOperator: {
      // a | b, a or b: the right one first, as it wins in a merge.
      Alternatives all;
      if (node->children.size() < 3) return Absent(node);
      bool absent = AddPresent(all, LookUp(node->children.back(), key), nullptr, {});
      if (absent) absent = AddPresent(all, LookUp(node->children.front(), key), nullptr, {});
      if (absent) all.push_back(Absent(node)[0]);
      return all;
    }
    case Kind::kDictionaryComprehension: {
      // {k: v for k, v in source.items() if ...}
      for (const SyntaxNode* child : node->children) {
        if (!child->Is(Kind::kForInClause)) continue;
        const SyntaxNode* source = Unwrap(child->Child(Field::kRight));
        const SyntaxNode* callee = source != nullptr && source->Is(Kind::kCall)
                                       ? source->Child(Field::kFunction)
                                       : nullptr;
        const SyntaxNode* object = callee == nullptr ? nullptr : callee->Child(Field::kObject);
        if (object != nullptr) return LookUp(object, key);
      }
      return Absent(node);
    }
    case Kind::kSubscript: {
      Alternatives all;
      for (const Alternative& value : Evaluate(node)) {
        if (value.value.Is(ScriptValue::Kind::kDisplay) && value.value.node != node) {
          AddPresent(all, LookUp(value.value.node, key), nullptr, value.guards);
        }
      }
      return all;
    }
    default:
      return Absent(node);
  }
}

Alternatives Evaluator::LookUpDisplay(const SyntaxNode* display, std::string_view key) {
  Alternatives all;
  for (auto it = display->children.rbegin(); it != display->children.rend(); ++it) {
    const SyntaxNode* entry = *it;
    if (entry->Is(Kind::kDictionarySplat)) {
      if (entry->children.empty()) continue;
      if (!AddPresent(all, LookUp(entry->children[0], key), nullptr, {})) return all;
    } else if (entry->Is(Kind::kPair)) {
      const SyntaxNode* written = entry->Child(Field::kKey);
      const auto name = StringLiteral(written);
      if (!name && AddUnderKey(written, key, entry->Child(Field::kValue), entry, {}, &all)) {
        return all;
      }
      if (!name || *name != key) continue;
      AddPresent(all, Evaluate(entry->Child(Field::kValue)), entry, {});
      return all;
    }
  }
  all.push_back(Absent(display)[0]);
  return all;
}

Alternatives Evaluator::LookUpCall(const SyntaxNode* node, std::string_view key) {
  const CallSite* call = script_.CallAt(node);
  if (call == nullptr) return Absent(node);
  const SyntaxNode* callee = Unwrap(call->callee);
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  const std::string_view last = attribute != nullptr ? attribute->text : callee->text;
  if (last == "copy" && attribute != nullptr && call->positional.empty()) {
    return LookUp(callee->Child(Field::kObject), key);
  }
  if (last == "deepcopy" || last == "copy" || last == "vars" || last == "asdict") {
    return call->positional.empty() ? Absent(node) : LookUp(call->positional[0], key);
  }
  Alternatives all;
  if (last == "dict" || last == "OrderedDict" || last == "SimpleNamespace" || last == "Namespace" ||
      last == "update") {
    if (const auto* keyword = call->Find(key)) {
      AddPresent(all, Evaluate(keyword->value), keyword->node, {});
      return all;
    }
    for (auto splat = call->splats.rbegin(); splat != call->splats.rend(); ++splat) {
      if (!AddPresent(all, LookUp(*splat, key), nullptr, {})) return all;
    }
    for (const SyntaxNode* base : call->positional) {
      if (!AddPresent(all, LookUp(base, key), nullptr, {})) return all;
    }
    all.push_back(Absent(node)[0]);
    return all;
  }
  bool absent = false;
  for (const SyntaxNode* function : Callees(*call)) {
    // A function of the file that makes the dictionary.
    std::vector<const SyntaxNode*> pending = {function->Child(Field::kBody)};
    for (size_t i = 0; i < pending.size() && i < 400; ++i) {
      if (pending[i] == nullptr || pending[i]->dead) continue;
      if (pending[i]->Is(Kind::kReturn)) {
        if (pending[i]->children.empty()) continue;
        const Guards guards = GuardsBetween(pending[i], function, *this);
        absent |= AddPresent(all, LookUp(pending[i]->children[0], key), nullptr, guards);
        continue;
      }
      for (const SyntaxNode* child : pending[i]->children) {
        if (!child->Is(Kind::kFunction) && !child->Is(Kind::kClass)) pending.push_back(child);
      }
    }
  }
  if (absent || all.empty()) all.push_back(Absent(node)[0]);
  return all;
}

Alternatives Evaluator::LookUpUpdate(const Definition& definition, std::string_view key) {
  if (definition.node->Is(Kind::kCall)) return LookUpCall(definition.node, key);
  return LookUp(definition.value, key);  // |=
}

Alternatives Evaluator::LookUpParameter(const Scope* scope, const Definition& definition,
                                        std::string_view key) {
  const std::vector<Parameter> parameters = ParametersOf(scope->node);
  const auto place = static_cast<size_t>(definition.position);
  if (place >= parameters.size()) return Absent(definition.node);
  const Parameter& parameter = parameters[place];
  const int position = definition.position - (scope->self_name.empty() ? 0 : 1);
  if (parameter.kind == Parameter::Kind::kDoubleStar &&
      std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& other) {
        return other.kind == Parameter::Kind::kPlain && other.name == key;
      })) {
    return Absent(definition.node);  // the parameter of that name takes it
  }
  Alternatives all;
  bool absent = false;
  const auto& callers = CallersOf(scope->node);
  for (const CallSite* caller : callers) {
    if (parameter.kind == Parameter::Kind::kDoubleStar) {
      const auto* keyword = caller->Find(key);
      absent |=
          AddPresent(all, Argument(*caller, key), keyword == nullptr ? nullptr : keyword->node, {});
    } else if (const auto* keyword = caller->Find(parameter.name)) {
      absent |= AddPresent(all, LookUp(keyword->value, key), nullptr, {});
    } else if (position >= 0 && static_cast<size_t>(position) < caller->positional.size()) {
      const SyntaxNode* passed = caller->positional[static_cast<size_t>(position)];
      absent |= AddPresent(all, LookUp(passed, key), nullptr, {});
    } else {
      absent = true;
    }
  }
  if (callers.empty() && parameter.default_value != nullptr) {
    absent |= AddPresent(all, LookUp(parameter.default_value, key), nullptr, {});
  }
  if (absent || all.empty()) all.push_back(Absent(definition.node)[0]);
  return all;
}

// `{name: value}` and `d[name] = value`, where the name can be the key that is asked for: as in
// "dtype" if version >= ... else "torch_dtype". Says whether it always is.
bool Evaluator::AddUnderKey(const SyntaxNode* name, std::string_view key, const SyntaxNode* value,
                            const SyntaxNode* origin, const Guards& guards, Alternatives* all) {
  const SyntaxNode* node = Unwrap(name);
  if (node == nullptr || (!node->Is(Kind::kIdentifier) && !node->Is(Kind::kConditional))) {
    return false;
  }
  bool always = false;
  for (const Alternative& spelled : Evaluate(node)) {
    if (!spelled.value.Is(ScriptValue::Kind::kString) || spelled.value.text != key) continue;
    Guards around = guards;
    around.insert(around.end(), spelled.guards.begin(), spelled.guards.end());
    AddPresent(*all, Evaluate(value), origin, around);
    always = always || spelled.guards.empty();
  }
  return always;
}

// add_dtype(params): what functions of the file put into the dictionary that they are given.
void Evaluator::AddFilledByCallees(const SyntaxNode* use, const std::string& name,
                                   std::string_view key, Alternatives* all) {
  const auto calls = calls_by_argument_.find(name);
  if (calls == calls_by_argument_.end()) return;
  const Scope* scope = script_.ScopeOf(use);
  for (const CallSite* call : calls->second) {
    if (!HasSteps() || script_.ScopeOf(call->node) != scope || call->node->end > use->begin) {
      continue;
    }
    const Guards around = GuardsBetween(call->node, scope->node, *this);
    for (const SyntaxNode* function : Callees(*call)) {
      const Scope* inside = script_.ScopeIn(function);
      if (inside == nullptr) continue;
      const std::vector<Parameter> parameters = ParametersOf(function);
      const size_t skipped = inside->self_name.empty() ? 0 : 1;
      for (size_t i = skipped; i < parameters.size(); ++i) {
        const auto* keyword = call->Find(parameters[i].name);
        const SyntaxNode* given = nullptr;
        if (keyword != nullptr) given = keyword->value;
        if (given == nullptr && i - skipped < call->positional.size()) {
          given = call->positional[i - skipped];
        }
        if (given == nullptr || Unwrap(given)->text != name) continue;
        if (parameters[i].kind != Parameter::Kind::kPlain) continue;
        const auto* definitions = inside->Find(parameters[i].name);
        for (const Definition& filled :
             definitions == nullptr ? std::vector<Definition>() : *definitions) {
          if (filled.kind != Definition::Kind::kItem) continue;
          Guards guards = around;
          const Guards within = GuardsBetween(filled.node, function, *this);
          guards.insert(guards.end(), within.begin(), within.end());
          if (filled.key_node != nullptr) {
            AddUnderKey(filled.key_node, key, filled.value, filled.node, guards, all);
          } else if (filled.key == key) {
            AddPresent(*all, Evaluate(filled.value), filled.node, guards);
          }
        }
      }
    }
  }
}

Alternatives Evaluator::LookUpName(const SyntaxNode* use, const std::string& name,
                                   std::string_view key) {
  Alternatives all;
  bool seen = false;
  const auto visit = [&](const Reaching& reaching) {
    const Definition& definition = *reaching.definition;
    seen = true;
    switch (definition.kind) {
      case Definition::Kind::kItem:
        if (definition.key_node != nullptr) {
          return AddUnderKey(definition.key_node, key, definition.value, definition.node,
                             reaching.guards, &all);
        }
        if (definition.key != key) return false;
        AddPresent(all, Evaluate(definition.value), definition.node, reaching.guards);
        return true;
      case Definition::Kind::kRemove:
        return definition.key == key;
      case Definition::Kind::kUpdate:
        return !AddPresent(all, LookUpUpdate(definition, key), nullptr, reaching.guards);
      case Definition::Kind::kAssign:
        AddPresent(all, LookUp(definition.value, key), nullptr, reaching.guards);
        return true;
      case Definition::Kind::kParameter:
        AddPresent(all, LookUpParameter(reaching.scope, definition, key), nullptr, {});
        return true;
      default:
        return true;
    }
  };
  const std::string shown = name;
  if (name.starts_with("self.")) {
    // What the methods of the class put there.
    const Scope* owner = script_.ClassOf(script_.ScopeOf(use));
    const auto* definitions = owner == nullptr ? nullptr : owner->Find(name);
    for (auto it = definitions == nullptr ? std::vector<Definition>::const_reverse_iterator()
                                          : definitions->rbegin();
         definitions != nullptr && it != definitions->rend(); ++it) {
      Reaching reaching{&*it, owner, GuardsBetween(it->node, owner->node, *this)};
      if (visit(reaching) && reaching.guards.empty()) return all;
    }
  } else {
    VisitReaching(use, name, visit);
  }
  if (!seen && use->Is(Kind::kAttribute)) {
    for (const Alternative& value : Evaluate(use)) {
      if (value.value.Is(ScriptValue::Kind::kDisplay) && value.value.node != use) {
        AddPresent(all, LookUp(value.value.node, key), nullptr, value.guards);
      } else if (value.value.Is(ScriptValue::Kind::kInstance)) {
        continue;
      }
    }
  }
  if (all.empty() && use->Is(Kind::kIdentifier)) AddFilledByCallees(use, name, key, &all);
  const bool covered = std::any_of(all.begin(), all.end(),
                                   [](const Alternative& value) { return value.guards.empty(); });
  if (!covered) all.push_back(Absent(use)[0]);
  return all;
}

}  // namespace fathom
