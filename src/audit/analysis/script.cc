#include "audit/analysis/script.h"

#include <algorithm>

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

bool OpensScope(const SyntaxNode& node) {
  switch (node.kind) {
    case Kind::kFunction:
    case Kind::kClass:
    case Kind::kLambda:
    case Kind::kListComprehension:
    case Kind::kSetComprehension:
    case Kind::kDictionaryComprehension:
    case Kind::kGenerator:
      return true;
    default:
      return false;
  }
}

std::string_view LastName(const SyntaxNode* callee) {
  callee = Unwrap(callee);
  if (callee == nullptr) return {};
  if (callee->Is(Kind::kIdentifier)) return callee->text;
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  return attribute == nullptr ? std::string_view() : attribute->text;
}

CallSite ReadCall(const SyntaxNode& node) {
  CallSite call;
  call.node = &node;
  call.callee = node.Child(Field::kFunction);
  const SyntaxNode* arguments = node.Child(Field::kArguments);
  if (arguments == nullptr) return call;
  if (arguments->Is(Kind::kGenerator)) {
    call.positional.push_back(arguments);
    return call;
  }
  for (const SyntaxNode* argument : arguments->children) {
    if (argument->Is(Kind::kKeywordArgument)) {
      const SyntaxNode* name = argument->Child(Field::kName);
      const SyntaxNode* value = argument->Child(Field::kValue);
      if (name != nullptr && value != nullptr) {
        call.keywords.push_back({std::string(name->text), value, argument});
      }
    } else if (argument->Is(Kind::kDictionarySplat)) {
      if (!argument->children.empty()) call.splats.push_back(argument->children[0]);
    } else if (argument->Is(Kind::kListSplat)) {
      call.star = true;
    } else if (!call.star) {
      call.positional.push_back(argument);
    }
  }
  return call;
}

}  // namespace

const std::vector<Definition>* Scope::Find(std::string_view name) const {
  const auto found = names.find(name);
  return found == names.end() ? nullptr : &found->second;
}

const CallSite::Keyword* CallSite::Find(std::string_view name) const {
  for (const Keyword& keyword : keywords) {
    if (keyword.name == name) return &keyword;
  }
  return nullptr;
}

std::vector<Parameter> ParametersOf(const SyntaxNode* function) {
  std::vector<Parameter> parameters;
  const SyntaxNode* list = function->Child(Field::kParameters);
  if (list == nullptr) return parameters;
  bool keyword_only = false;
  for (const SyntaxNode* node : list->children) {
    Parameter parameter;
    parameter.node = node;
    parameter.annotation = node->Child(Field::kType);
    const SyntaxNode* name = node;
    if (node->Is(Kind::kKeywordSeparator)) {
      keyword_only = true;
      continue;
    }
    if (node->Is(Kind::kDefaultParameter) || node->Is(Kind::kTypedDefaultParameter)) {
      name = node->Child(Field::kName);
      parameter.default_value = node->Child(Field::kValue);
    } else if (node->Is(Kind::kTypedParameter)) {
      name = node->children.empty() ? nullptr : node->children[0];
    }
    if (name == nullptr) continue;
    if (name->Is(Kind::kListSplatPattern) || name->Is(Kind::kDictionarySplatPattern)) {
      parameter.kind =
          name->Is(Kind::kListSplatPattern) ? Parameter::Kind::kStar : Parameter::Kind::kDoubleStar;
      name = name->children.empty() ? nullptr : name->children[0];
    }
    if (name == nullptr || !name->Is(Kind::kIdentifier)) continue;
    parameter.name = name->text;
    parameter.keyword_only = keyword_only;
    if (parameter.kind == Parameter::Kind::kStar) keyword_only = true;
    parameters.push_back(parameter);
  }
  return parameters;
}

Script::Script(const PythonSource& source) : source_(source), tree_(source) {
  const std::deque<SyntaxNode>& nodes = tree_.nodes();
  scopes_of_.resize(nodes.size());
  scopes_.push_back({Scope::Kind::kModule, tree_.root(), nullptr, {}, {}, {}});
  // Parents come first, so a node's scope is known before it is visited. Decorators, defaults and
  // base classes belong to the scope around the function, as in Python.
  for (const SyntaxNode& node : nodes) {
    Scope* scope = &scopes_.front();
    if (node.parent != nullptr) {
      scope = scopes_of_[node.parent->index];
      const bool inside = node.field == Field::kBody || node.field == Field::kParameters ||
                          !(node.parent->Is(Kind::kFunction) || node.parent->Is(Kind::kClass));
      if (const auto opened = opened_.find(node.parent); inside && opened != opened_.end()) {
        scope = opened->second;
      }
    }
    scopes_of_[node.index] = scope;
    if (!node.dead && OpensScope(node)) OpenScope(&node, scope);
  }
  for (const SyntaxNode& node : nodes) {
    if (!node.dead) Visit(node);
  }
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (!calls_[i].indirect) call_index_.emplace(calls_[i].node, i);
    const std::string_view name = LastName(calls_[i].callee);
    if (name == "add_argument" || name == "set_defaults" || name == "option" ||
        name == "argument" || name.starts_with("DEFINE_")) {
      option_calls_.push_back(&calls_[i]);
    }
  }
}

Scope* Script::OpenScope(const SyntaxNode* node, Scope* parent) {
  Scope& scope = scopes_.emplace_back();
  scope.node = node;
  scope.parent = parent;
  opened_[node] = &scope;
  if (node->Is(Kind::kFunction) || node->Is(Kind::kLambda)) {
    scope.kind = Scope::Kind::kFunction;
    DefineParameters(*node, &scope);
    functions_.push_back(node);
  } else {
    scope.kind = node->Is(Kind::kClass) ? Scope::Kind::kClass : Scope::Kind::kComprehension;
    if (node->Is(Kind::kClass)) classes_.push_back(node);
  }
  return &scope;
}

const Scope* Script::ScopeIn(const SyntaxNode* node) const {
  const auto found = opened_.find(node);
  return found == opened_.end() ? nullptr : found->second;
}

const Scope* Script::ClassOf(const Scope* function) const {
  for (const Scope* scope = function; scope != nullptr; scope = scope->parent) {
    if (scope->kind == Scope::Kind::kClass) return scope;
  }
  return nullptr;
}

const CallSite* Script::CallAt(const SyntaxNode* node) const {
  const auto found = call_index_.find(node);
  return found == call_index_.end() ? nullptr : &calls_[found->second];
}

int Script::LastLine(const SyntaxNode* node) const {
  return LineOf(node->end > node->begin ? node->end - 1 : node->end);
}

void Script::Define(Scope* scope, std::string_view name, Definition definition) {
  if (std::find(scope->global_names.begin(), scope->global_names.end(), name) !=
      scope->global_names.end()) {
    scope = &scopes_.front();
  }
  // self.x belongs to the class, whichever method writes it.
  const size_t dot = name.find('.');
  if (dot != std::string_view::npos) {
    const std::string_view first = name.substr(0, dot);
    for (Scope* around = scope; around != nullptr; around = around->parent) {
      if (around->self_name.empty() || around->self_name != first) continue;
      if (around->parent->kind == Scope::Kind::kClass) {
        around->parent->names["self" + std::string(name.substr(dot))].push_back(
            std::move(definition));
        return;
      }
    }
  }
  const auto found = scope->names.find(name);
  if (found != scope->names.end()) {
    found->second.push_back(std::move(definition));
  } else {
    scope->names[std::string(name)].push_back(std::move(definition));
  }
}

void Script::DefineParameters(const SyntaxNode& function, Scope* scope) {
  const std::vector<Parameter> parameters = ParametersOf(&function);
  for (size_t i = 0; i < parameters.size(); ++i) {
    Definition definition;
    definition.kind = Definition::Kind::kParameter;
    definition.node = parameters[i].node;
    definition.position = static_cast<int>(i);
    scope->names[std::string(parameters[i].name)].push_back(definition);
  }
  if (function.Is(Kind::kFunction) && scope->parent->kind == Scope::Kind::kClass &&
      !parameters.empty()) {
    scope->self_name = parameters[0].name;
  }
}

void Script::DefineItem(const SyntaxNode* target, const SyntaxNode* value,
                        const SyntaxNode* statement) {
  const std::string name = DottedText(target->Child(Field::kValue));
  const SyntaxNode* subscript = target->Child(Field::kSubscript);
  if (name.empty() || subscript == nullptr) return;
  Definition definition;
  definition.kind = value == nullptr ? Definition::Kind::kRemove : Definition::Kind::kItem;
  definition.node = statement;
  definition.value = value;
  const auto key = StringLiteral(subscript);
  if (key) {
    definition.key = *key;
  } else if (value != nullptr && Unwrap(subscript)->Is(Kind::kIdentifier)) {
    definition.key_node = subscript;  // d[name] = value
  } else {
    return;  // another key: says nothing of the ones that are asked for
  }
  Define(scopes_of_[target->index], name, std::move(definition));
}

void Script::DefineTarget(const SyntaxNode* target, const SyntaxNode* value,
                          const SyntaxNode* statement, Definition::Kind kind) {
  target = Unwrap(target);
  if (target == nullptr) return;
  Definition definition;
  definition.kind = kind;
  definition.node = statement;
  definition.value = value;
  if (target->Is(Kind::kIdentifier)) {
    Define(scopes_of_[target->index], target->text, std::move(definition));
  } else if (target->Is(Kind::kAttribute)) {
    const SyntaxNode* attribute = target->Child(Field::kAttribute);
    if (attribute != nullptr && value != nullptr && kind == Definition::Kind::kAssign) {
      writes_.push_back(
          {statement, target->Child(Field::kObject), std::string(attribute->text), value});
    }
    const std::string name = DottedText(target);
    if (!name.empty()) Define(scopes_of_[target->index], name, std::move(definition));
  } else if (target->Is(Kind::kSubscript)) {
    if (kind == Definition::Kind::kAssign) DefineItem(target, value, statement);
  } else if (target->Is(Kind::kPatternList) || target->Is(Kind::kTuple) ||
             target->Is(Kind::kList)) {
    int position = 0;
    for (const SyntaxNode* element : target->children) {
      const SyntaxNode* part = value == nullptr ? nullptr : Unwrap(value);
      const bool pairs = part != nullptr && kind == Definition::Kind::kAssign &&
                         (part->Is(Kind::kExpressionList) || part->Is(Kind::kTuple)) &&
                         part->children.size() == target->children.size();
      if (pairs) {
        DefineTarget(element, part->children[position], statement, kind);
      } else if (element->Is(Kind::kIdentifier)) {
        Definition piece = definition;
        piece.kind = kind == Definition::Kind::kAssign ? Definition::Kind::kElement
                                                       : Definition::Kind::kOpaque;
        piece.position = position;
        Define(scopes_of_[element->index], element->text, std::move(piece));
      }
      ++position;
    }
  }
}

void Script::VisitAssignment(const SyntaxNode& node) {
  const SyntaxNode* left = node.Child(Field::kLeft);
  const SyntaxNode* right = node.Child(Field::kRight);
  if (left == nullptr || right == nullptr) return;
  const SyntaxNode* statement = &node;
  if (node.Is(Kind::kAugmentedAssignment)) {
    const std::string name = DottedText(left);
    if (name.empty()) return;
    Definition definition;
    const SyntaxNode* op = node.Child(Field::kOperator);
    definition.kind =
        op != nullptr && op->text == "|=" ? Definition::Kind::kUpdate : Definition::Kind::kOpaque;
    definition.node = statement;
    definition.value = right;
    Define(scopes_of_[node.index], name, std::move(definition));
    return;
  }
  // a = b = value: the innermost right side is what every target gets.
  while (right->Is(Kind::kAssignment) && right->Child(Field::kRight) != nullptr) {
    right = right->Child(Field::kRight);
  }
  DefineTarget(left, right, statement, Definition::Kind::kAssign);
}

void Script::VisitImport(const SyntaxNode& node) {
  const auto define = [&](const SyntaxNode* name, std::string prefix) {
    std::string_view bound = name->text;
    std::string path = prefix + std::string(name->text);
    if (name->Is(Kind::kAliasedImport)) {
      const SyntaxNode* real = name->Child(Field::kName);
      const SyntaxNode* alias = name->Child(Field::kAlias);
      if (real == nullptr || alias == nullptr) return;
      path = prefix + std::string(real->text);
      bound = alias->text;
    } else if (prefix.empty()) {
      bound = bound.substr(0, bound.find('.'));  // `import torch.nn` binds torch
      path = std::string(bound);
    }
    Definition definition;
    definition.kind = Definition::Kind::kImport;
    definition.node = &node;
    definition.path = std::move(path);
    Define(scopes_of_[node.index], bound, std::move(definition));
  };
  if (node.Is(Kind::kImport)) {
    for (const SyntaxNode* name : node.All(Field::kName)) define(name, "");
    return;
  }
  const SyntaxNode* module = node.Child(Field::kModuleName);
  if (module == nullptr) return;
  const std::string prefix = std::string(module->text) + ".";
  for (const SyntaxNode* name : node.All(Field::kName)) define(name, prefix);
  for (const SyntaxNode* child : node.children) {
    if (child->Is(Kind::kWildcardImport)) wildcards_.emplace_back(module->text);
  }
}

// `d.update(...)`, `d.pop("k")`, `d.setdefault("k", v)` change the dictionary d.
void Script::DefineByMethod(const CallSite& call) {
  const SyntaxNode* callee = Unwrap(call.callee);
  if (callee == nullptr || !callee->Is(Kind::kAttribute)) return;
  const std::string_view method = LastName(callee);
  const std::string name = DottedText(callee->Child(Field::kObject));
  if (name.empty()) return;
  Definition definition;
  definition.node = call.node;
  if (method == "update") {
    definition.kind = Definition::Kind::kUpdate;
  } else if (method == "pop" || method == "setdefault") {
    const auto key = call.positional.empty() ? std::nullopt : StringLiteral(call.positional[0]);
    if (!key) return;
    definition.key = *key;
    definition.kind = Definition::Kind::kRemove;
    if (method == "setdefault") {
      if (call.positional.size() < 2) return;
      definition.kind = Definition::Kind::kItem;
      definition.value = call.positional[1];
    }
  } else {
    return;
  }
  Define(scopes_of_[call.node->index], name, std::move(definition));
}

// Calls that are made through another: Thread(target=f, ...), partial(f, ...), submit(f, ...).
void Script::AddDerivedCalls(const CallSite& call) {
  const std::string_view name = LastName(call.callee);
  CallSite derived;
  derived.node = call.node;
  derived.indirect = true;
  size_t first = 0;
  if (name == "Thread" || name == "Process" || name == "Timer") {
    const CallSite::Keyword* target = call.Find("target");
    if (target == nullptr) return;
    derived.callee = target->value;
    if (const auto* kwargs = call.Find("kwargs")) derived.splats.push_back(kwargs->value);
    if (const auto* args = call.Find("args")) {
      const SyntaxNode* list = Unwrap(args->value);
      if (list->Is(Kind::kTuple) || list->Is(Kind::kList)) {
        for (const SyntaxNode* element : list->children) derived.positional.push_back(element);
      }
    }
    calls_.push_back(std::move(derived));
    return;
  }
  if (name == "run_in_executor") first = 1;
  const bool passes = name == "partial" || name == "submit" || name == "to_thread" ||
                      name == "run_in_executor" || name == "run_in_threadpool" ||
                      name == "run_sync";
  if (!passes || call.positional.size() <= first) return;
  derived.callee = call.positional[first];
  derived.positional.assign(call.positional.begin() + static_cast<ptrdiff_t>(first) + 1,
                            call.positional.end());
  derived.keywords = call.keywords;
  derived.splats = call.splats;
  derived.star = call.star;
  calls_.push_back(std::move(derived));
}

void Script::VisitCall(const SyntaxNode& node) {
  CallSite call = ReadCall(node);
  if (call.callee == nullptr) return;
  const std::string name = DottedText(call.callee);
  if (name == "exec") has_exec_ = true;
  if (name == "setattr" && call.positional.size() >= 3) {
    if (const auto attribute = StringLiteral(call.positional[1])) {
      writes_.push_back({&node, call.positional[0], *attribute, call.positional[2]});
    }
  }
  DefineByMethod(call);
  calls_.push_back(call);
  AddDerivedCalls(call);
}

void Script::VisitLoops(const SyntaxNode& node) {
  const auto kind = Definition::Kind::kLoop;
  DefineTarget(node.Child(Field::kLeft), node.Child(Field::kRight), &node, kind);
}

void Script::Visit(const SyntaxNode& node) {
  Scope* scope = scopes_of_[node.index];
  switch (node.kind) {
    case Kind::kFunction:
    case Kind::kClass: {
      const SyntaxNode* name = node.Child(Field::kName);
      if (name == nullptr) return;
      Definition definition;
      definition.kind =
          node.Is(Kind::kClass) ? Definition::Kind::kClass : Definition::Kind::kFunction;
      definition.node = &node;
      Define(scope, name->text, std::move(definition));
      return;
    }
    case Kind::kAssignment:
    case Kind::kAugmentedAssignment:
      return VisitAssignment(node);
    case Kind::kNamedExpression:
      return DefineTarget(node.Child(Field::kName), node.Child(Field::kValue), &node,
                          Definition::Kind::kAssign);
    case Kind::kImport:
    case Kind::kImportFrom:
      return VisitImport(node);
    case Kind::kCall:
      return VisitCall(node);
    case Kind::kFor:
    case Kind::kForInClause:
      return VisitLoops(node);
    case Kind::kAsPattern: {
      const SyntaxNode* target = node.Child(Field::kAlias);
      if (target == nullptr || node.children.empty()) return;
      if (target->Is(Kind::kAsPatternTarget) && !target->children.empty()) {
        target = target->children[0];
      }
      return DefineTarget(target, node.children[0], &node, Definition::Kind::kWith);
    }
    case Kind::kDelete:
      for (const SyntaxNode* child : node.children) {
        if (child->Is(Kind::kSubscript)) DefineItem(child, nullptr, &node);
      }
      return;
    case Kind::kGlobal:
      for (const SyntaxNode* child : node.children) {
        scope->global_names.emplace_back(child->text);
      }
      return;
    default:
      return;
  }
}

}  // namespace fathom
