#include "audit/analysis/evaluator.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

constexpr int kMaxDepth = 40;
constexpr int kMaxSteps = 3000;              // of one question
constexpr int64_t kMaxTotalSteps = 1000000;  // of a file, after which
constexpr int kFewSteps = 100;               // is what a question may take
constexpr size_t kMaxAlternatives = 24;

Alternative Constant(ScriptValue::Kind kind, double number, std::string text,
                     const SyntaxNode* origin) {
  Alternative alternative;
  alternative.value.kind = kind;
  alternative.value.number = number;
  alternative.value.text = std::move(text);
  alternative.value.node = origin;
  alternative.origin = origin;
  return alternative;
}

double ParseNumber(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits += c;
  }
  return std::strtod(digits.c_str(), nullptr);
}

}  // namespace

bool Evaluator::HasSteps() const {
  return steps_ <= (total_steps_ <= kMaxTotalSteps ? kMaxSteps : kFewSteps);
}

// One level of a question; falls back to unknown beyond the bounds and inside a cycle.
struct Evaluator::Limit {
  Limit(Evaluator& owner, const void* key) : owner(owner), key(key) {
    if (owner.depth_ == 0) owner.steps_ = 0;
    ++owner.depth_;
    ++owner.steps_;
    ++owner.total_steps_;
    entered = owner.active_.insert(key).second;
    ok = entered && owner.depth_ <= kMaxDepth && owner.HasSteps();
  }
  ~Limit() {
    --owner.depth_;
    if (entered) owner.active_.erase(key);
  }
  Evaluator& owner;
  const void* key;
  bool entered = false;
  bool ok = false;
};

namespace {

Alternatives Unknown(const SyntaxNode* expression, std::string path = {}) {
  return {Constant(ScriptValue::Kind::kUnknown, 0, std::move(path), expression)};
}

void Append(Alternatives& to, Alternatives from, const Guards& guards) {
  for (Alternative& alternative : from) {
    if (to.size() >= kMaxAlternatives) return;
    alternative.guards.insert(alternative.guards.begin(), guards.begin(), guards.end());
    to.push_back(std::move(alternative));
  }
}

// The statement that a definition stands in, and where it starts to hold.
bool HoldsBefore(const Definition& definition, const SyntaxNode* use) {
  const SyntaxNode* node = definition.node;
  switch (definition.kind) {
    case Definition::Kind::kParameter:
    case Definition::Kind::kImport:
      return true;
    case Definition::Kind::kLoop:
      return node->Is(Kind::kForInClause) || node->begin < use->begin;
    case Definition::Kind::kFunction:
    case Definition::Kind::kClass:
      return node->begin < use->begin;
    default:
      return node->end <= use->begin;
  }
}

const SyntaxNode* CommonAncestor(const SyntaxNode* a, const SyntaxNode* b) {
  while (a != b) {
    if (a == nullptr || b == nullptr) return nullptr;
    if (a->depth > b->depth) {
      a = a->parent;
    } else if (b->depth > a->depth) {
      b = b->parent;
    } else {
      a = a->parent;
      b = b->parent;
    }
  }
  return a;
}

const SyntaxNode* ChildTowards(const SyntaxNode* ancestor, const SyntaxNode* node) {
  while (node != nullptr && node->parent != ancestor) node = node->parent;
  return node;
}

// Two branches of one if or match, of which only one runs.
bool Exclusive(const SyntaxNode* common, const SyntaxNode* a, const SyntaxNode* b) {
  const SyntaxNode* left = ChildTowards(common, a);
  const SyntaxNode* right = ChildTowards(common, b);
  if (left == nullptr || right == nullptr || left == right) return false;
  if (common->Is(Kind::kIf)) {
    const auto is_branch = [](const SyntaxNode* child) {
      return child->field == Field::kConsequence || child->field == Field::kAlternative;
    };
    return is_branch(left) && is_branch(right);
  }
  return left->Is(Kind::kCase) && right->Is(Kind::kCase);
}

// Whether a block between the definition and `common` is left after it: then it never gets there.
bool LeavesOnTheWay(const SyntaxNode* node, const SyntaxNode* common) {
  for (; node != nullptr && node != common; node = node->parent) {
    const SyntaxNode* block = node->parent;
    if (block == nullptr || block == common) return false;
    if (block->Is(Kind::kBlock) && !block->children.empty() &&
        LeavesBlock(block->children.back())) {
      return true;
    }
  }
  return false;
}

bool IsInline(const Scope* scope, const Scope* outer) {
  for (; scope != outer; scope = scope->parent) {
    if (scope == nullptr || scope->kind != Scope::Kind::kComprehension) return false;
  }
  return true;
}

}  // namespace

Evaluator::Evaluator(const Script& script) : script_(script) {
  for (const SyntaxNode* function : script.functions()) {
    const SyntaxNode* name = function->Child(Field::kName);
    if (name != nullptr) functions_by_name_[std::string(name->text)].push_back(function);
  }
  for (const SyntaxNode* node : script.classes()) {
    const SyntaxNode* name = node->Child(Field::kName);
    const SyntaxNode* bases = node->Child(Field::kSuperclasses);
    if (name == nullptr || bases == nullptr) continue;
    for (const SyntaxNode* base : bases->children) {
      if (base->Is(Kind::kIdentifier)) {
        derived_classes_[std::string(base->text)].emplace_back(name->text);
      }
    }
  }
  for (const CallSite& call : script.calls()) {
    const SyntaxNode* callee = Unwrap(call.callee);
    if (callee == nullptr) continue;
    const SyntaxNode* attribute = callee->Child(Field::kAttribute);
    const std::string_view name = attribute != nullptr ? attribute->text : callee->text;
    calls_by_name_[std::string(name.substr(0, 80))].push_back(&call);
    if (!functions_by_name_.contains(name)) continue;
    std::vector<const SyntaxNode*> passed = call.positional;
    for (const CallSite::Keyword& keyword : call.keywords) passed.push_back(keyword.value);
    for (const SyntaxNode* argument : passed) {
      const SyntaxNode* node = Unwrap(argument);
      if (node != nullptr && node->Is(Kind::kIdentifier)) {
        calls_by_argument_[std::string(node->text)].push_back(&call);
      }
    }
  }
}

const std::vector<Definition>* Evaluator::DefinitionsOf(const SyntaxNode* name) const {
  const Scope* scope = script_.ScopeOf(name);
  for (const Scope* at = scope; at != nullptr; at = at->parent) {
    if (at->kind == Scope::Kind::kClass && at != scope) continue;
    if (const auto* found = at->Find(name->text)) return found;
  }
  return nullptr;
}

bool Evaluator::VisitReaching(const SyntaxNode* use, const std::string& name, const Visit& visit) {
  const Scope* scope = script_.ScopeOf(use);
  for (const Scope* at = scope; at != nullptr; at = at->parent) {
    if (at->kind == Scope::Kind::kClass && at != scope) continue;
    const auto& globals = at->global_names;
    if (std::find(globals.begin(), globals.end(), name) != globals.end()) continue;
    const std::vector<Definition>* definitions = at->Find(name);
    if (definitions == nullptr) continue;
    const bool in_line = IsInline(scope, at);
    std::vector<Guards> covered;
    bool any = false;
    size_t looked_at = 0, settled = 0;
    for (auto it = definitions->rbegin(); it != definitions->rend(); ++it) {
      if (++looked_at > 400) break;
      if (in_line && !HoldsBefore(*it, use)) continue;
      const SyntaxNode* common = in_line ? CommonAncestor(it->node, use) : at->node;
      if (common == nullptr) common = at->node;
      if (in_line && Exclusive(common, it->node, use)) continue;
      Reaching reaching{&*it, at, {}};
      if (it->kind != Definition::Kind::kParameter) {
        if (in_line && LeavesOnTheWay(it->node, common)) continue;
        reaching.guards = GuardsBetween(it->node, common, *this);
      }
      any = true;
      if (!visit(reaching)) continue;
      if (reaching.guards.empty()) return true;
      if (++settled >= kMaxAlternatives) return false;
      const bool open = std::any_of(reaching.guards.begin(), reaching.guards.end(),
                                    [](const Guard& guard) { return guard.branches == 0; });
      if (open) continue;  // of an `if` without else: never part of all cases
      covered.push_back(std::move(reaching.guards));
      std::vector<const Guards*> all;
      for (const Guards& guards : covered) all.push_back(&guards);
      if (CoversAll(all)) return true;
    }
    // What a loop hands from one turn to the next stands behind its use.
    if (!any && in_line && !definitions->empty() && use->Above(Kind::kFor) == nullptr &&
        use->Above(Kind::kWhile) == nullptr) {
      continue;
    }
    if (!any && in_line && !definitions->empty()) {
      Reaching reaching{&definitions->back(), at, {}};
      any = visit(reaching);
    }
    if (any) return false;
  }
  return false;
}

Alternatives Evaluator::Evaluate(const SyntaxNode* expression) {
  const SyntaxNode* node = Unwrap(expression);
  if (node == nullptr) return Unknown(expression);
  Limit limit(*this, node);
  if (!limit.ok) return Unknown(node);
  Alternatives alternatives = EvaluateInner(node);
  if (alternatives.empty()) return Unknown(node);
  if (alternatives.size() > kMaxAlternatives) alternatives.resize(kMaxAlternatives);
  for (Alternative& alternative : alternatives) {
    if (alternative.origin == nullptr) alternative.origin = node;
  }
  return alternatives;
}

Alternatives Evaluator::EvaluateInner(const SyntaxNode* node) {
  using V = ScriptValue::Kind;
  switch (node->kind) {
    case Kind::kTrue:
      return {Constant(V::kBool, 1, "True", node)};
    case Kind::kFalse:
      return {Constant(V::kBool, 0, "False", node)};
    case Kind::kNone:
      return {Constant(V::kNone, 0, "None", node)};
    case Kind::kInteger:
    case Kind::kFloat:
      return {Constant(V::kNumber, ParseNumber(node->text), std::string(node->text), node)};
    case Kind::kString:
    case Kind::kConcatenatedString: {
      const auto text = StringLiteral(node);
      if (!text) return Unknown(node);
      return {Constant(V::kString, 0, *text, node)};
    }
    case Kind::kUnaryOperator: {
      Alternatives inner = Evaluate(node->children.empty() ? nullptr : node->children.back());
      for (Alternative& alternative : inner) {
        if (!alternative.value.Is(V::kNumber) || node->text[0] != '-') {
          return Unknown(node);
        }
        alternative.value.number = -alternative.value.number;
        alternative.value.text = "-" + alternative.value.text;
      }
      return inner;
    }
    case Kind::kIdentifier:
      return EvaluateName(node, std::string(node->text));
    case Kind::kAttribute:
      return EvaluateAttribute(node);
    case Kind::kCall:
      return EvaluateCall(node);
    case Kind::kSubscript:
      return EvaluateSubscript(node);
    case Kind::kConditional:
      return EvaluateConditional(node);
    case Kind::kBooleanOperator:
      return EvaluateBoolean(node);
    case Kind::kComparison:
      return EvaluateComparison(node);
    case Kind::kNotOperator:
      return EvaluateNot(node);
    case Kind::kDictionary:
    case Kind::kDictionaryComprehension:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kExpressionList:
      return {Constant(V::kDisplay, 0, "", node)};
    case Kind::kLambda:
      return {Constant(V::kFunction, 0, "", node)};
    default:
      return Unknown(node);
  }
}

Alternatives Evaluator::EvaluateDefinition(const Scope* scope, const Definition& definition) {
  const SyntaxNode* node = definition.node;
  switch (definition.kind) {
    case Definition::Kind::kAssign:
      return Evaluate(definition.value);
    case Definition::Kind::kImport:
      return {Constant(ScriptValue::Kind::kPath, 0, definition.path, node)};
    case Definition::Kind::kFunction:
      return {Constant(ScriptValue::Kind::kFunction, 0, "", node)};
    case Definition::Kind::kClass:
      return {Constant(ScriptValue::Kind::kClass, 0, "", node)};
    case Definition::Kind::kParameter:
      return EvaluateParameter(scope, definition);
    case Definition::Kind::kLoop: {
      const SyntaxNode* list = Unwrap(definition.value);
      Alternatives all;
      if (list != nullptr && (list->Is(Kind::kList) || list->Is(Kind::kTuple))) {
        for (const SyntaxNode* element : list->children) Append(all, Evaluate(element), {});
      }
      return all;
    }
    case Definition::Kind::kElement: {
      Alternatives all;
      for (Alternative& value : Evaluate(definition.value)) {
        const SyntaxNode* list = value.value.node;
        const auto place = static_cast<size_t>(definition.position);
        if (value.value.Is(ScriptValue::Kind::kDisplay) && place < list->children.size() &&
            (list->Is(Kind::kTuple) || list->Is(Kind::kList) || list->Is(Kind::kExpressionList))) {
          Append(all, Evaluate(list->children[place]), value.guards);
        } else if (Alternatives made = ParsedDataclass(value.value, place); !made.empty()) {
          Append(all, std::move(made), value.guards);
        } else if (value.value.Is(ScriptValue::Kind::kPath) && definition.position == 0 &&
                   value.value.text.ends_with("args()")) {
          all.push_back(value);  // args, rest = parser.parse_known_args()
        }
      }
      return all;
    }
    case Definition::Kind::kWith: {
      Alternatives values = Evaluate(definition.value);
      return values;
    }
    default:
      return {};
  }
}

// Names that a wildcard import brings: enough of them to tell what a script means.
Alternatives WildcardName(const Script& script, const SyntaxNode* node, const std::string& name) {
  for (const std::string& module : script.wildcard_imports()) {
    const bool torch_name = name == "compile" || name == "inference_mode" || name == "bfloat16" ||
                            name == "float16" || name == "float32" || name == "topk" ||
                            name == "set_float32_matmul_precision" || name == "multinomial" ||
                            name == "backends" || name == "half" || name == "softmax";
    const bool transformers_name =
        name.starts_with("Auto") || name.ends_with("Config") || name.ends_with("ForCausalLM") ||
        name.ends_with("PythonTokenizer") || name.ends_with("Model") || name == "pipeline";
    if ((module == "torch" && torch_name) || (module == "transformers" && transformers_name)) {
      return {Constant(ScriptValue::Kind::kPath, 0, module + "." + name, node)};
    }
  }
  return {};
}

Alternatives Evaluator::EvaluateName(const SyntaxNode* node, const std::string& name) {
  Alternatives all;
  const bool certain = VisitReaching(node, name, [&](const Reaching& reaching) {
    const Definition& definition = *reaching.definition;
    if (definition.kind == Definition::Kind::kItem ||
        definition.kind == Definition::Kind::kUpdate ||
        definition.kind == Definition::Kind::kRemove) {
      return false;  // changes what is inside, not what the name stands for
    }
    Alternatives values = EvaluateDefinition(reaching.scope, definition);
    if (values.empty()) values = Unknown(node, "?" + name);
    Append(all, std::move(values), reaching.guards);
    return true;
  });
  if (!all.empty()) {
    for (Alternative& alternative : all) {
      if (alternative.value.Is(ScriptValue::Kind::kUnknown)) alternative.value.text = "?" + name;
    }
    // `exec(open("configurator.py").read())` overrides the module's variables: as options do.
    const Scope* scope = script_.ScopeOf(node);
    if (script_.has_exec() && scope->kind == Scope::Kind::kModule) {
      for (Alternative& alternative : all) {
        if (alternative.option.empty() && alternative.value.IsConstant()) alternative.option = name;
      }
    }
    return all;
  }
  if (certain) return Unknown(node, "?" + name);
  Alternatives imported = WildcardName(script_, node, name);
  if (!imported.empty()) return imported;
  return {Constant(ScriptValue::Kind::kPath, 0, name, node)};  // a builtin, or defined elsewhere
}

Alternatives Evaluator::EvaluateAttribute(const SyntaxNode* node) {
  const SyntaxNode* object = node->Child(Field::kObject);
  const SyntaxNode* attribute = node->Child(Field::kAttribute);
  if (object == nullptr || attribute == nullptr) return Unknown(node);
  const std::string dotted = DottedText(node);
  // Written in the text as a whole: args.dtype = ..., cfg.model.top_k = ...
  Alternatives all;
  const bool is_self = dotted.starts_with("self.") || dotted.starts_with("cls.");
  if (!dotted.empty() && !is_self) {
    const bool certain = VisitReaching(node, dotted, [&](const Reaching& reaching) {
      if (reaching.definition->kind != Definition::Kind::kAssign) return false;
      Append(all, EvaluateDefinition(reaching.scope, *reaching.definition), reaching.guards);
      return true;
    });
    if (certain) return all;
  }
  for (const Alternative& value : Evaluate(object)) {
    Alternatives members = EvaluateMember(value.value, node, attribute->text);
    Append(all, std::move(members), value.guards);
  }
  return all;
}

namespace {

// The place of `name: type` among the fields of a class body, as a dataclass takes them.
size_t FieldPlace(const SyntaxNode* node, std::string_view name) {
  size_t place = 0;
  for (const SyntaxNode* statement : StatementsOf(node->Child(Field::kBody))) {
    const SyntaxNode* field = statement->children.empty() ? nullptr : statement->children[0];
    if (field == nullptr || !field->Is(Kind::kAssignment)) continue;
    const SyntaxNode* left = field->Child(Field::kLeft);
    if (left == nullptr || field->Child(Field::kType) == nullptr) continue;
    if (left->text == name) return place;
    ++place;
  }
  return std::numeric_limits<size_t>::max();
}

// @property, @cached_property: read as a value.
bool IsProperty(const SyntaxNode* function) {
  const SyntaxNode* decorated = function->parent;
  if (decorated == nullptr || !decorated->Is(Kind::kDecorated)) return false;
  return std::any_of(decorated->children.begin(), decorated->children.end(),
                     [](const SyntaxNode* child) {
                       return child->Is(Kind::kDecorator) &&
                              child->text.find("property") != std::string_view::npos;
                     });
}

}  // namespace

Alternatives Evaluator::EvaluateMember(const ScriptValue& object, const SyntaxNode* node,
                                       std::string_view name) {
  using V = ScriptValue::Kind;
  if (object.Is(V::kInstance) || object.Is(V::kClass)) {
    const Scope* scope = script_.ScopeIn(object.node);
    if (object.call != nullptr && scope != nullptr && scope->Find("__init__") == nullptr) {
      // A dataclass: what its maker was given.
      if (const CallSite* call = script_.CallAt(object.call)) {
        if (const auto* keyword = call->Find(name)) return Evaluate(keyword->value);
        const size_t place = FieldPlace(object.node, name);
        if (place < call->positional.size()) return Evaluate(call->positional[place]);
      }
    }
    const std::string with_self = "self." + std::string(name);
    for (const std::string& spelling : {with_self, std::string(name)}) {
      const std::vector<Definition>* found = scope == nullptr ? nullptr : scope->Find(spelling);
      if (found == nullptr) continue;
      Alternatives all;
      for (auto it = found->rbegin(); it != found->rend(); ++it) {
        if (it->kind != Definition::Kind::kAssign && it->kind != Definition::Kind::kFunction &&
            it->kind != Definition::Kind::kElement && it->kind != Definition::Kind::kWith) {
          continue;
        }
        const SyntaxNode* value = it->value == nullptr ? nullptr : Unwrap(it->value);
        const bool placeholder = value != nullptr && value->Is(Kind::kNone) && found->size() > 1;
        if (placeholder) continue;  // self.model = None until it is loaded
        const Guards guards = GuardsBetween(it->node, scope->node, *this);
        const bool property = it->kind == Definition::Kind::kFunction && IsProperty(it->node);
        Alternatives values = property ? EvaluateReturns(it->node) : EvaluateDefinition(scope, *it);
        for (Alternative& member : values) {
          // field(default=50): the option is the field.
          const bool is_field =
              member.option.ends_with("ield") || member.option.ends_with("Option");
          if (is_field && !DottedText(node).empty()) member.option = DottedText(node);
        }
        Append(all, std::move(values), guards);
        if (guards.empty()) break;
      }
      if (!all.empty()) return all;
    }
    const SyntaxNode* bases = object.node->Child(Field::kSuperclasses);
    for (const SyntaxNode* base : bases == nullptr ? std::vector<SyntaxNode*>() : bases->children) {
      for (const Alternative& value : Evaluate(base)) {
        if (!value.value.Is(V::kClass)) continue;
        ScriptValue inherited = value.value;
        if (object.Is(V::kInstance)) inherited.kind = V::kInstance;
        Alternatives found = EvaluateMember(inherited, node, name);
        if (!found.empty() && !found[0].value.Is(V::kUnknown)) return found;
      }
    }
    return Unknown(node, "?" + DottedText(node));
  }
  Alternatives option = EvaluateOption(node, name);
  if (!option.empty() && (object.Is(V::kUnknown) || object.text.ends_with("()") ||
                          object.text.find("FLAGS") != std::string::npos)) {
    return option;
  }
  if (object.Is(V::kDisplay) && object.node->Is(Kind::kCall)) {
    Alternatives found = LookUp(object.node, name);  // SimpleNamespace(a=...).a
    if (!found[0].value.Is(V::kAbsent)) return found;
  }
  if (object.text.size() > 300) return Unknown(node);
  if (object.Is(V::kPath)) {
    return {Constant(V::kPath, 0, object.text + "." + std::string(name), node)};
  }
  const std::string root = object.text.empty() ? "?" : object.text;
  return Unknown(node, root + "." + std::string(name));
}

Alternatives Evaluator::AnnotationInstance(const SyntaxNode* annotation) {
  annotation = Unwrap(annotation);
  if (annotation == nullptr || !annotation->Is(Kind::kIdentifier)) return {};
  for (Alternative& value : Evaluate(annotation)) {
    if (!value.value.Is(ScriptValue::Kind::kClass)) continue;
    value.value.kind = ScriptValue::Kind::kInstance;
    return {value};
  }
  return {};
}

std::vector<std::string> Evaluator::Paths(const SyntaxNode* expression) {
  std::vector<std::string> paths;
  for (const Alternative& value : Evaluate(expression)) {
    if (!value.value.Is(ScriptValue::Kind::kPath) && !value.value.Is(ScriptValue::Kind::kUnknown))
      continue;
    const std::string& text = value.value.text;
    if (!text.empty() && std::find(paths.begin(), paths.end(), text) == paths.end()) {
      paths.push_back(text);
    }
  }
  return paths;
}

std::string Evaluator::OptionOf(const SyntaxNode* expression) {
  for (const Alternative& value : Evaluate(expression)) {
    if (!value.option.empty()) return value.option;
  }
  return {};
}

Guards Evaluator::GuardsOf(const SyntaxNode* node) {
  Guards guards = GuardsBetween(node, nullptr, *this);
  const SyntaxNode* function = node->Above(Kind::kFunction);
  if (function == nullptr) return guards;
  const std::vector<const CallSite*>& callers = CallersOf(function);
  if (callers.empty() || callers.size() > 4) return guards;
  // A function that is called only on some machines: setup_cuda() under `if device == "cuda"`.
  Guards outer;
  for (const CallSite* caller : callers) {
    Guards around = GuardsBetween(caller->node, nullptr, *this);
    // The branches around the call; what ended the script before it is not told of every function.
    std::erase_if(around, [&](const Guard& guard) { return !caller->node->Within(guard.owner); });
    const bool machine = std::any_of(around.begin(), around.end(), [&](const Guard& guard) {
      return guard.counts && guard.condition != nullptr &&
             IsMachineCondition(guard.condition, *this);
    });
    if (!machine) return guards;
    if (outer.empty()) outer = std::move(around);
  }
  outer.insert(outer.end(), guards.begin(), guards.end());
  return outer;
}

}  // namespace fathom
