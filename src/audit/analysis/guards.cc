#include "audit/analysis/guards.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "audit/analysis/evaluator.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

constexpr int kMaxConditionDepth = 12;
constexpr size_t kMaxEarlyExits = 8;  // of one block that are looked at, the nearest ones

bool ContainsAny(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

// Whether an except clause stands for "this machine or library cannot": not for the end of input,
// and not for a report of any error at all around a large piece of the script.
bool HandlerCounts(const SyntaxNode* handler, size_t body_statements) {
  const auto& statements = StatementsOf(handler);
  std::string types;
  for (const SyntaxNode* child : handler->children) {
    if (!child->Is(Kind::kBlock)) types += child->text;
  }
  if (ContainsAny(types, {"ImportError", "ModuleNotFoundError", "AttributeError"})) return true;
  const bool about_input = ContainsAny(types, {"KeyboardInterrupt", "EOFError", "JSON", "Timeout",
                                               "StopIteration", "FileNotFound", "KeyError"});
  if (about_input || body_statements > 4 || statements.empty()) return false;
  const SyntaxNode* last = statements.back();
  if (!LeavesBlock(last)) return true;
  if (!last->Is(Kind::kReturn) || last->children.empty()) return false;
  const SyntaxNode* value = Unwrap(last->children[0]);
  return value->Is(Kind::kCall) || value->Is(Kind::kIdentifier) || value->Is(Kind::kAttribute);
}

bool TryCounts(const SyntaxNode* statement) {
  const size_t body = StatementsOf(statement->Child(Field::kBody)).size();
  for (const SyntaxNode* child : statement->children) {
    if (child->Is(Kind::kExcept) && HandlerCounts(child, body)) return true;
  }
  return false;
}

const SyntaxNode* ConditionOf(const SyntaxNode* clause) { return clause->Child(Field::kCondition); }

bool BodyLeaves(const SyntaxNode* body) {
  const auto& statements = StatementsOf(body);
  return !statements.empty() && LeavesBlock(statements.back());
}

// The branch of an `if` that `child` (its consequence, an elif, an else) is.
Guard IfGuard(const SyntaxNode* node, const SyntaxNode* child, Evaluator& evaluator) {
  const Evaluator::IfBranches& branches = evaluator.BranchesOf(node);
  const std::vector<const SyntaxNode*>& others = branches.others;
  Guard guard;
  guard.owner = node;
  guard.at = node;
  guard.condition = ConditionOf(node);
  const bool has_else = !others.empty() && others.back()->Is(Kind::kElse);
  if (has_else) guard.branches = static_cast<int>(others.size()) + 1;
  if (others.empty() && BodyLeaves(node->Child(Field::kConsequence))) guard.branches = 2;
  if (child->field == Field::kAlternative) {
    const auto place = std::lower_bound(
        others.begin(), others.end(), child,
        [](const SyntaxNode* a, const SyntaxNode* b) { return a->begin < b->begin; });
    guard.branch = static_cast<int>(place - others.begin()) + 1;
    guard.at = child;
    if (child->Is(Kind::kElif)) {
      guard.condition = ConditionOf(child);
    } else if (others.size() >= 2) {
      guard.condition = ConditionOf(others[others.size() - 2]);
    }
  }
  guard.counts = branches.counts[static_cast<size_t>(guard.branch)];
  return guard;
}

Guard TryGuard(const SyntaxNode* node, const SyntaxNode* child) {
  Guard guard;
  guard.owner = node;
  guard.at = node;
  guard.counts = TryCounts(node);
  guard.branches = 1;
  for (const SyntaxNode* other : node->children) {
    if (!other->Is(Kind::kExcept)) continue;
    if (other == child) {
      guard.branch = guard.branches;
      guard.at = child;
    }
    ++guard.branches;
  }
  return guard;
}

Guard CaseGuard(const SyntaxNode* clause, const SyntaxNode* match, Evaluator& evaluator) {
  Guard guard;
  guard.owner = match;
  guard.at = clause;
  guard.condition = match->Child(Field::kSubject);
  guard.counts = IsGuardCondition(guard.condition, evaluator);
  int count = 0;
  bool has_default = false;
  for (const SyntaxNode* other : clause->parent->children) {
    if (!other->Is(Kind::kCase)) continue;
    if (other == clause) guard.branch = count;
    has_default = has_default || (!other->children.empty() && other->children[0]->text == "_");
    ++count;
  }
  guard.branches = has_default ? count : 0;
  return guard;
}

// The branch that `child` is of `parent`; owner null where it is none.
Guard BranchGuard(const SyntaxNode* parent, const SyntaxNode* child, Evaluator& evaluator) {
  if (parent->Is(Kind::kIf)) {
    const bool branch = child->field == Field::kConsequence || child->field == Field::kAlternative;
    return branch ? IfGuard(parent, child, evaluator) : Guard{};
  }
  if (parent->Is(Kind::kTry)) {
    const bool body = child->field == Field::kBody || child->Is(Kind::kElse);
    return body || child->Is(Kind::kExcept) ? TryGuard(parent, child) : Guard{};
  }
  if (child->Is(Kind::kCase) && parent->parent != nullptr) {
    const SyntaxNode* match = parent->Is(Kind::kMatch) ? parent : parent->parent;
    if (match->Is(Kind::kMatch)) return CaseGuard(child, match, evaluator);
  }
  Guard guard;
  if (parent->Is(Kind::kConditional) && parent->children.size() >= 3 &&
      child != parent->children[1]) {
    guard.owner = parent;
    guard.at = guard.condition = parent->children[1];
    guard.branch = child == parent->children[0] ? 0 : 1;
    guard.branches = 2;
    guard.counts = IsGuardCondition(guard.condition, evaluator);
  } else if (parent->Is(Kind::kBooleanOperator) && parent->children.size() == 3 &&
             child == parent->children[2]) {
    guard.owner = parent;
    guard.at = guard.condition = parent->children[0];
    guard.counts = IsGuardCondition(guard.condition, evaluator);
  }
  return guard;
}

// `if ...: return` and `assert ...` before a statement of the same block decide whether it runs.
bool EarlyExit(const SyntaxNode* statement, Evaluator& evaluator, Guard* guard) {
  guard->owner = guard->at = statement;
  guard->counts = true;
  if (statement->Is(Kind::kAssert)) {
    guard->condition = statement->children.empty() ? nullptr : statement->children[0];
    return guard->condition != nullptr && IsMachineCondition(guard->condition, evaluator);
  }
  if (!statement->Is(Kind::kIf) || statement->Child(Field::kAlternative) != nullptr) return false;
  const SyntaxNode* body = statement->Child(Field::kConsequence);
  if (!BodyLeaves(body)) return false;
  guard->condition = ConditionOf(statement);
  guard->branch = 1;
  guard->branches = 2;
  if (IsMachineCondition(guard->condition, evaluator)) return true;
  const auto& statements = StatementsOf(body);
  return statements.size() == 1 && statements[0]->Is(Kind::kReturn) &&
         IsGuardCondition(guard->condition, evaluator);
}

void AddEarlyExits(const SyntaxNode* block, const SyntaxNode* before, Evaluator& evaluator,
                   Guards* guards) {
  const auto& statements = block->children;
  auto place = std::lower_bound(
      statements.begin(), statements.end(), before,
      [](const SyntaxNode* a, const SyntaxNode* b) { return a->begin < b->begin; });
  size_t found = 0;
  for (size_t seen = 0; place != statements.begin() && seen < 200; ++seen) {
    --place;
    const bool may = (*place)->Is(Kind::kIf) || (*place)->Is(Kind::kAssert);
    Guard guard;
    if (may && !(*place)->dead && EarlyExit(*place, evaluator, &guard)) {
      guards->push_back(guard);
      if (++found == kMaxEarlyExits) return;
    }
  }
}

// --- what a condition hangs on ------------------------------------------------------------

bool IsMachineName(std::string_view name) {
  const std::string lower = Lower(name);
  if (lower.starts_with("device_map") || lower.find("max_gpu_mem") != std::string::npos) {
    return false;
  }
  return ContainsAny(lower, {"cuda", "mps", "gpu", "device", "xpu", "bf16_supported", "is_mac",
                             "__version__", "version_info", "apple_silicon", "capability"});
}

bool IsMachineCall(std::string_view path) {
  const size_t dot = path.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? path : path.substr(dot + 1);
  if (last == "hasattr" || last == "find_spec" || last == "import_module" || last == "dir") {
    return true;
  }
  if (last.starts_with("is_") && (last.ends_with("_available") || last.ends_with("_supported"))) {
    return true;
  }
  if (last == "is_available" || last == "is_built" || last.starts_with("is_torch") ||
      last.starts_with("is_flash") || last == "device_count" || last == "mem_get_info") {
    return true;
  }
  return path.starts_with("torch.cuda.") || path.starts_with("torch.backends.") ||
         path.starts_with("torch.version.") || path.starts_with("platform.") ||
         path.starts_with("torch.xpu.") || path.starts_with("torch.mps.") ||
         path.starts_with("importlib.");
}

// Functions through which a question passes: str(device), version.parse(torch.__version__).
bool PassesThrough(std::string_view name) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"str",        "int",      "float", "bool",    "tuple",        "lower", "upper", "split",
       "startswith", "endswith", "parse", "Version", "LooseVersion", "any",   "all",   "map",
       "strip",      "find",     "get",   "next",    "parameters",   "type",  "list",  "len"});
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// `try: import flash_attn; HAS_FLASH = True` and the like.
bool DefinedByImport(const Definition& definition) {
  const SyntaxNode* attempt = definition.node->Above(Kind::kTry);
  if (attempt == nullptr) return false;
  for (const SyntaxNode* statement : StatementsOf(attempt->Child(Field::kBody))) {
    if (statement->Is(Kind::kImport) || statement->Is(Kind::kImportFrom)) return true;
  }
  return false;
}

using Asks = bool (*)(const SyntaxNode*, Evaluator&, int);

bool DefinitionAsks(const SyntaxNode* name, Evaluator& evaluator, int depth, Asks asks) {
  const std::vector<Definition>* definitions = evaluator.DefinitionsOf(name);
  if (definitions == nullptr || definitions->size() > 6) return false;
  for (const Definition& definition : *definitions) {
    if (definition.kind == Definition::Kind::kAssign) {
      if (asks(definition.value, evaluator, depth + 1)) return true;
      const SyntaxNode* value = Unwrap(definition.value);
      const bool flag = value->Is(Kind::kTrue) || value->Is(Kind::kFalse) || value->Is(Kind::kNone);
      if (flag && DefinedByImport(definition)) return true;
    } else if (definition.kind == Definition::Kind::kImport) {
      if (DefinedByImport(definition)) return true;
    }
  }
  return false;
}

bool AnyChild(const SyntaxNode* node, Evaluator& evaluator, int depth, Asks asks) {
  return std::any_of(node->children.begin(), node->children.end(), [&](const SyntaxNode* child) {
    return !child->Is(Kind::kOperator) && asks(child, evaluator, depth + 1);
  });
}

bool CallAsks(const SyntaxNode* node, Evaluator& evaluator, int depth, Asks asks) {
  const SyntaxNode* callee = Unwrap(node->Child(Field::kFunction));
  const SyntaxNode* arguments = node->Child(Field::kArguments);
  if (callee == nullptr) return false;
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  const std::string_view last = attribute != nullptr ? attribute->text : callee->text;
  if (PassesThrough(last)) {
    const SyntaxNode* object = callee->Child(Field::kObject);
    if (object != nullptr && asks(object, evaluator, depth + 1)) return true;
    return arguments != nullptr && AnyChild(arguments, evaluator, depth, asks);
  }
  // A function of the file that answers the question.
  if (const CallSite* call = evaluator.script().CallAt(node)) {
    for (const SyntaxNode* function : evaluator.Callees(*call)) {
      const auto& statements = StatementsOf(function->Child(Field::kBody));
      for (size_t i = 0; i < std::min<size_t>(statements.size(), 8); ++i) {
        const SyntaxNode* statement = statements[i];
        if (statement->Is(Kind::kReturn) && AnyChild(statement, evaluator, depth, asks)) {
          return true;
        }
      }
    }
  }
  return false;
}

bool IsLiteralFlag(const SyntaxNode* value) {
  value = Unwrap(value);
  return value != nullptr && (value->Is(Kind::kTrue) || value->Is(Kind::kFalse));
}

// A constant at the top of the script that its reader is meant to change, or a parameter that
// switches something.
bool IsSwitch(const SyntaxNode* name, Evaluator& evaluator) {
  const std::vector<Definition>* definitions = evaluator.DefinitionsOf(name);
  if (definitions == nullptr || definitions->empty()) return false;
  const Definition& first = definitions->front();
  const bool at_module = evaluator.script().ScopeOf(first.node)->kind == Scope::Kind::kModule;
  const bool capitals = std::none_of(name->text.begin(), name->text.end(),
                                     [](unsigned char c) { return std::islower(c); });
  if (first.kind == Definition::Kind::kAssign && at_module) {
    return capitals || (definitions->size() == 1 && IsLiteralFlag(first.value));
  }
  if (first.kind != Definition::Kind::kParameter) return false;
  const SyntaxNode* type = first.node->Child(Field::kType);
  return IsLiteralFlag(first.node->Child(Field::kValue)) ||
         (type != nullptr && type->text.starts_with("bool"));
}

bool IsSwitchAttribute(const SyntaxNode* node, Evaluator& evaluator) {
  const Alternatives values = evaluator.Evaluate(node);
  return std::all_of(values.begin(), values.end(), [](const Alternative& value) {
    return value.value.Is(ScriptValue::Kind::kBool);
  });
}

// shared.args.cpu, opt.half: options that another module reads.
bool IsForeignOption(const SyntaxNode* node) {
  const SyntaxNode* object = Unwrap(node->Child(Field::kObject));
  if (object == nullptr) return false;
  const SyntaxNode* attribute = object->Child(Field::kAttribute);
  const std::string_view name = attribute != nullptr ? attribute->text : object->text;
  return (name.ends_with("args") && !name.ends_with("kwargs")) || name == "opt" || name == "opts" ||
         name == "options" || name == "flags" || name == "FLAGS";
}

bool IsOptionCondition(const SyntaxNode* node, Evaluator& evaluator, int depth) {
  node = Unwrap(node);
  if (node == nullptr || depth > kMaxConditionDepth) return false;
  switch (node->kind) {
    case Kind::kIdentifier:
      return IsSwitch(node, evaluator) || !evaluator.OptionOf(node).empty();
    case Kind::kAttribute:
      return IsForeignOption(node) || !evaluator.OptionOf(node).empty() ||
             IsSwitchAttribute(node, evaluator);
    case Kind::kCall:
      return !evaluator.OptionOf(node).empty() ||
             CallAsks(node, evaluator, depth, IsOptionCondition);
    case Kind::kSubscript: {
      const std::string object = DottedText(node->Child(Field::kValue));
      return object == "os.environ" || object == "sys.argv";
    }
    case Kind::kComparison:
      // "--compile" in sys.argv
      if (node->children.size() == 3 && DottedText(node->children[2]) == "sys.argv") return true;
      return AnyChild(node, evaluator, depth, IsOptionCondition);
    case Kind::kNotOperator:
    case Kind::kBooleanOperator:
    case Kind::kTuple:
    case Kind::kList:  // any([args.cpu, args.load_in_8bit])
      return AnyChild(node, evaluator, depth, IsOptionCondition);
    default:
      return false;
  }
}

}  // namespace

bool IsMachineCondition(const SyntaxNode* node, Evaluator& evaluator, int depth) {
  node = Unwrap(node);
  if (node == nullptr || depth > kMaxConditionDepth) return false;
  switch (node->kind) {
    case Kind::kIdentifier:
      return IsMachineName(node->text) ||
             DefinitionAsks(node, evaluator, depth, IsMachineCondition);
    case Kind::kAttribute: {
      const std::string dotted = DottedText(node);
      if (dotted == "sys.platform" || dotted == "os.name") return true;
      const SyntaxNode* attribute = node->Child(Field::kAttribute);
      if (attribute != nullptr && IsMachineName(attribute->text)) return true;
      if (attribute != nullptr && attribute->text == "type") {
        return IsMachineCondition(node->Child(Field::kObject), evaluator, depth + 1);
      }
      return dotted.starts_with("torch.version.") || dotted.starts_with("torch.backends.");
    }
    case Kind::kCall: {
      for (const std::string& path : evaluator.Paths(node->Child(Field::kFunction))) {
        if (IsMachineCall(path)) return true;
      }
      const CallSite* call = evaluator.script().CallAt(node);
      if (call != nullptr && DottedText(call->callee) == "getattr") {
        return call->positional.size() >= 3;  // asked with a default: is it there
      }
      return CallAsks(node, evaluator, depth, IsMachineCondition);
    }
    case Kind::kSubscript:
      return IsMachineCondition(node->Child(Field::kValue), evaluator, depth + 1);
    case Kind::kConditional:
      return node->children.size() >= 2 &&
             IsMachineCondition(node->children[1], evaluator, depth + 1);
    case Kind::kNotOperator:
    case Kind::kBooleanOperator:
    case Kind::kBinaryOperator:
    case Kind::kComparison:
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kGenerator:
      return AnyChild(node, evaluator, depth, IsMachineCondition);
    default:
      return false;
  }
}

const Evaluator::IfBranches& Evaluator::BranchesOf(const SyntaxNode* node) {
  const auto [place, fresh] = if_branches_.try_emplace(node);
  IfBranches& branches = place->second;
  if (!fresh) return branches;
  branches.others = node->All(Field::kAlternative);
  // While it is found out, for a condition that leads back here, none counts.
  branches.counts.assign(branches.others.size() + 1, false);
  bool counts = IsGuardCondition(ConditionOf(node), *this);
  branches.counts[0] = counts;
  for (size_t i = 0; i < branches.others.size(); ++i) {
    const SyntaxNode* other = branches.others[i];
    counts = counts || (other->Is(Kind::kElif) && IsGuardCondition(ConditionOf(other), *this));
    branches.counts[i + 1] = counts;
  }
  return branches;
}

bool IsGuardCondition(const SyntaxNode* node, Evaluator& evaluator, int depth) {
  return IsMachineCondition(node, evaluator, depth) || IsOptionCondition(node, evaluator, depth);
}

Guards GuardsBetween(const SyntaxNode* node, const SyntaxNode* ancestor, Evaluator& evaluator) {
  Guards guards;
  for (; node->parent != nullptr && node->parent != ancestor && node != ancestor;
       node = node->parent) {
    const SyntaxNode* parent = node->parent;
    if (parent->Is(Kind::kBlock) || parent->Is(Kind::kModule)) {
      AddEarlyExits(parent, node, evaluator, &guards);
    }
    const Guard guard = BranchGuard(parent, node, evaluator);
    if (guard.owner != nullptr) guards.push_back(guard);
  }
  std::reverse(guards.begin(), guards.end());
  return guards;
}

bool ScriptValue::truthy() const {
  if (kind == Kind::kString) return !text.empty();
  return (kind == Kind::kBool || kind == Kind::kNumber) && number != 0;
}

namespace {

bool CoversFrom(const std::vector<const Guards*>& sites, size_t level) {
  std::vector<const Guards*> rest = sites;
  for (const Guards* site : rest) {
    if (site->size() <= level) return true;
  }
  if (level > 24) return false;
  while (!rest.empty()) {
    const Guard& first = (*rest.front())[level];
    std::vector<std::vector<const Guards*>> branches(
        static_cast<size_t>(std::clamp(first.branches, 0, 64)));
    std::vector<const Guards*> others;
    for (const Guards* site : rest) {
      const Guard& guard = (*site)[level];
      if (guard.owner != first.owner) {
        others.push_back(site);
      } else if (guard.branch < static_cast<int>(branches.size())) {
        branches[static_cast<size_t>(guard.branch)].push_back(site);
      }
    }
    const bool all =
        !branches.empty() && std::all_of(branches.begin(), branches.end(), [&](const auto& branch) {
          return !branch.empty() && CoversFrom(branch, level + 1);
        });
    if (all) return true;
    rest = std::move(others);
  }
  return false;
}

}  // namespace

bool CoversAll(const std::vector<const Guards*>& sites) {
  return !sites.empty() && CoversFrom(sites, 0);
}

}  // namespace fathom
