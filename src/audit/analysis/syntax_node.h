// SyntaxNode: the tree of a script in a compact form of our own, which outlives no PythonSource.
//
// Kinds and fields are those of the grammar (tree-sitter-python); punctuation and comments are left
// out. Whatever lies deeper than kMaxSyntaxDepth is one node of kind kTooDeep without children, so
// that everything after may walk the tree by recursion.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

class PythonSource;

inline constexpr int kMaxSyntaxDepth = 250;

enum class SyntaxKind : uint8_t {
  kOther,
  kTooDeep,
  kError,
  kOperator,  // a token: "==", "not in", "and"
  kModule,
  kBlock,
  kExpressionStatement,
  kAssignment,
  kAugmentedAssignment,
  kCall,
  kArgumentList,
  kKeywordArgument,
  kAttribute,
  kSubscript,
  kIdentifier,
  kString,
  kInterpolation,
  kConcatenatedString,
  kInteger,
  kFloat,
  kTrue,
  kFalse,
  kNone,
  kDictionary,
  kPair,
  kDictionarySplat,
  kListSplat,
  kList,
  kTuple,
  kSet,
  kParenthesized,
  kBinaryOperator,
  kBooleanOperator,
  kNotOperator,
  kUnaryOperator,
  kComparison,
  kConditional,
  kLambda,
  kNamedExpression,
  kAwait,
  kDictionaryComprehension,
  kListComprehension,
  kSetComprehension,
  kGenerator,
  kForInClause,
  kIf,
  kElif,
  kElse,
  kFor,
  kWhile,
  kTry,
  kExcept,
  kFinally,
  kWith,
  kWithClause,
  kWithItem,
  kAsPattern,
  kAsPatternTarget,
  kFunction,
  kClass,
  kDecorated,
  kDecorator,
  kImport,
  kImportFrom,
  kAliasedImport,
  kDottedName,
  kRelativeImport,
  kWildcardImport,
  kReturn,
  kRaise,
  kDelete,
  kAssert,
  kBreak,
  kContinue,
  kParameters,
  kLambdaParameters,
  kDefaultParameter,
  kTypedParameter,
  kTypedDefaultParameter,
  kListSplatPattern,
  kDictionarySplatPattern,
  kKeywordSeparator,
  kMatch,
  kCase,
  kExpressionList,
  kPatternList,
  kType,
  kGlobal,
  kNonlocal
};

enum class SyntaxField : uint8_t {
  kNone,
  kAlias,
  kAlternative,
  kArguments,
  kAttribute,
  kBody,
  kCondition,
  kConsequence,
  kDefinition,
  kFunction,
  kKey,
  kLeft,
  kModuleName,
  kName,
  kObject,
  kOperator,
  kParameters,
  kRight,
  kSubject,
  kSubscript,
  kSuperclasses,
  kType,
  kValue
};

struct SyntaxNode {
  SyntaxKind kind = SyntaxKind::kOther;
  SyntaxField field = SyntaxField::kNone;  // the role in the parent
  bool dead = false;                       // never runs (set by MarkDeadCode)
  mutable int8_t leaves = -1;              // what LeavesBlock said; -1: not asked yet
  uint16_t depth = 0;
  uint32_t begin = 0, end = 0;  // bytes of PythonSource::text()
  uint32_t index = 0;           // place in the tree, in order of begin
  const SyntaxNode* parent = nullptr;
  std::vector<SyntaxNode*> children;
  std::string_view text;

  bool Is(SyntaxKind other) const { return kind == other; }
  const SyntaxNode* Child(SyntaxField wanted) const;  // the first with the field, or null
  std::vector<const SyntaxNode*> All(SyntaxField wanted) const;
  // The nearest one above (not itself) of the kind, or null.
  const SyntaxNode* Above(SyntaxKind wanted) const;
  bool Within(const SyntaxNode* ancestor) const;  // itself included
};

// Parentheses around an expression, `await` before it and `(a := b)` taken off.
const SyntaxNode* Unwrap(const SyntaxNode* node);
// The statement that the node is part of: a child of a block or of the module.
const SyntaxNode* StatementOf(const SyntaxNode* node);
// The text of a plain string literal (several joined), without prefix and quotes; nothing for
// bytes and for f-strings with a value in them.
std::optional<std::string> StringLiteral(const SyntaxNode* node);
// ASCII letters as small ones.
std::string Lower(std::string_view text);
// "self.model.config" for a chain of names; empty for anything else.
std::string DottedText(const SyntaxNode* node);

class SyntaxTree {
 public:
  explicit SyntaxTree(const PythonSource& source);
  const SyntaxNode* root() const { return root_; }
  const std::deque<SyntaxNode>& nodes() const { return nodes_; }

 private:
  void MarkDeadCode();
  std::deque<SyntaxNode> nodes_;
  SyntaxNode* root_ = nullptr;
};

// Whether the statement never lets the next one run: return, raise, break, continue, sys.exit(),
// exit(), quit(), os._exit(), parser.error(), an `if`, `try` or `with` of which every way does so,
// and an endless loop without a break.
bool LeavesBlock(const SyntaxNode* statement);
// The statements of a block, module or clause; for others nothing.
const std::vector<SyntaxNode*>& StatementsOf(const SyntaxNode* body);

}  // namespace fathom
