#include "audit/analysis/syntax_node.h"

#include <tree_sitter/api.h>

#include <algorithm>
#include <array>
#include <utility>

#include "audit/python/python_source.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

struct KindName {
  std::string_view name;
  Kind kind;
};

constexpr auto kKindNames = std::to_array<KindName>({
    {"ERROR", Kind::kError},
    {"module", Kind::kModule},
    {"block", Kind::kBlock},
    {"expression_statement", Kind::kExpressionStatement},
    {"assignment", Kind::kAssignment},
    {"augmented_assignment", Kind::kAugmentedAssignment},
    {"call", Kind::kCall},
    {"argument_list", Kind::kArgumentList},
    {"keyword_argument", Kind::kKeywordArgument},
    {"attribute", Kind::kAttribute},
    {"subscript", Kind::kSubscript},
    {"identifier", Kind::kIdentifier},
    {"string", Kind::kString},
    {"interpolation", Kind::kInterpolation},
    {"concatenated_string", Kind::kConcatenatedString},
    {"integer", Kind::kInteger},
    {"float", Kind::kFloat},
    {"true", Kind::kTrue},
    {"false", Kind::kFalse},
    {"none", Kind::kNone},
    {"dictionary", Kind::kDictionary},
    {"pair", Kind::kPair},
    {"dictionary_splat", Kind::kDictionarySplat},
    {"list_splat", Kind::kListSplat},
    {"list", Kind::kList},
    {"tuple", Kind::kTuple},
    {"set", Kind::kSet},
    {"parenthesized_expression", Kind::kParenthesized},
    {"binary_operator", Kind::kBinaryOperator},
    {"boolean_operator", Kind::kBooleanOperator},
    {"not_operator", Kind::kNotOperator},
    {"unary_operator", Kind::kUnaryOperator},
    {"comparison_operator", Kind::kComparison},
    {"conditional_expression", Kind::kConditional},
    {"lambda", Kind::kLambda},
    {"named_expression", Kind::kNamedExpression},
    {"await", Kind::kAwait},
    {"dictionary_comprehension", Kind::kDictionaryComprehension},
    {"list_comprehension", Kind::kListComprehension},
    {"set_comprehension", Kind::kSetComprehension},
    {"generator_expression", Kind::kGenerator},
    {"for_in_clause", Kind::kForInClause},
    {"if_statement", Kind::kIf},
    {"elif_clause", Kind::kElif},
    {"else_clause", Kind::kElse},
    {"for_statement", Kind::kFor},
    {"while_statement", Kind::kWhile},
    {"try_statement", Kind::kTry},
    {"except_clause", Kind::kExcept},
    {"except_group_clause", Kind::kExcept},
    {"finally_clause", Kind::kFinally},
    {"with_statement", Kind::kWith},
    {"with_clause", Kind::kWithClause},
    {"with_item", Kind::kWithItem},
    {"as_pattern", Kind::kAsPattern},
    {"as_pattern_target", Kind::kAsPatternTarget},
    {"function_definition", Kind::kFunction},
    {"class_definition", Kind::kClass},
    {"decorated_definition", Kind::kDecorated},
    {"decorator", Kind::kDecorator},
    {"import_statement", Kind::kImport},
    {"import_from_statement", Kind::kImportFrom},
    {"aliased_import", Kind::kAliasedImport},
    {"dotted_name", Kind::kDottedName},
    {"relative_import", Kind::kRelativeImport},
    {"wildcard_import", Kind::kWildcardImport},
    {"return_statement", Kind::kReturn},
    {"raise_statement", Kind::kRaise},
    {"delete_statement", Kind::kDelete},
    {"assert_statement", Kind::kAssert},
    {"break_statement", Kind::kBreak},
    {"continue_statement", Kind::kContinue},
    {"parameters", Kind::kParameters},
    {"lambda_parameters", Kind::kLambdaParameters},
    {"default_parameter", Kind::kDefaultParameter},
    {"typed_parameter", Kind::kTypedParameter},
    {"typed_default_parameter", Kind::kTypedDefaultParameter},
    {"list_splat_pattern", Kind::kListSplatPattern},
    {"dictionary_splat_pattern", Kind::kDictionarySplatPattern},
    {"keyword_separator", Kind::kKeywordSeparator},
    {"match_statement", Kind::kMatch},
    {"case_clause", Kind::kCase},
    {"expression_list", Kind::kExpressionList},
    {"pattern_list", Kind::kPatternList},
    {"tuple_pattern", Kind::kPatternList},
    {"list_pattern", Kind::kPatternList},
    {"type", Kind::kType},
    {"global_statement", Kind::kGlobal},
    {"nonlocal_statement", Kind::kNonlocal},
});

constexpr auto kFieldNames = std::to_array<std::pair<std::string_view, Field>>({
    {"alias", Field::kAlias},
    {"alternative", Field::kAlternative},
    {"arguments", Field::kArguments},
    {"attribute", Field::kAttribute},
    {"body", Field::kBody},
    {"condition", Field::kCondition},
    {"consequence", Field::kConsequence},
    {"definition", Field::kDefinition},
    {"function", Field::kFunction},
    {"key", Field::kKey},
    {"left", Field::kLeft},
    {"module_name", Field::kModuleName},
    {"name", Field::kName},
    {"object", Field::kObject},
    {"operator", Field::kOperator},
    {"operators", Field::kOperator},
    {"parameters", Field::kParameters},
    {"right", Field::kRight},
    {"subject", Field::kSubject},
    {"subscript", Field::kSubscript},
    {"superclasses", Field::kSuperclasses},
    {"type", Field::kType},
    {"value", Field::kValue},
});

// Symbol and field numbers of the grammar -> ours, made once for the language.
struct Vocabulary {
  std::vector<Kind> kinds;
  std::vector<Field> fields;

  explicit Vocabulary(const TSLanguage* language) {
    kinds.assign(ts_language_symbol_count(language), Kind::kOther);
    for (uint32_t i = 0; i < kinds.size(); ++i) {
      const auto symbol = static_cast<TSSymbol>(i);
      if (ts_language_symbol_type(language, symbol) != TSSymbolTypeRegular) continue;
      const std::string_view name = ts_language_symbol_name(language, symbol);
      for (const KindName& known : kKindNames) {
        if (known.name == name) kinds[i] = known.kind;
      }
    }
    fields.assign(ts_language_field_count(language) + 1, Field::kNone);
    for (uint32_t i = 1; i < fields.size(); ++i) {
      const char* name = ts_language_field_name_for_id(language, static_cast<TSFieldId>(i));
      for (const auto& [known, field] : kFieldNames) {
        if (name != nullptr && known == name) fields[i] = field;
      }
    }
  }
  Kind KindOf(TSNode node) const {
    const TSSymbol symbol = ts_node_symbol(node);
    return symbol < kinds.size() ? kinds[symbol] : Kind::kError;
  }
};

bool IsKept(TSNode node, Field field) {
  if (ts_node_is_extra(node) && std::string_view(ts_node_type(node)) == "comment") return false;
  return ts_node_is_named(node) || field == Field::kOperator;
}

bool IsConstantTest(const SyntaxNode* test, bool value) {
  test = Unwrap(test);
  if (test == nullptr) return false;
  if (test->Is(Kind::kNotOperator)) {
    return !test->children.empty() && IsConstantTest(test->children.back(), !value);
  }
  if (test->Is(Kind::kBooleanOperator) && test->children.size() == 3) {
    const bool is_and = test->children[1]->text == "and";
    // `False and x` is false, `True or x` is true.
    return is_and != value && IsConstantTest(test->children[0], value);
  }
  if (value) return test->Is(Kind::kTrue) || (test->Is(Kind::kInteger) && test->text == "1");
  if (test->Is(Kind::kFalse) || test->Is(Kind::kNone)) return true;
  if (test->Is(Kind::kInteger)) return test->text == "0";
  if (test->Is(Kind::kString)) return StringLiteral(test) == std::string();
  return DottedText(test) == "TYPE_CHECKING" || DottedText(test) == "typing.TYPE_CHECKING";
}

void KillFrom(const std::vector<SyntaxNode*>& statements, size_t first) {
  for (size_t i = first; i < statements.size(); ++i) statements[i]->dead = true;
}

void KillChild(SyntaxNode* node, Field field) {
  for (SyntaxNode* child : node->children) {
    if (child->field == field) child->dead = true;
  }
}

// `if`: a branch that a constant rules out, and all after one that always runs.
void MarkBranches(SyntaxNode* node) {
  bool rest_is_dead = false;
  if (IsConstantTest(node->Child(Field::kCondition), false)) KillChild(node, Field::kConsequence);
  if (IsConstantTest(node->Child(Field::kCondition), true)) rest_is_dead = true;
  for (SyntaxNode* child : node->children) {
    if (child->field != Field::kAlternative) continue;
    if (rest_is_dead) child->dead = true;
    if (!child->Is(Kind::kElif)) continue;
    if (IsConstantTest(child->Child(Field::kCondition), false)) child->dead = true;
    if (IsConstantTest(child->Child(Field::kCondition), true)) rest_is_dead = true;
  }
}

void MarkConditional(SyntaxNode* node) {
  if (node->children.size() < 3) return;
  if (IsConstantTest(node->children[1], false)) node->children[0]->dead = true;
  if (IsConstantTest(node->children[1], true)) node->children[2]->dead = true;
}

void MarkNode(SyntaxNode* node) {
  if (node->Is(Kind::kIf)) MarkBranches(node);
  if (node->Is(Kind::kConditional)) MarkConditional(node);
  if (node->Is(Kind::kWhile) && IsConstantTest(node->Child(Field::kCondition), false)) {
    KillChild(node, Field::kBody);
  }
  if (!node->Is(Kind::kBlock) && !node->Is(Kind::kModule)) return;
  for (size_t i = 0; i + 1 < node->children.size(); ++i) {
    if (!LeavesBlock(node->children[i])) continue;
    KillFrom(node->children, i + 1);
    return;
  }
}

}  // namespace

const SyntaxNode* SyntaxNode::Child(SyntaxField wanted) const {
  for (const SyntaxNode* child : children) {
    if (child->field == wanted) return child;
  }
  return nullptr;
}

std::vector<const SyntaxNode*> SyntaxNode::All(SyntaxField wanted) const {
  std::vector<const SyntaxNode*> found;
  for (const SyntaxNode* child : children) {
    if (child->field == wanted) found.push_back(child);
  }
  return found;
}

const SyntaxNode* SyntaxNode::Above(SyntaxKind wanted) const {
  for (const SyntaxNode* node = parent; node != nullptr; node = node->parent) {
    if (node->kind == wanted) return node;
  }
  return nullptr;
}

bool SyntaxNode::Within(const SyntaxNode* ancestor) const {
  for (const SyntaxNode* node = this; node != nullptr; node = node->parent) {
    if (node == ancestor) return true;
  }
  return false;
}

const SyntaxNode* Unwrap(const SyntaxNode* node) {
  while (node != nullptr && !node->children.empty()) {
    if (node->Is(Kind::kParenthesized) || node->Is(Kind::kAwait)) {
      node = node->children[0];
    } else if (node->Is(Kind::kNamedExpression)) {
      node = node->Child(Field::kValue);
    } else if (node->Is(Kind::kType) && node->children.size() == 1) {
      node = node->children[0];
    } else {
      return node;
    }
  }
  return node;
}

const SyntaxNode* StatementOf(const SyntaxNode* node) {
  while (node->parent != nullptr && !node->parent->Is(Kind::kBlock) &&
         !node->parent->Is(Kind::kModule)) {
    node = node->parent;
  }
  return node;
}

std::optional<std::string> StringLiteral(const SyntaxNode* node) {
  node = Unwrap(node);
  if (node == nullptr) return std::nullopt;
  if (node->Is(Kind::kConcatenatedString)) {
    std::string joined;
    for (const SyntaxNode* part : node->children) {
      const auto text = StringLiteral(part);
      if (!text) return std::nullopt;
      joined += *text;
    }
    return joined;
  }
  if (!node->Is(Kind::kString)) return std::nullopt;
  for (const SyntaxNode* child : node->children) {
    if (child->Is(Kind::kInterpolation)) return std::nullopt;
  }
  std::string_view text = node->text;
  size_t start = 0;
  while (start < text.size() && text[start] != '"' && text[start] != '\'') {
    if (text[start] == 'b' || text[start] == 'B') return std::nullopt;
    ++start;
  }
  text.remove_prefix(start);
  const bool triple = text.size() >= 6 && (text.starts_with("\"\"\"") || text.starts_with("'''"));
  const size_t quote = triple ? 3 : 1;
  if (text.size() < 2 * quote) return std::nullopt;
  return std::string(text.substr(quote, text.size() - 2 * quote));
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string DottedText(const SyntaxNode* node) {
  std::vector<std::string_view> parts;
  for (node = Unwrap(node); node != nullptr; node = Unwrap(node->Child(Field::kObject))) {
    if (node->Is(Kind::kIdentifier)) {
      std::string text(node->text);
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        text += ".";
        text += *part;
      }
      return text;
    }
    const SyntaxNode* attribute = node->Child(Field::kAttribute);
    if (!node->Is(Kind::kAttribute) || attribute == nullptr) return {};
    parts.push_back(attribute->text);
  }
  return {};
}

const std::vector<SyntaxNode*>& StatementsOf(const SyntaxNode* body) {
  static const std::vector<SyntaxNode*> none;
  if (body == nullptr) return none;
  if (body->Is(Kind::kBlock) || body->Is(Kind::kModule)) return body->children;
  for (const SyntaxNode* child : body->children) {
    if (child->Is(Kind::kBlock)) return child->children;
  }
  return none;
}

namespace {

constexpr int kMaxLeaveDepth = 60;

bool Leaves(const SyntaxNode* statement, int depth);

bool BlockLeaves(const SyntaxNode* body, int depth) {
  const auto& statements = StatementsOf(body);
  return !statements.empty() && Leaves(statements.back(), depth + 1);
}

// Every branch is left, and there is an else.
bool IfLeaves(const SyntaxNode* node, int depth) {
  bool has_else = false;
  if (!BlockLeaves(node->Child(Field::kConsequence), depth)) return false;
  for (const SyntaxNode* child : node->children) {
    if (child->field != Field::kAlternative) continue;
    has_else = has_else || child->Is(Kind::kElse);
    if (!BlockLeaves(child, depth)) return false;
  }
  return has_else;
}

bool TryLeaves(const SyntaxNode* node, int depth) {
  bool body = false, handlers = true;
  for (const SyntaxNode* child : node->children) {
    const bool runs = child->field == Field::kBody || child->Is(Kind::kElse);
    if (runs) body = body || BlockLeaves(child, depth);
    if (child->Is(Kind::kExcept)) handlers = handlers && BlockLeaves(child, depth);
    if (child->Is(Kind::kFinally) && BlockLeaves(child, depth)) return true;
  }
  return body && handlers;
}

// A `break` that ends the loop whose body this is.
bool HasBreak(const SyntaxNode* node, int depth) {
  if (depth > kMaxLeaveDepth) return true;
  return std::any_of(node->children.begin(), node->children.end(), [&](const SyntaxNode* child) {
    if (child->Is(Kind::kBreak)) return !child->dead;
    if (child->Is(Kind::kFunction) || child->Is(Kind::kClass)) return false;
    const bool loop = child->Is(Kind::kFor) || child->Is(Kind::kWhile);
    if (!loop) return HasBreak(child, depth + 1);
    // Of a loop within, only what follows it as its else.
    return std::any_of(child->children.begin(), child->children.end(), [&](const SyntaxNode* part) {
      return part->Is(Kind::kElse) && HasBreak(part, depth + 1);
    });
  });
}

bool CallLeaves(const SyntaxNode* statement) {
  const SyntaxNode* call = statement->children.empty() ? nullptr : statement->children[0];
  if (call == nullptr || !call->Is(Kind::kCall)) return false;
  const std::string name = DottedText(call->Child(Field::kFunction));
  return name == "sys.exit" || name == "exit" || name == "quit" || name == "os._exit" ||
         name == "parser.error";
}

bool Leaves(const SyntaxNode* statement, int depth) {
  if (depth > kMaxLeaveDepth) return false;
  switch (statement->kind) {
    case Kind::kReturn:
    case Kind::kRaise:
    case Kind::kBreak:
    case Kind::kContinue:
      return true;
    case Kind::kExpressionStatement:
      return CallLeaves(statement);
    case Kind::kIf:
      return IfLeaves(statement, depth);
    case Kind::kTry:
      return TryLeaves(statement, depth);
    case Kind::kWith: {
      // Unless its context swallows what is raised within.
      const SyntaxNode* body = statement->Child(Field::kBody);
      const std::string_view head =
          statement->text.substr(0, body == nullptr ? 0 : body->begin - statement->begin);
      const bool swallows = head.find("suppress") != std::string_view::npos ||
                            head.find("raises") != std::string_view::npos;
      return !swallows && body != nullptr && BlockLeaves(body, depth);
    }
    case Kind::kWhile: {
      const SyntaxNode* body = statement->Child(Field::kBody);
      return body != nullptr && IsConstantTest(statement->Child(Field::kCondition), true) &&
             !HasBreak(body, depth);
    }
    default:
      return false;
  }
}

}  // namespace

bool LeavesBlock(const SyntaxNode* statement) {
  if (statement->leaves < 0) statement->leaves = Leaves(statement, 0) ? 1 : 0;
  return statement->leaves == 1;
}

SyntaxTree::SyntaxTree(const PythonSource& source) {
  TSTreeCursor cursor = ts_tree_cursor_new(source.root());
  const Vocabulary vocabulary(ts_tree_language(source.root().tree));
  std::vector<SyntaxNode*> stack;  // the nodes kept above the cursor; null for what was left out
  bool down = true;
  while (true) {
    if (down) {
      const TSNode node = ts_tree_cursor_current_node(&cursor);
      const TSFieldId field_id = ts_tree_cursor_current_field_id(&cursor);
      const Field field =
          field_id < vocabulary.fields.size() ? vocabulary.fields[field_id] : Field::kNone;
      SyntaxNode* kept = nullptr;
      if (stack.empty() || IsKept(node, field)) {
        SyntaxNode* parent = stack.empty() ? nullptr : stack.back();
        kept = &nodes_.emplace_back();
        kept->kind = ts_node_is_named(node) ? vocabulary.KindOf(node) : Kind::kOperator;
        kept->field = field;
        kept->begin = ts_node_start_byte(node);
        kept->end = ts_node_end_byte(node);
        kept->text = source.text().substr(kept->begin, kept->end - kept->begin);
        kept->parent = parent;
        kept->depth = static_cast<uint16_t>(stack.size());
        kept->index = static_cast<uint32_t>(nodes_.size() - 1);
        if (parent != nullptr) parent->children.push_back(kept);
        if (stack.size() >= kMaxSyntaxDepth) kept->kind = Kind::kTooDeep;
      }
      const bool enter = kept != nullptr && !kept->Is(Kind::kTooDeep);
      if (enter && ts_tree_cursor_goto_first_child(&cursor)) {
        stack.push_back(kept);
        continue;
      }
    }
    if (ts_tree_cursor_goto_next_sibling(&cursor)) {
      down = true;
      continue;
    }
    if (stack.empty() || !ts_tree_cursor_goto_parent(&cursor)) break;
    stack.pop_back();
    down = false;
  }
  ts_tree_cursor_delete(&cursor);
  root_ = &nodes_.front();
  MarkDeadCode();
}

// Nodes are in order of their place, parents first: one pass hands `dead` down.
void SyntaxTree::MarkDeadCode() {
  for (SyntaxNode& node : nodes_) {
    if (node.parent != nullptr && node.parent->dead) node.dead = true;
    if (!node.dead) MarkNode(&node);
  }
}

}  // namespace fathom
