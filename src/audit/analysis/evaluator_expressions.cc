// Evaluator: operators, subscripts, options, parameters.
#include <algorithm>
#include <cctype>

#include "audit/analysis/evaluator.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

Alternative Truth(bool truth, const SyntaxNode* origin) {
  Alternative alternative;
  alternative.value.kind = ScriptValue::Kind::kBool;
  alternative.value.number = truth ? 1 : 0;
  alternative.value.text = truth ? "True" : "False";
  alternative.value.node = origin;
  alternative.origin = origin;
  return alternative;
}

Alternative NoneOf(const SyntaxNode* origin) {
  Alternative alternative;
  alternative.value.kind = ScriptValue::Kind::kNone;
  alternative.value.text = "None";
  alternative.origin = origin;
  return alternative;
}

Guards Joined(const Guards& a, const Guards& b) {
  Guards joined = a;
  joined.insert(joined.end(), b.begin(), b.end());
  return joined;
}

void Append(Alternatives& to, const Alternatives& from, const Guards& guards,
            const std::string& option = {}) {
  for (Alternative alternative : from) {
    alternative.guards = Joined(guards, alternative.guards);
    if (alternative.option.empty()) alternative.option = option;
    to.push_back(std::move(alternative));
  }
}

// The one constant that a condition is, by way of options; nothing where it is open.
std::optional<bool> KnownTruth(const Alternatives& values, std::string* option) {
  std::optional<bool> truth;
  for (const Alternative& value : values) {
    if (!value.value.IsConstant() || (truth && *truth != value.value.truthy())) return {};
    truth = value.value.truthy();
    if (option->empty()) *option = value.option;
  }
  return truth;
}

// "--top-k" -> "top_k"
std::string Destination(std::string_view flag) {
  while (flag.starts_with('-')) flag.remove_prefix(1);
  std::string name(flag);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// The name under which add_argument keeps its value.
std::string DestinationOf(const CallSite& call) {
  if (const auto* dest = call.Find("dest")) {
    return StringLiteral(dest->value).value_or("");
  }
  std::string name;
  for (const SyntaxNode* argument : call.positional) {
    const auto flag = StringLiteral(argument);
    if (!flag) continue;
    const bool is_long = flag->starts_with("--") || !flag->starts_with("-");
    if (name.empty() || is_long) name = Destination(*flag);
    if (is_long) break;
  }
  return name;
}

std::string_view CallName(const CallSite& call) {
  const SyntaxNode* callee = Unwrap(call.callee);
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  return attribute != nullptr ? attribute->text : callee->text;
}

}  // namespace

Alternatives Evaluator::MachineTruth(const SyntaxNode* node) {
  Alternatives both = {Truth(true, node), Truth(false, node)};
  for (int branch = 0; branch < 2; ++branch) {
    Guard guard;
    guard.owner = guard.at = guard.condition = node;
    guard.branch = branch;
    guard.branches = 2;
    guard.counts = true;
    both[static_cast<size_t>(branch)].guards.push_back(guard);
  }
  return both;
}

Alternatives Evaluator::EvaluateConditional(const SyntaxNode* node) {
  if (node->children.size() < 3) return {};
  const SyntaxNode* condition = node->children[1];
  Guard guard;
  guard.owner = node;
  guard.at = guard.condition = condition;
  guard.branches = 2;
  const bool machine = IsMachineCondition(condition, *this);
  guard.counts = machine || IsGuardCondition(condition, *this);
  std::string option;
  const auto truth = machine ? std::nullopt : KnownTruth(Evaluate(condition), &option);
  Alternatives all;
  for (int branch = 0; branch < 2; ++branch) {
    const SyntaxNode* value = node->children[branch == 0 ? 0 : 2];
    // A value that hangs on an option counts at the option's default: no guard.
    const bool decided = truth.has_value() && !option.empty();
    if (value->dead || (decided && *truth != (branch == 0))) continue;
    guard.branch = branch;
    Append(all, Evaluate(value), decided ? Guards() : Guards{guard}, option);
  }
  return all;
}

Alternatives Evaluator::EvaluateBoolean(const SyntaxNode* node) {
  if (node->children.size() != 3) return {};
  const bool is_and = node->children[1]->text == "and";
  Alternatives all;
  for (const Alternative& left : Evaluate(node->children[0])) {
    const bool constant = left.value.IsConstant();
    if (constant || left.value.Is(ScriptValue::Kind::kDisplay)) {
      const bool truthy = !constant || left.value.truthy();
      if (truthy == is_and) {
        Append(all, Evaluate(node->children[2]), left.guards, left.option);
      } else {
        all.push_back(left);
      }
    } else if (left.value.Is(ScriptValue::Kind::kPath) && !is_and) {
      all.push_back(left);
    } else {
      if (IsMachineCondition(node, *this)) return MachineTruth(node);
      if (!is_and) Append(all, Evaluate(node->children[2]), left.guards);
      if (is_and) all.push_back({{}, {}, node, {}});
      if (!is_and) all.push_back(left);
    }
  }
  return all;
}

Alternatives Evaluator::EvaluateNot(const SyntaxNode* node) {
  Alternatives all;
  for (Alternative value : Evaluate(node->children.empty() ? nullptr : node->children.back())) {
    if (!value.value.IsConstant()) {
      return IsMachineCondition(node, *this) ? MachineTruth(node) : Alternatives();
    }
    Alternative truth = Truth(!value.value.truthy(), node);
    truth.guards = value.guards;
    truth.option = value.option;
    all.push_back(std::move(truth));
  }
  return all;
}

Alternatives Evaluator::EvaluateComparison(const SyntaxNode* node) {
  if (IsMachineCondition(node, *this)) return MachineTruth(node);
  if (node->children.size() != 3) return {};
  const std::string_view op = node->children[1]->text;
  const Alternatives left = Evaluate(node->children[0]);
  const Alternatives right = Evaluate(node->children[2]);
  if (left.size() != 1 || right.size() != 1) return {};
  const ScriptValue& a = left[0].value;
  const ScriptValue& b = right[0].value;
  bool truth = false;
  if (op == "in" || op == "not in") {
    if (!b.Is(ScriptValue::Kind::kDisplay) || !a.Is(ScriptValue::Kind::kString)) return {};
    for (const SyntaxNode* element : b.node->children) {
      const auto text = StringLiteral(element);
      const bool other = element->Is(Kind::kNone) || element->Is(Kind::kInteger);
      if (other) continue;  // no string
      if (!text) return {};
      truth = truth || *text == a.text;
    }
    if (op == "not in") truth = !truth;
  } else {
    if (!a.IsConstant() || !b.IsConstant()) return {};
    const bool numbers = a.Is(ScriptValue::Kind::kNumber) && b.Is(ScriptValue::Kind::kNumber);
    const bool same = a.kind == b.kind && a.number == b.number && (numbers || a.text == b.text);
    if (op == "==" || op == "is") {
      truth = same;
    } else if (op == "!=" || op == "is not") {
      truth = !same;
    } else if (numbers && (op == ">" || op == "<" || op == ">=" || op == "<=")) {
      truth = op[0] == '>' ? a.number > b.number : a.number < b.number;
      truth = truth || (op.size() == 2 && a.number == b.number);
    } else {
      return {};
    }
  }
  Alternative result = Truth(truth, node);
  result.option = left[0].option.empty() ? right[0].option : left[0].option;
  return {result};
}

Alternatives Evaluator::EvaluateSubscript(const SyntaxNode* node) {
  const SyntaxNode* object = node->Child(Field::kValue);
  const SyntaxNode* subscript = node->Child(Field::kSubscript);
  if (object == nullptr || subscript == nullptr) return {};
  Alternatives all;
  for (const Alternative& key : Evaluate(subscript)) {
    if (key.value.Is(ScriptValue::Kind::kString)) {
      for (const Alternative& found : LookUp(object, key.value.text)) {
        if (!found.value.Is(ScriptValue::Kind::kAbsent))
          Append(all, {found}, key.guards, key.option);
      }
    } else if (key.value.Is(ScriptValue::Kind::kNumber) && key.value.number >= 0) {
      for (const Alternative& list : Evaluate(object)) {
        const auto place = static_cast<size_t>(key.value.number);
        Append(all, ParsedDataclass(list.value, place), list.guards);
        if (list.value.Is(ScriptValue::Kind::kDisplay) && !list.value.node->Is(Kind::kCall) &&
            !list.value.node->Is(Kind::kDictionary) && place < list.value.node->children.size()) {
          Append(all, Evaluate(list.value.node->children[place]), list.guards);
        }
      }
    } else if (key.value.Is(ScriptValue::Kind::kBool)) {
      // {True: a, False: b}[flag]
      for (const Alternative& map : Evaluate(object)) {
        if (!map.value.Is(ScriptValue::Kind::kDisplay)) continue;
        for (const SyntaxNode* pair : map.value.node->children) {
          const SyntaxNode* name = pair->Child(Field::kKey);
          if (name != nullptr && name->text == key.value.text) {
            Append(all, Evaluate(pair->Child(Field::kValue)), key.guards, key.option);
          }
        }
      }
    }
  }
  return all;
}

// --- options of the script ----------------------------------------------------------------

Alternatives Evaluator::EvaluateOption(const SyntaxNode* node, std::string_view name) {
  Alternatives found;
  const std::string spelling = DottedText(node).empty() ? std::string(name) : DottedText(node);
  for (const CallSite* call : script_.option_calls()) {
    const std::string_view kind = CallName(*call);
    Alternatives value;
    if (kind == "set_defaults") {
      if (const auto* keyword = call->Find(name)) value = Evaluate(keyword->value);
    } else if (kind == "add_argument" && DestinationOf(*call) == name) {
      const auto* given = call->Find("default");
      const auto* action = call->Find("action");
      const std::string act = action == nullptr ? "" : StringLiteral(action->value).value_or("");
      if (given != nullptr) {
        value = Evaluate(given->value);
      } else if (act == "store_true" || act == "store_false") {
        value = {Truth(act == "store_false", call->node)};
      } else if (DestinationOf(*call) == name && !call->positional.empty() &&
                 StringLiteral(call->positional[0]).value_or("-").starts_with('-') &&
                 call->Find("required") == nullptr) {
        value = {NoneOf(call->node)};
      } else {
        Alternative unknown;
        unknown.origin = node;
        unknown.value.text = "?" + spelling;
        value = {unknown};
      }
    } else if (kind.starts_with("DEFINE_") && call->positional.size() >= 2 &&
               StringLiteral(call->positional[0]) == name) {
      value = Evaluate(call->positional[1]);
    }
    for (Alternative& alternative : value) {
      alternative.option = spelling;
      alternative.guards.clear();
    }
    if (!value.empty()) found = std::move(value);  // the last one holds
  }
  return found;
}

namespace {

// The decorators of a function, outermost first.
std::vector<const SyntaxNode*> DecoratorsOf(const SyntaxNode* function) {
  std::vector<const SyntaxNode*> decorators;
  if (function->parent == nullptr || !function->parent->Is(Kind::kDecorated)) return decorators;
  for (const SyntaxNode* child : function->parent->children) {
    if (child->Is(Kind::kDecorator) && !child->children.empty()) {
      decorators.push_back(child->children[0]);
    }
  }
  return decorators;
}

// The default of a parameter that a command line fills: click's option, typer, fire.
Alternatives ClickOption(const Script& script, Evaluator& evaluator, const SyntaxNode* function,
                         std::string_view name) {
  for (const SyntaxNode* decorator : DecoratorsOf(function)) {
    const CallSite* call = script.CallAt(Unwrap(decorator));
    if (call == nullptr || CallName(*call) != "option") continue;
    bool matches = false;
    for (const SyntaxNode* argument : call->positional) {
      std::string flag = StringLiteral(argument).value_or("");
      flag = flag.substr(0, flag.find('/'));
      matches = matches || Destination(flag) == name;
    }
    if (!matches) continue;
    Alternatives value;
    if (const auto* given = call->Find("default")) {
      value = evaluator.Evaluate(given->value);
    } else {
      value = {call->Find("is_flag") != nullptr ? Truth(false, call->node) : NoneOf(call->node)};
    }
    for (Alternative& alternative : value) alternative.option = std::string(name);
    return value;
  }
  return {};
}

}  // namespace

Alternatives Evaluator::EvaluateParameter(const Scope* scope, const Definition& definition) {
  const SyntaxNode* function = scope->node;
  const std::vector<Parameter> parameters = ParametersOf(function);
  const auto place = static_cast<size_t>(definition.position);
  if (place >= parameters.size()) return {};
  const Parameter& parameter = parameters[place];
  if (parameter.kind != Parameter::Kind::kPlain) return {};
  const bool is_method = !scope->self_name.empty();
  if (is_method && place == 0) {
    Alternative self;
    self.value.kind = ScriptValue::Kind::kInstance;
    self.value.node = scope->parent->node;
    return {self};
  }
  Alternatives all = ClickOption(script_, *this, function, parameter.name);
  if (!all.empty()) return all;
  const std::vector<const CallSite*>& callers = CallersOf(function);
  bool default_counts = callers.empty();
  const int position = static_cast<int>(place) - (is_method ? 1 : 0);
  for (const CallSite* caller : callers) {
    Alternatives passed = Argument(*caller, parameter.name, position);
    for (Alternative& value : passed) {
      if (value.value.Is(ScriptValue::Kind::kAbsent)) {
        default_counts = true;
      } else if (all.size() < 16) {
        all.push_back(std::move(value));
      }
    }
  }
  if (default_counts && parameter.default_value != nullptr) {
    Alternatives given = Evaluate(parameter.default_value);
    const bool from_command_line =
        calls_by_name_.contains("Fire") || calls_by_name_.contains("run_cli");
    for (Alternative& value : given) {
      if (from_command_line && value.option.empty() && callers.empty()) {
        value.option = std::string(parameter.name);
      }
    }
    Append(all, given, {});
  }
  if (all.empty()) all = AnnotationInstance(parameter.annotation);
  return all;
}

}  // namespace fathom
