#include "audit/rules/custom_top_k.h"

#include <algorithm>
#include <set>

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;
using Names = std::set<std::string, std::less<>>;

constexpr int kMaxCallDepth = 3;
constexpr size_t kMaxStatements = 4000;

template <typename Visit>
void Walk(const SyntaxNode* node, Visit&& visit) {
  visit(node);
  for (const SyntaxNode* child : node->children) {
    if (!child->dead) Walk(child, visit);
  }
}

bool Mentions(const SyntaxNode* node, const Names& names) {
  bool found = false;
  Walk(node, [&](const SyntaxNode* part) {
    if (part->Is(Kind::kIdentifier) && part->field != Field::kAttribute &&
        !(part->field == Field::kName && part->parent->Is(Kind::kKeywordArgument))) {
      found = found || names.contains(part->text);
    }
    if (part->Is(Kind::kAttribute)) found = found || names.contains(part->text);
  });
  return found;
}

std::string_view MethodName(const SyntaxNode* call) {
  const SyntaxNode* callee = Unwrap(call->Child(Field::kFunction));
  if (callee == nullptr) return {};
  const SyntaxNode* attribute = callee->Child(Field::kAttribute);
  return attribute != nullptr ? attribute->text : callee->text;
}

bool IsDrawName(std::string_view name) {
  return name == "multinomial" || name == "choice" || name == "choices" || name == "Categorical" ||
         name == "exponential_" || name == "gumbel_softmax" || name == "categorical";
}

// A draw within the node; `own` functions that draw count where they are handed a tainted name.
bool Draws(const SyntaxNode* node, const Names* names, Evaluator& evaluator) {
  bool found = false;
  Walk(node, [&](const SyntaxNode* part) {
    if (found || !part->Is(Kind::kCall)) return;
    if (IsDrawName(MethodName(part))) {
      found = true;
      return;
    }
    const CallSite* call = evaluator.script().CallAt(part);
    if (call == nullptr || names == nullptr || !Mentions(part, *names)) return;
    for (const SyntaxNode* function : evaluator.Callees(*call)) {
      const SyntaxNode* body = function->Child(Field::kBody);
      if (body != nullptr) found = found || Draws(body, nullptr, evaluator);
    }
  });
  return found;
}

// The name at the root of an assignment's target: logits of logits[mask].
void TargetNames(const SyntaxNode* target, Names* names) {
  target = Unwrap(target);
  if (target == nullptr) return;
  if (target->Is(Kind::kIdentifier)) {
    names->emplace(target->text);
  } else if (target->Is(Kind::kSubscript)) {
    TargetNames(target->Child(Field::kValue), names);
  } else if (target->Is(Kind::kAttribute)) {
    names->emplace(target->text);
  } else if (target->Is(Kind::kPatternList) || target->Is(Kind::kTuple) ||
             target->Is(Kind::kList)) {
    for (const SyntaxNode* element : target->children) TargetNames(element, names);
  }
}

const SyntaxNode* AssignmentIn(const SyntaxNode* statement) {
  if (!statement->Is(Kind::kExpressionStatement) || statement->children.empty()) return nullptr;
  const SyntaxNode* inner = statement->children[0];
  const bool assigns = inner->Is(Kind::kAssignment) || inner->Is(Kind::kAugmentedAssignment);
  return assigns ? inner : nullptr;
}

bool IsCompound(const SyntaxNode* node) {
  return std::any_of(node->children.begin(), node->children.end(), [](const SyntaxNode* child) {
    return child->Is(Kind::kBlock) || child->Is(Kind::kElse) || child->Is(Kind::kElif);
  });
}

// The simple statements of a function's body (or the module) after `after`, in order.
void SimpleStatements(const SyntaxNode* node, uint32_t after,
                      std::vector<const SyntaxNode*>* statements) {
  for (const SyntaxNode* child : node->children) {
    if (child->dead || child->Is(Kind::kFunction) || child->Is(Kind::kClass) ||
        child->Is(Kind::kDecorated) || statements->size() > kMaxStatements) {
      continue;
    }
    if (child->end <= after) continue;
    if (IsCompound(child) || child->Is(Kind::kBlock)) {
      SimpleStatements(child, after, statements);
    } else if (node->Is(Kind::kBlock) || node->Is(Kind::kModule)) {
      if (child->begin >= after) statements->push_back(child);
    }
  }
}

class Flow {
 public:
  explicit Flow(SiteFinder& finder) : evaluator_(finder.evaluator()) {}

  // Whether what the expression gives reaches a draw.
  bool Reaches(const SyntaxNode* expression, int depth) {
    const SyntaxNode* statement = StatementOf(expression);
    if (Draws(statement, nullptr, evaluator_) && !IsCompound(statement)) {
      if (depth == 0) last_ = statement;
      return true;
    }
    const SyntaxNode* function = statement->Above(Kind::kFunction);
    if (statement->Is(Kind::kReturn)) return ReturnReaches(function, depth);
    Names tainted;
    const SyntaxNode* assignment = AssignmentIn(statement);
    if (assignment != nullptr) TargetNames(assignment->Child(Field::kLeft), &tainted);
    AddInPlace(statement, &tainted);
    if (tainted.empty()) return false;
    if (depth == 0) first_names_ = tainted;
    const SyntaxNode* body = statement;
    while (body->parent != nullptr && body->parent != function) body = body->parent;
    std::vector<const SyntaxNode*> rest;
    SimpleStatements(body, statement->end, &rest);
    return Follow(rest, function, std::move(tainted), depth);
  }

  // The last of the statements right after `statement` that carry its result on.
  const SyntaxNode* LastOfChain(const SyntaxNode* statement) {
    Names tainted = first_names_;
    const SyntaxNode* last = statement;
    if (last_ == statement) return last;
    bool after = false;
    for (const SyntaxNode* sibling : statement->parent->children) {
      if (sibling == statement) {
        after = true;
        continue;
      }
      if (!after) continue;
      if (IsCompound(sibling) || sibling->Is(Kind::kReturn) || !Mentions(sibling, tainted)) break;
      last = sibling;
      if (Draws(sibling, &tainted, evaluator_)) break;
      const SyntaxNode* assignment = AssignmentIn(sibling);
      if (assignment != nullptr) TargetNames(assignment->Child(Field::kLeft), &tainted);
    }
    return last;
  }

 private:
  // logits.masked_fill_(mask, ...): the object changes in place.
  void AddInPlace(const SyntaxNode* statement, Names* tainted) {
    Walk(statement, [&](const SyntaxNode* part) {
      if (!part->Is(Kind::kCall)) return;
      const std::string_view name = MethodName(part);
      if (!name.ends_with('_') || name.starts_with('_')) return;
      const SyntaxNode* callee = Unwrap(part->Child(Field::kFunction));
      TargetNames(callee->Child(Field::kObject), tainted);
    });
  }

  bool Follow(const std::vector<const SyntaxNode*>& statements, const SyntaxNode* function,
              Names tainted, int depth) {
    for (const SyntaxNode* statement : statements) {
      const SyntaxNode* assignment = AssignmentIn(statement);
      const SyntaxNode* source =
          assignment == nullptr ? statement : assignment->Child(Field::kRight);
      const SyntaxNode* target =
          assignment == nullptr ? nullptr : Unwrap(assignment->Child(Field::kLeft));
      bool carries = source != nullptr && Mentions(source, tainted);
      const bool writes_into = target != nullptr && target->Is(Kind::kSubscript);
      if (writes_into) carries = carries || Mentions(target->Child(Field::kSubscript), tainted);
      if (carries && Draws(statement, &tainted, evaluator_)) return true;
      if (carries && statement->Is(Kind::kReturn)) {
        if (ReturnReaches(function, depth)) return true;
        continue;
      }
      Names names;
      if (target != nullptr) TargetNames(target, &names);
      if (carries) {
        AddInPlace(statement, &tainted);
        tainted.insert(names.begin(), names.end());
      } else if (!writes_into && assignment != nullptr && assignment->Is(Kind::kAssignment) &&
                 statement->parent->parent == function) {
        for (const std::string& name : names) tainted.erase(name);
      }
    }
    return false;
  }

  // A logits processor hands its scores to generate's own sampler; another function to its callers.
  bool ReturnReaches(const SyntaxNode* function, int depth) {
    if (function == nullptr || depth >= kMaxCallDepth) return false;
    const SyntaxNode* owner = function->Above(Kind::kClass);
    const SyntaxNode* bases = owner == nullptr ? nullptr : owner->Child(Field::kSuperclasses);
    if (bases != nullptr && bases->text.find("Logits") != std::string_view::npos) return true;
    for (const CallSite* caller : evaluator_.CallersOf(function)) {
      if (Reaches(caller->node, depth + 1)) return true;
    }
    return false;
  }

  Evaluator& evaluator_;
  Names first_names_;
  const SyntaxNode* last_ = nullptr;
};

// The names in the k of a topk: what its own switch asks about.
Names NamesOf(const SyntaxNode* expression) {
  Names names;
  Walk(expression, [&](const SyntaxNode* part) {
    const bool called = part->field == Field::kFunction;
    if (part->Is(Kind::kIdentifier) && part->field != Field::kAttribute && !called) {
      names.emplace(part->text);
    }
    if (part->Is(Kind::kAttribute) && !called) names.emplace(part->text);
  });
  return names;
}

// `if top_k > 0:` asks about the value itself: no guard.
bool AsksOfItself(const Guard& guard, const Names& names) {
  if (guard.condition == nullptr) return false;
  bool itself = false;
  Walk(guard.condition, [&](const SyntaxNode* part) {
    if (part->Is(Kind::kIdentifier) || part->Is(Kind::kAttribute)) {
      itself = itself || names.contains(part->text) || part->text == "top_k";
    }
  });
  return itself;
}

// k itself, through min(k, vocab_size) and int(k).
const SyntaxNode* InnerK(const SyntaxNode* expression) {
  const SyntaxNode* node = Unwrap(expression);
  for (int i = 0; i < 4 && node != nullptr && node->Is(Kind::kCall); ++i) {
    const std::string_view name = MethodName(node);
    if (name != "min" && name != "max" && name != "int") break;
    const SyntaxNode* arguments = node->Child(Field::kArguments);
    if (arguments == nullptr || arguments->children.empty()) break;
    const SyntaxNode* chosen = arguments->children[0];
    for (const SyntaxNode* argument : arguments->children) {
      const bool plain = argument->Is(Kind::kIdentifier) || argument->Is(Kind::kInteger);
      if (plain || argument->Is(Kind::kAttribute)) {
        chosen = argument;
        break;
      }
    }
    node = Unwrap(chosen);
  }
  return node;
}

// Where the lines start: at the `if top_k > 0:` right above, else at the statement.
uint32_t FirstByte(const SyntaxNode* statement, const Names& names, Evaluator& evaluator) {
  const SyntaxNode* block = statement->parent;
  const SyntaxNode* owner = block == nullptr ? nullptr : block->parent;
  if (owner == nullptr || !owner->Is(Kind::kIf) || block->field != Field::kConsequence) {
    return statement->begin;
  }
  for (const SyntaxNode* sibling : block->children) {
    if (sibling == statement) break;
    const SyntaxNode* assignment = AssignmentIn(sibling);
    Names targets;
    if (assignment != nullptr) TargetNames(assignment->Child(Field::kLeft), &targets);
    const bool sets_k = std::any_of(targets.begin(), targets.end(),
                                    [&](const std::string& name) { return names.contains(name); });
    if (!sets_k) return statement->begin;
  }
  Guard guard;
  guard.condition = owner->Child(Field::kCondition);
  const bool itself = AsksOfItself(guard, names) && !IsMachineCondition(guard.condition, evaluator);
  return itself ? owner->begin : statement->begin;
}

Site MakeSite(SiteFinder& finder, const CallSite& call, const SyntaxNode* k, Flow& flow) {
  Evaluator& evaluator = finder.evaluator();
  Names names = k == nullptr ? Names() : NamesOf(k);
  const SyntaxNode* inner = k == nullptr ? nullptr : InnerK(k);
  Site site;
  site.node = StatementOf(call.node);
  site.begin = FirstByte(site.node, names, evaluator);
  site.end = flow.LastOfChain(site.node)->end;
  site.effect = Effect::kOn;
  site.value = inner == nullptr ? "" : std::string(inner->text.substr(0, 80));
  const Alternatives values = inner == nullptr ? Alternatives() : evaluator.Evaluate(inner);
  bool all_off = !values.empty();
  for (const Alternative& value : values) {
    const bool number = value.value.Is(ScriptValue::Kind::kNumber);
    if (number && value.value.number > 0) {
      site.value = value.value.text;
      site.option = value.option;
    }
    all_off = all_off &&
              ((number && value.value.number <= 0) || value.value.Is(ScriptValue::Kind::kNone));
  }
  if (all_off) {
    site.effect = Effect::kOff;
    site.value = values[0].value.text;
    site.option = values[0].option;
  }
  for (Guard& guard : evaluator.GuardsOf(call.node)) {
    if (!AsksOfItself(guard, names)) site.guards.push_back(guard);
  }
  return site;
}

}  // namespace

void FindCustomTopK(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& known : finder.calls()) {
    const CallSite& call = *known.call;
    if (known.own || call.indirect || MethodName(call.node) != "topk") continue;
    const bool function = known.IsAny({"torch.topk", "topk", "tf.math.top_k"});
    const size_t place = function ? 1 : 0;
    const auto* keyword = call.Find("k");
    const SyntaxNode* k = keyword != nullptr               ? keyword->value
                          : place < call.positional.size() ? call.positional[place]
                                                           : nullptr;
    Flow flow(finder);
    if (!flow.Reaches(call.node, 0)) continue;
    sites->push_back(MakeSite(finder, call, k, flow));
  }
}

}  // namespace fathom
