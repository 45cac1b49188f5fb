// Evaluator: calls, the functions they reach, and what those give back.
#include <algorithm>
#include <array>
#include <cctype>

#include "audit/analysis/evaluator.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

Alternative PathOf(std::string path, const SyntaxNode* origin) {
  Alternative alternative;
  const bool known = !path.starts_with('?');
  alternative.value.kind = known ? ScriptValue::Kind::kPath : ScriptValue::Kind::kUnknown;
  alternative.value.text = path.size() > 400 ? "?" : std::move(path);
  alternative.value.node = alternative.origin = origin;
  return alternative;
}

constexpr size_t kMaxMethods = 80;  // of one name: a class for each family of models

std::string_view LastPart(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view CalleeName(const CallSite& call) {
  const SyntaxNode* callee = Unwrap(call.callee);
  if (callee == nullptr) return {};
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  if (attribute != nullptr) return attribute->text;
  return callee->Is(Kind::kIdentifier) ? callee->text : std::string_view();
}

// Names that libraries use too: an object of unknown kind is then not ours.
bool IsLibraryName(std::string_view name) {
  return IsOneOf(
      name, {"from_pretrained", "get", "update", "items", "keys", "to", "eval", "compile", "half",
             "float", "__call__", "forward", "append", "save", "run", "close"});
}

// The statement's `return` expressions of a function, nested functions left out.
void CollectReturns(const SyntaxNode* node, int depth, std::vector<const SyntaxNode*>* returns) {
  if (depth > 60 || returns->size() >= 12) return;
  for (const SyntaxNode* child : node->children) {
    if (child->dead || child->Is(Kind::kFunction) || child->Is(Kind::kLambda) ||
        child->Is(Kind::kClass)) {
      continue;
    }
    if (child->Is(Kind::kReturn)) returns->push_back(child);
    const bool holds_statements =
        child->Is(Kind::kBlock) || child->Is(Kind::kIf) || child->Is(Kind::kElif) ||
        child->Is(Kind::kElse) || child->Is(Kind::kTry) || child->Is(Kind::kExcept) ||
        child->Is(Kind::kFinally) || child->Is(Kind::kWith) || child->Is(Kind::kFor) ||
        child->Is(Kind::kWhile) || child->Is(Kind::kMatch) || child->Is(Kind::kCase);
    if (holds_statements) CollectReturns(child, depth + 1, returns);
  }
}

}  // namespace

Alternatives Evaluator::EvaluateReturns(const SyntaxNode* function) {
  if (function->Is(Kind::kLambda)) return Evaluate(function->Child(Field::kBody));
  std::vector<const SyntaxNode*> returns;
  const SyntaxNode* body = function->Child(Field::kBody);
  if (body != nullptr) CollectReturns(body, 0, &returns);
  Alternatives all;
  for (const SyntaxNode* statement : returns) {
    if (statement->children.empty()) continue;
    const Guards guards = GuardsBetween(statement, function, *this);
    for (Alternative value : Evaluate(statement->children[0])) {
      value.guards.insert(value.guards.begin(), guards.begin(), guards.end());
      all.push_back(std::move(value));
    }
  }
  return all;
}

Alternatives Evaluator::EvaluateCall(const SyntaxNode* node) {
  const CallSite* call = script_.CallAt(node);
  if (call == nullptr) return {};
  const SyntaxNode* callee = Unwrap(call->callee);
  Alternatives all;
  if (callee->Is(Kind::kAttribute)) {
    all = EvaluateMethod(*call, callee);
    if (!all.empty()) return all;
  }
  for (const Alternative& value : Evaluate(callee)) {
    Alternatives results;
    if (value.value.Is(ScriptValue::Kind::kFunction)) {
      results = EvaluateReturns(value.value.node);
    } else if (value.value.Is(ScriptValue::Kind::kClass)) {
      Alternative instance = value;
      instance.value.kind = ScriptValue::Kind::kInstance;
      instance.value.call = node;
      results = {instance};
    } else if (value.value.Is(ScriptValue::Kind::kPath)) {
      results = EvaluateLibraryCall(*call, value.value.text);
    } else if (value.value.Is(ScriptValue::Kind::kUnknown)) {
      for (const SyntaxNode* function : Callees(*call)) {
        const Alternatives returned = EvaluateReturns(function);
        results.insert(results.end(), returned.begin(), returned.end());
      }
      if (results.empty() && !value.value.text.empty()) {
        results = {PathOf(value.value.text + "()", node)};
      }
    }
    for (Alternative& result : results) {
      result.guards.insert(result.guards.begin(), value.guards.begin(), value.guards.end());
      all.push_back(std::move(result));
    }
  }
  return all;
}

// Methods of constants and dictionaries: text.lower(), table.get(key, default), d.copy().
Alternatives Evaluator::EvaluateMethod(const CallSite& call, const SyntaxNode* callee) {
  const SyntaxNode* object = callee->Child(Field::kObject);
  const std::string_view name = CalleeName(call);
  if (object == nullptr) return {};
  if (IsOneOf(name, {"lower", "upper", "strip", "copy", "item"})) {
    Alternatives all = Evaluate(object);
    for (Alternative& value : all) {
      if (!value.value.IsConstant() && !value.value.Is(ScriptValue::Kind::kDisplay)) return {};
      for (char& c : value.value.text) {
        const auto byte = static_cast<unsigned char>(c);
        if (name == "lower") c = static_cast<char>(std::tolower(byte));
        if (name == "upper") c = static_cast<char>(std::toupper(byte));
      }
    }
    return all;
  }
  if (name == "startswith" || name == "endswith") {  // device.startswith("cuda")
    return IsMachineCondition(call.node, *this) ? MachineTruth(call.node) : Alternatives();
  }
  if (name != "get" && name != "pop") return {};
  if (call.positional.empty()) return {};
  const std::string dotted = DottedText(object);
  if (dotted == "os.environ") return {};
  Alternatives all;
  for (const Alternative& key : Evaluate(call.positional[0])) {
    if (!key.value.Is(ScriptValue::Kind::kString)) return {};
    for (Alternative& found : LookUp(object, key.value.text)) {
      if (found.option.empty()) found.option = key.option;
      if (!found.value.Is(ScriptValue::Kind::kAbsent)) {
        all.push_back(std::move(found));
      } else if (call.positional.size() >= 2) {
        for (Alternative value : Evaluate(call.positional[1])) all.push_back(std::move(value));
      }
    }
  }
  return all;
}

namespace {

// Where a library's function takes the default of something that its user sets.
struct DefaultOf {
  std::string_view path;  // the last part
  std::string_view keyword;
  int position;
};
constexpr auto kUserSettings = std::to_array<DefaultOf>({
    {"Option", "default", 0},
    {"Argument", "default", 0},
    {"Field", "default", 0},
    {"field", "default", -1},
    {"Query", "default", 0},
    {"Body", "default", 0},
    {"Form", "default", 0},
    {"checkbox", "value", 1},
    {"toggle", "value", 1},
    {"slider", "value", 3},
    {"number_input", "value", 3},
    {"getenv", "default", 1},
});

}  // namespace

// super(): what the bases of the class around make of self.
Alternatives Evaluator::BaseInstances(const SyntaxNode* node) {
  const Scope* around = script_.ClassOf(script_.ScopeOf(node));
  const SyntaxNode* bases = around == nullptr ? nullptr : around->node->Child(Field::kSuperclasses);
  Alternatives all;
  for (const SyntaxNode* base : bases == nullptr ? std::vector<SyntaxNode*>() : bases->children) {
    for (Alternative& value : Evaluate(base)) {
      if (!value.value.Is(ScriptValue::Kind::kClass)) continue;
      value.value.kind = ScriptValue::Kind::kInstance;
      all.push_back(std::move(value));
    }
  }
  if (all.empty()) all.push_back(PathOf("super()", node));
  return all;
}

// What stands at `place` of HfArgumentParser((A, B)).parse_args_into_dataclasses(): an A, a B.
Alternatives Evaluator::ParsedDataclass(const ScriptValue& parsed, size_t place) {
  const std::string_view suffix = "HfArgumentParser().parse_args_into_dataclasses()";
  const CallSite* call = parsed.Is(ScriptValue::Kind::kPath) && parsed.text.ends_with(suffix)
                             ? script_.CallAt(parsed.node)
                             : nullptr;
  const SyntaxNode* callee = call == nullptr ? nullptr : Unwrap(call->callee);
  Alternatives all;
  if (callee == nullptr) return all;
  for (const Alternative& parser : Evaluate(callee->Child(Field::kObject))) {
    const CallSite* made =
        parser.value.node == nullptr ? nullptr : script_.CallAt(parser.value.node);
    if (made == nullptr || made->positional.empty()) continue;
    const SyntaxNode* type = Unwrap(made->positional[0]);
    const bool several = type->Is(Kind::kTuple) || type->Is(Kind::kList);
    if (several ? place >= type->children.size() : place > 0) continue;
    for (Alternative& value : Evaluate(several ? type->children[place] : type)) {
      if (!value.value.Is(ScriptValue::Kind::kClass)) continue;
      value.value.kind = ScriptValue::Kind::kInstance;
      all.push_back(std::move(value));
    }
  }
  return all;
}

// The class that defines the method, looked for from `owner` up through the bases in this file.
const SyntaxNode* Evaluator::DefiningClass(const SyntaxNode* owner, std::string_view name,
                                           int depth) {
  const Scope* scope = owner == nullptr ? nullptr : script_.ScopeIn(owner);
  if (scope == nullptr || depth > 8) return nullptr;
  if (scope->Find(name) != nullptr) return owner;
  const SyntaxNode* bases = owner->Child(Field::kSuperclasses);
  for (const SyntaxNode* base : bases == nullptr ? std::vector<SyntaxNode*>() : bases->children) {
    for (const Alternative& value : Evaluate(base)) {
      if (!value.value.Is(ScriptValue::Kind::kClass)) continue;
      const SyntaxNode* found = DefiningClass(value.value.node, name, depth + 1);
      if (found != nullptr) return found;
    }
  }
  return nullptr;
}

// getattr(object, "name")
Alternatives Evaluator::EvaluateGetattr(const CallSite& call) {
  Alternatives all;
  for (const Alternative& name : Evaluate(call.positional[1])) {
    if (!name.value.Is(ScriptValue::Kind::kString)) continue;
    for (const Alternative& object : Evaluate(call.positional[0])) {
      for (Alternative member : EvaluateMember(object.value, call.node, name.value.text)) {
        if (member.option.empty()) member.option = name.option;
        all.push_back(std::move(member));
      }
    }
  }
  return all;
}

Alternatives Evaluator::EvaluateLibraryCall(const CallSite& call, const std::string& path) {
  const std::string_view last = LastPart(path);
  const SyntaxNode* first = call.positional.empty() ? nullptr : call.positional[0];
  if (last == "partial" && first != nullptr) return Evaluate(first);
  if (path == "super") return BaseInstances(call.node);
  const bool display = path == "dict" || last == "OrderedDict" || last == "SimpleNamespace" ||
                       last == "Namespace" || last == "EasyDict";
  if (display) {
    Alternative value;
    value.value.kind = ScriptValue::Kind::kDisplay;
    value.value.node = value.origin = call.node;
    return {value};
  }
  const bool same = IsOneOf(path, {"str", "int", "float", "list", "tuple"}) || last == "deepcopy" ||
                    path == "copy.copy" || last == "AttrDict" || last == "DotMap";
  if (same && first != nullptr) return Evaluate(first);
  if (path == "min" && call.positional.size() == 2) {  // k = min(k, size of the vocabulary)
    for (const SyntaxNode* argument : call.positional) {
      Alternatives values = Evaluate(argument);
      std::erase_if(values, [](const Alternative& value) { return !value.value.IsConstant(); });
      if (!values.empty()) return values;
    }
  }
  if (path == "bool" && first != nullptr) {
    Alternatives values = Evaluate(first);
    for (Alternative& value : values) {
      if (!value.value.IsConstant()) continue;
      value.value.number = value.value.truthy() ? 1 : 0;
      value.value.kind = ScriptValue::Kind::kBool;
      value.value.text = value.value.number != 0 ? "True" : "False";
    }
    return values;
  }
  if (path == "getattr" && call.positional.size() >= 2) return EvaluateGetattr(call);
  const bool environment = path == "os.environ.get" || path == "os.environ.setdefault";
  for (const DefaultOf& known : kUserSettings) {
    if (!environment && known.path != last) continue;
    const Alternatives given =
        Argument(call, environment ? "default" : known.keyword, environment ? 1 : known.position);
    Alternatives all;
    for (Alternative value : given) {
      if (value.value.Is(ScriptValue::Kind::kAbsent)) {
        if (last != "getenv" && !environment) continue;
        value.value.kind = ScriptValue::Kind::kNone;
        value.value.text = "None";
      }
      const bool setting = first != nullptr && (environment || last == "getenv");
      value.option = setting ? std::string(first->text) : path;
      all.push_back(std::move(value));
    }
    if (const auto* factory = call.Find("default_factory"); factory != nullptr && all.empty()) {
      for (const Alternative& made : Evaluate(factory->value)) {
        if (made.value.Is(ScriptValue::Kind::kFunction)) return EvaluateReturns(made.value.node);
        if (!made.value.Is(ScriptValue::Kind::kClass)) continue;
        Alternative instance = made;
        instance.value.kind = ScriptValue::Kind::kInstance;
        all.push_back(std::move(instance));
      }
    }
    if (!all.empty()) return all;
    break;
  }
  const bool answers = last == "hasattr" || (last.starts_with("is_") && last != "is_tensor");
  if (answers && IsMachineCondition(call.node, *this)) return MachineTruth(call.node);
  return {PathOf(path + "()", call.node)};
}

Alternatives Evaluator::Argument(const CallSite& call, std::string_view name, int position) {
  if (const auto* keyword = call.Find(name)) {
    Alternatives values = Evaluate(keyword->value);
    return values;
  }
  if (position >= 0 && static_cast<size_t>(position) < call.positional.size()) {
    return Evaluate(call.positional[static_cast<size_t>(position)]);
  }
  // The last ** wins; one that lacks the key leaves it to those before.
  Alternatives all;
  for (auto splat = call.splats.rbegin(); splat != call.splats.rend(); ++splat) {
    bool absent = false;
    for (Alternative& value : LookUp(*splat, name)) {
      if (value.value.Is(ScriptValue::Kind::kAbsent)) {
        absent = true;
      } else {
        all.push_back(std::move(value));
      }
    }
    if (!absent) return all;
  }
  Alternative absent;
  absent.value.kind = ScriptValue::Kind::kAbsent;
  absent.origin = call.node;
  all.push_back(absent);
  return all;
}

namespace {

const SyntaxNode* ClassAround(const Script& script, const SyntaxNode* function) {
  const Scope* around = script.ScopeOf(function);
  return around != nullptr && around->kind == Scope::Kind::kClass ? around->node : nullptr;
}

std::string_view NameOf(const SyntaxNode* definition) {
  const SyntaxNode* name = definition == nullptr ? nullptr : definition->Child(Field::kName);
  return name == nullptr ? std::string_view() : name->text;
}

}  // namespace

std::vector<const SyntaxNode*> Evaluator::Callees(const CallSite& call) {
  std::vector<const SyntaxNode*> reached;
  const SyntaxNode* callee = Unwrap(call.callee);
  if (callee == nullptr) return reached;
  const std::string_view name = CalleeName(call);
  if (callee->Is(Kind::kAttribute)) {
    const auto methods = functions_by_name_.find(name);
    if (methods == functions_by_name_.end() || methods->second.size() > kMaxMethods) return reached;
    const Alternatives objects = Evaluate(callee->Child(Field::kObject));
    const std::string object_text = DottedText(callee->Child(Field::kObject));
    const bool looks_like_model = object_text.find("model") != std::string::npos;
    for (const SyntaxNode* function : methods->second) {
      const SyntaxNode* owner = ClassAround(script_, function);
      if (owner == nullptr) continue;
      bool same = false, other = false;
      for (const Alternative& object : objects) {
        const bool ours = object.value.Is(ScriptValue::Kind::kInstance) ||
                          object.value.Is(ScriptValue::Kind::kClass);
        const bool defines = ours && DefiningClass(object.value.node, name) == owner;
        same = same || defines;
        other = other || object.value.Is(ScriptValue::Kind::kPath) ||
                (ours && !defines && methods->second.size() > 1);
      }
      const bool guess = !other && !looks_like_model && !IsLibraryName(name);
      if (same || guess) reached.push_back(function);
    }
    return reached;
  }
  for (const Alternative& value : Evaluate(callee)) {
    if (value.value.Is(ScriptValue::Kind::kFunction)) reached.push_back(value.value.node);
    if (!value.value.Is(ScriptValue::Kind::kClass)) continue;
    const Scope* scope = script_.ScopeIn(DefiningClass(value.value.node, "__init__"));
    const auto* init = scope == nullptr ? nullptr : scope->Find("__init__");
    if (init != nullptr) reached.push_back(init->back().node);
  }
  return reached;
}

// super().__init__(...), and the making of classes below that have no __init__ of their own.
void Evaluator::AddInheritedCalls(const SyntaxNode* init,
                                  const std::function<void(std::string_view)>& add) {
  add("__init__");
  const SyntaxNode* owner = ClassAround(script_, init);
  std::vector<std::string> pending = {std::string(NameOf(owner))};
  for (size_t i = 0; i < pending.size() && i < 16; ++i) {
    const auto derived = derived_classes_.find(pending[i]);
    if (derived == derived_classes_.end()) continue;
    for (const std::string& name : derived->second) {
      if (std::find(pending.begin(), pending.end(), name) != pending.end()) continue;
      add(name);
      pending.push_back(name);
    }
  }
}

const std::vector<const CallSite*>& Evaluator::CallersOf(const SyntaxNode* function) {
  const auto known = callers_.find(function);
  if (known != callers_.end()) return known->second;
  std::vector<const CallSite*>& callers = callers_[function];  // empty while it is found out
  const SyntaxNode* name = function->Child(Field::kName);
  if (name == nullptr) return callers;
  std::string called(name->text);
  if (called == "__init__") {
    const SyntaxNode* owner = ClassAround(script_, function);
    if (NameOf(owner).empty()) return callers;
    called = NameOf(owner);
  }
  std::vector<const CallSite*> found;
  const auto add = [&](std::string_view spelling) {
    const auto calls = calls_by_name_.find(spelling);
    if (calls == calls_by_name_.end()) return;
    for (const CallSite* call : calls->second) {
      if (found.size() >= 24) break;
      const std::vector<const SyntaxNode*> reached = Callees(*call);
      if (std::find(reached.begin(), reached.end(), function) != reached.end()) {
        found.push_back(call);
      }
    }
  };
  add(called);
  if (name->text == "__init__") AddInheritedCalls(function, add);
  return callers_[function] = std::move(found);
}

}  // namespace fathom
