// The grammar of Python 3.11 as a recursive descent that builds nothing but what it must look at
// again: whether an expression can be assigned to.
//
// After the chapters "Expressions", "Simple statements", "Compound statements" of the language
// reference. Where CPython has a rule of its own for a mistake, the line named here is the one that
// CPython names: mostly that of the furthest token it looked at, or of the expression that is to
// blame. Depth is bounded by the tokenizer's limits on brackets and indentation and by kMaxDepth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/python/python_source.h"
#include "audit/python/tokenizer.h"

namespace fathom {

class SyntaxParser {
 public:
  // `text` as PythonTokenizer wants it; `first_line` is the number of its first line.
  explicit SyntaxParser(std::string_view text, int first_line = 1)
      : text_(text), tokenizer_(text), line_shift_(first_line - 1) {}

  // A whole file.
  std::optional<SyntaxError> CheckModule();
  // What stands between the braces of an f-string, with round brackets around it.
  std::optional<SyntaxError> CheckFormatExpression();

 private:
  enum class Kind : uint8_t {
    kName,
    kAttribute,
    kSubscript,
    kTuple,
    kList,
    kStarred,
    kCall,
    kLiteral,
    kFormatString,
    kTrue,
    kFalse,
    kNone,
    kEllipsis,
    kDict,
    kSet,
    kComprehension,
    kGenerator,
    kLambda,
    kConditional,
    kNamed,
    kYield,
    kAwait,
    kComparison,
    kOperation,
    kLogic,
  };
  // A node is an index into nodes_; nodes live as long as their statement.
  using NodeId = int32_t;
  static constexpr NodeId kNoNode = -1;
  struct Node {
    Kind kind;
    bool parentheses = false;
    uint32_t token;            // where it begins
    NodeId child = kNoNode;    // first element of a tuple or list; what a star unpacks
    NodeId sibling = kNoNode;  // next element
  };
  enum class TargetUse : uint8_t { kAssign, kDelete };

  // --- tokens (syntax_parser.cc) ---
  const PythonToken& Peek(size_t ahead = 0);
  std::string_view TextOf(const PythonToken& token) const {
    return text_.substr(token.begin, token.end - token.begin);
  }
  bool Is(std::string_view word, size_t ahead = 0);
  bool IsKind(TokenKind kind) { return Peek().kind == kind; }
  bool IsSoft(std::string_view word);
  bool Take(std::string_view word);
  bool Expect(std::string_view word);
  bool TakeName();
  bool StartsExpression();
  bool StartsComprehension();
  void Advance() { position_ += failed_ ? 0 : 1; }

  // --- errors (syntax_parser.cc) ---
  bool good() const { return !failed_; }
  void Fail();                                   // "invalid syntax" at the furthest token
  void Raise(int line, std::string reason);      // a mistake with a name
  void RaiseAtLast(std::string reason);          // the same at the furthest token
  void RaiseHard(int line, std::string reason);  // one that looking ahead cannot undo
  void RaiseTokenProblem();
  int LineOf(NodeId node) const { return tokens_[nodes_[static_cast<size_t>(node)].token].line; }
  int LineOfToken(size_t token) const { return tokens_[token].line; }
  std::optional<SyntaxError> Finish();
  void ExplainFailure();
  bool MissingComma();
  void LookThroughRest();
  std::string UnclosedBracket() const;

  struct Mark {
    size_t position;
    size_t nodes;
  };
  Mark Begin();            // what follows may be taken back
  void Commit();           // it stands
  void Rewind(Mark mark);  // it is taken back, its failure forgotten

  // --- expressions (parse_expressions.cc, parse_displays.cc) ---
  NodeId Make(Kind kind, size_t token, NodeId child = kNoNode);
  Node& At(NodeId id) { return nodes_[static_cast<size_t>(id)]; }
  NodeId StarExpressions();
  NodeId StarExpression();
  NodeId NamedExpression();
  void AssignedExpression(NodeId node);
  NodeId StarNamedExpression();
  NodeId Expression();
  NodeId Operators(bool bitwise_only);
  bool TakeOperator(bool bitwise_only, bool* allows_not, Kind* kind);
  NodeId AwaitPrimary();
  NodeId Primary();
  NodeId Atom();
  NodeId Strings();
  NodeId Group();
  NodeId FirstElement();
  NodeId ListDisplay();
  NodeId BraceDisplay();
  void DictRest();
  void DictItem(bool first);
  void DictValue(NodeId key, bool first);
  void Elements(std::string_view close, NodeId first, NodeId sequence);
  void ForIfClauses();
  NodeId Lambda();
  NodeId Yield();
  void Arguments(bool of_class);
  struct ArgumentState {
    bool of_class = false;  // bases of a class: no bare generator
    int count = 0;
    bool keyword = false;
    bool unpacking = false;
    bool late_positional = false;  // a positional after a keyword: told at the end
    bool keyword_after_late = false;
  };
  void Argument(ArgumentState& state);
  void PositionalArgument(ArgumentState& state);
  void Slices();
  void Slice();
  struct ParameterState {
    bool any = false;
    bool slash = false;
    bool star = false;
    bool default_seen = false;
    bool done = false;  // **name was read
  };
  void Parameters(std::string_view close);
  void Parameter(ParameterState& state, std::string_view close);
  void StarParameter(ParameterState& state, std::string_view close);
  void KeywordsParameter(ParameterState& state, std::string_view close);
  void CheckNumber(const PythonToken& token);

  // --- targets (parse_targets.cc) ---
  NodeId InvalidTarget(NodeId node, TargetUse use);
  bool IsSingleTarget(NodeId node);
  bool CheckTarget(NodeId node, TargetUse use);
  void ForTargets();
  std::string_view Describe(NodeId node);

  // --- statements (parse_statements.cc, parse_compound.cc) ---
  void Statement();
  void SimpleStatements();
  void SimpleStatement();
  bool KeywordStatement();
  void ExpressionStatement();
  void Annotation(NodeId target);
  void AugmentedExpression(NodeId node);
  void Value();
  void Import();
  void FromImport();
  void ImportedNames(bool parentheses);
  void DottedName();
  void Names();
  void Raising();
  void Delete();
  bool CompoundStatement();
  void Block(std::string_view what);
  void If();
  void While();
  void For();
  void Try();
  bool ExceptBlock(bool first, bool* star);
  void With();
  bool WithItems(bool parentheses);
  void Function();
  void Class();
  void Decorated();
  void Async();

  // --- patterns (parse_patterns.cc) ---
  bool Match();
  void CaseBlock();
  void Patterns();
  bool MaybeStarPattern();
  void Pattern();
  void ClosedPattern();
  void NumberPattern();
  void NamePattern();
  void SequencePattern(std::string_view close);
  void MappingPattern();
  void MappingKey();
  void ClassPattern();

  static constexpr int kMaxDepth = 600;

  std::string_view text_;
  PythonTokenizer tokenizer_;
  int line_shift_;
  std::vector<PythonToken> tokens_;
  size_t position_ = 0;
  std::vector<Node> nodes_;
  int depth_ = 0;
  int tries_ = 0;  // nested Begin
  bool failed_ = false;
  bool hard_ = false;           // the failure stands whatever is taken back
  bool token_problem_ = false;  // it came from the tokenizer
  size_t furthest_ = 0;         // the last token looked at when a failure was met
  std::optional<SyntaxError> raised_;
  // The last disjunction that an expression began with: its first token and the one after it.
  size_t disjunction_begin_ = 0;
  size_t disjunction_end_ = 0;
};

}  // namespace fathom
