// Expressions: operators, primaries, calls, subscripts, lambda (class SyntaxParser).
#include <algorithm>
#include <array>

#include "audit/python/string_check.h"
#include "audit/python/syntax_parser.h"

namespace fathom {

SyntaxParser::NodeId SyntaxParser::Make(Kind kind, size_t token, NodeId child) {
  nodes_.push_back({.kind = kind, .token = static_cast<uint32_t>(token), .child = child});
  return static_cast<NodeId>(nodes_.size() - 1);
}

// star_expressions: one, or several as a tuple.
SyntaxParser::NodeId SyntaxParser::StarExpressions() {
  const size_t begin = position_;
  NodeId node = StarExpression();
  if (!Is(",")) return node;
  const NodeId tuple = Make(Kind::kTuple, begin, node);
  while (Take(",")) {
    if (!StartsExpression() && !Is("*")) break;
    const NodeId next = StarExpression();
    if (!good()) break;
    At(node).sibling = next;
    node = next;
  }
  return tuple;
}

SyntaxParser::NodeId SyntaxParser::StarExpression() {
  const size_t begin = position_;
  if (!Take("*")) return Expression();
  const NodeId inner = Operators(true);
  return Make(Kind::kStarred, begin, inner);
}

SyntaxParser::NodeId SyntaxParser::StarNamedExpression() {
  const size_t begin = position_;
  if (!Take("*")) return NamedExpression();
  const NodeId inner = Operators(true);
  return Make(Kind::kStarred, begin, inner);
}

SyntaxParser::NodeId SyntaxParser::NamedExpression() {
  const size_t begin = position_;
  if (IsKind(TokenKind::kName) && Is(":=", 1)) {
    position_ += 2;
    (void)Expression();
    return Make(Kind::kNamed, begin);
  }
  const NodeId node = Expression();
  if (Is(":=")) Raise(LineOf(node), "an assignment expression needs a name");
  if (Is("=")) AssignedExpression(node);
  return node;
}

// At "=" where an expression cannot be assigned to: a comparison that lacks its second "=", or no
// more than a stray sign.
void SyntaxParser::AssignedExpression(NodeId node) {
  switch (At(node).kind) {
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kGenerator:
    case Kind::kTrue:
    case Kind::kFalse:
    case Kind::kNone:
    case Kind::kLambda:
    case Kind::kConditional:
    case Kind::kComparison:
    case Kind::kLogic:
      if (!At(node).parentheses || At(node).kind == Kind::kTuple) {
        Fail();
        return;
      }
      break;
    default:
      break;
  }
  const int line = LineOf(node);
  const size_t looked_at = tokens_.size();
  const Mark mark = Begin();
  Advance();
  (void)Operators(true);
  const bool value = good() && !Is("=") && !Is(":=") && good();
  Rewind(mark);
  if (value) Raise(line, "invalid syntax, perhaps '==' or ':=' is meant");
  if (!good()) return;
  Fail();
  furthest_ = looked_at - 1;
}

// expression: conditional chains are a loop, so that their length costs no stack.
SyntaxParser::NodeId SyntaxParser::Expression() {
  if (++depth_ > kMaxDepth) RaiseHard(Peek().line, "nested too deeply");
  const size_t first = position_;
  NodeId node = kNoNode;
  bool conditional = false;
  while (good()) {
    const size_t begin = position_;
    if (Is("lambda")) {
      node = Lambda();
      break;
    }
    node = Operators(false);
    if (!good()) break;
    disjunction_begin_ = begin;
    disjunction_end_ = position_;
    if (!Take("if")) break;
    conditional = true;
    (void)Operators(false);
    if (!good()) break;
    if (!Take("else")) {
      if (Is(":")) {
        Fail();
      } else {
        Raise(LineOfToken(begin), "expected 'else' after 'if' expression");
      }
    }
  }
  --depth_;
  return conditional || !good() ? Make(Kind::kConditional, first) : node;
}

// One operator with two operands, where one stands here.
bool SyntaxParser::TakeOperator(bool bitwise_only, bool* allows_not, Kind* kind) {
  static constexpr std::array<std::string_view, 13> kBinary = {"+",  "-", "*", "/", "//", "%", "@",
                                                               "**", "|", "^", "&", "<<", ">>"};
  static constexpr std::array<std::string_view, 7> kCompare = {"==", "!=", "<", ">",
                                                               "<=", ">=", "in"};
  *allows_not = false;
  const PythonToken& token = Peek();
  if (token.kind != TokenKind::kOp && token.kind != TokenKind::kKeyword) return false;
  const std::string_view word = TextOf(token);
  if (std::find(kBinary.begin(), kBinary.end(), word) != kBinary.end()) {
    Advance();
    return true;
  }
  if (bitwise_only) return false;
  if (word == "and" || word == "or") {
    Advance();
    *kind = Kind::kLogic;
    *allows_not = true;
    return true;
  }
  const bool compare = std::find(kCompare.begin(), kCompare.end(), word) != kCompare.end();
  if (!compare && word != "not" && word != "is") return false;
  Advance();
  if (word == "not" && !Is("in")) {
    Fail();
    return true;
  }
  if (word == "not") Advance();
  if (word == "is") (void)Take("not");
  if (*kind != Kind::kLogic) *kind = Kind::kComparison;
  return true;
}

// Everything between a disjunction and a primary as one flat loop: operands and operators take
// turns, and only `not` minds where it stands. `bitwise_only`: up to bitwise_or.
SyntaxParser::NodeId SyntaxParser::Operators(bool bitwise_only) {
  const size_t begin = position_;
  bool allows_not = !bitwise_only;
  bool plain = true;
  Kind kind = Kind::kOperation;
  NodeId node = kNoNode;
  do {
    while (allows_not && Take("not")) {
      plain = false;
      kind = Kind::kLogic;
    }
    while (Is("-") || Is("+") || Is("~")) {
      Advance();
      plain = false;
    }
    node = AwaitPrimary();
    if (!good()) return node;
    const size_t after = position_;
    if (!TakeOperator(bitwise_only, &allows_not, &kind)) break;
    plain = false;
    if (!good()) {  // `a not b`: `not b` may be what was meant to come next
      disjunction_begin_ = begin;
      disjunction_end_ = after;
    }
  } while (good());
  return plain ? node : Make(kind, begin);
}

SyntaxParser::NodeId SyntaxParser::AwaitPrimary() {
  const size_t begin = position_;
  if (!Take("await")) return Primary();
  (void)Primary();
  return Make(Kind::kAwait, begin);
}

SyntaxParser::NodeId SyntaxParser::Primary() {
  const size_t begin = position_;
  NodeId node = Atom();
  while (good()) {
    if (Take(".")) {
      if (TakeName()) node = Make(Kind::kAttribute, begin);
    } else if (Take("(")) {
      Arguments(false);
      node = Make(Kind::kCall, begin);
    } else if (Take("[")) {
      Slices();
      node = Make(Kind::kSubscript, begin);
    } else {
      break;
    }
  }
  return node;
}

SyntaxParser::NodeId SyntaxParser::Atom() {
  const size_t begin = position_;
  const PythonToken token = Peek();
  switch (token.kind) {
    case TokenKind::kName:
      Advance();
      return Make(Kind::kName, begin);
    case TokenKind::kNumber:
      Advance();
      CheckNumber(token);
      return Make(Kind::kLiteral, begin);
    case TokenKind::kString:
      return Strings();
    default:
      break;
  }
  if (Take("None")) return Make(Kind::kNone, begin);
  if (Take("True")) return Make(Kind::kTrue, begin);
  if (Take("False")) return Make(Kind::kFalse, begin);
  if (Take("...")) return Make(Kind::kEllipsis, begin);
  if (Is("(")) return Group();
  if (Is("[")) return ListDisplay();
  if (Is("{")) return BraceDisplay();
  Fail();
  return Make(Kind::kNone, begin);
}

// CPython refuses to convert a decimal integer of more than 4300 digits.
void SyntaxParser::CheckNumber(const PythonToken& token) {
  constexpr ptrdiff_t kMaxDigits = 4300;
  const std::string_view number = TextOf(token);
  if (static_cast<ptrdiff_t>(number.size()) <= kMaxDigits) return;
  if (number.find_first_not_of("0123456789_") != std::string_view::npos) return;
  const ptrdiff_t underscores = std::count(number.begin(), number.end(), '_');
  if (static_cast<ptrdiff_t>(number.size()) - underscores > kMaxDigits) {
    RaiseHard(token.line, "an integer of more than 4300 digits");
  }
}

// Strings side by side are one; what is wrong in them is told where the text after them begins.
SyntaxParser::NodeId SyntaxParser::Strings() {
  const size_t begin = position_;
  bool format = false;
  bool bytes = false;
  bool text = false;
  while (IsKind(TokenKind::kString)) {
    const StringPrefix prefix = ReadStringPrefix(TextOf(Peek()));
    format |= prefix.format;
    (prefix.bytes ? bytes : text) = true;
    Advance();
  }
  if (!good()) return kNoNode;
  const int last = tokens_.back().line;
  for (size_t i = begin; i < position_; ++i) {
    const auto error = CheckString(TextOf(tokens_[i]), tokens_[i].line, last);
    if (error.has_value()) RaiseHard(error->line, error->reason);
    // The first two of different kinds end it before the rest is looked at.
    if (bytes && text && i > begin &&
        ReadStringPrefix(TextOf(tokens_[i])).bytes !=
            ReadStringPrefix(TextOf(tokens_[begin])).bytes) {
      RaiseHard(last, "bytes and text literals cannot be joined");
    }
  }
  return Make(format ? Kind::kFormatString : Kind::kLiteral, begin);
}

SyntaxParser::NodeId SyntaxParser::Yield() {
  const size_t begin = position_;
  (void)Expect("yield");
  if (Take("from")) {
    (void)Expression();
  } else if (StartsExpression() || Is("*")) {
    (void)StarExpressions();
  }
  return Make(Kind::kYield, begin);
}

SyntaxParser::NodeId SyntaxParser::Lambda() {
  const size_t begin = position_;
  (void)Expect("lambda");
  Parameters(":");
  (void)Expect(":");
  (void)Expression();
  return Make(Kind::kLambda, begin);
}

// After "(": arguments and ")".
void SyntaxParser::Arguments(bool of_class) {
  ArgumentState state = {.of_class = of_class};
  while (good() && !Take(")")) {
    Argument(state);
    ++state.count;
    if (!Is(")")) (void)Expect(",");
  }
  if (good() && state.late_positional) {
    Raise(tokens_.back().line, "positional argument follows keyword argument");
  }
}

void SyntaxParser::Argument(ArgumentState& state) {
  if (Take("**")) {
    (void)Expression();
    state.unpacking = true;
    return;
  }
  if (Is("*")) {
    if (state.unpacking) {
      RaiseAtLast("iterable argument unpacking follows keyword argument unpacking");
    }
    Advance();
    (void)Expression();
    return;
  }
  const PythonToken first = Peek();
  const bool constant = Is("True") || Is("False") || Is("None");
  if ((first.kind == TokenKind::kName || constant) && Is("=", 1)) {
    if (constant) Raise(first.line, "cannot assign to a constant");
    position_ += 2;
    (void)Expression();
    if (StartsComprehension()) {
      Raise(first.line, "invalid syntax, perhaps '==' or ':=' is meant instead of '='");
    }
    state.keyword = true;
    state.keyword_after_late |= state.late_positional;
    return;
  }
  PositionalArgument(state);
}

void SyntaxParser::PositionalArgument(ArgumentState& state) {
  const int line = Peek().line;
  if (IsKind(TokenKind::kName) && Is(":=", 1)) {
    position_ += 2;
    (void)Expression();
  } else {
    (void)Expression();
    if (Is(":=")) Raise(line, "an assignment expression needs a name");
    if (Is("=")) Raise(line, "an expression is assigned to, perhaps '==' is meant");
  }
  if (good() && StartsComprehension()) {
    ForIfClauses();
    if (!good()) return;
    if (state.count > 0 || !Is(")") || state.of_class) {
      if (state.count > 0 || Is(",")) Raise(line, "a generator expression must be parenthesized");
      Fail();
    }
    return;
  }
  if (!good() || (!state.keyword && !state.unpacking)) return;
  (void)Peek();
  if (state.late_positional && state.keyword_after_late) {
    RaiseAtLast("positional argument follows keyword argument");
  }
  state.late_positional = true;
}

// After "[": slices and "]".
void SyntaxParser::Slices() {
  do {
    if (Take("*")) {
      (void)Expression();
    } else {
      Slice();
    }
    if (!Take(",")) break;
  } while (good() && !Is("]"));
  (void)Expect("]");
}

void SyntaxParser::Slice() {
  if (!Is(":")) {
    (void)NamedExpression();
    if (!Is(":")) return;
  }
  (void)Take(":");
  if (StartsExpression()) (void)Expression();
  if (Take(":") && StartsExpression()) (void)Expression();
}

// Parameters of a function (close ")") or of a lambda (close ":"), which has no annotations.
void SyntaxParser::Parameters(std::string_view close) {
  ParameterState state;
  while (good() && !Is(close)) {
    Parameter(state, close);
    if (Is(close)) break;
    (void)Expect(",");
    if (state.done && !Is(close)) {
      if (IsKind(TokenKind::kName) || Is("*") || Is("**") || Is("/")) {
        Raise(Peek().line, "parameters cannot follow a var-keyword parameter");
      }
      Fail();
    }
  }
}

void SyntaxParser::Parameter(ParameterState& state, std::string_view close) {
  const PythonToken token = Peek();
  if (Take("/")) {
    if (!state.any) Raise(token.line, "at least one parameter must precede /");
    if (state.slash) Raise(token.line, "/ may appear only once");
    if (state.star) Raise(token.line, "/ must be ahead of *");
    state.slash = true;
    return;
  }
  if (Is("*")) return StarParameter(state, close);
  if (Is("**")) return KeywordsParameter(state, close);
  if (Is("(")) Raise(token.line, "parameters cannot be parenthesized");
  if (!TakeName()) return;
  state.any = true;
  if (close == ")" && Take(":")) (void)Expression();
  if (Take("=")) {
    if (Is(")") || Is(",")) Raise(LineOfToken(position_ - 1), "expected default value expression");
    (void)Expression();
    state.default_seen = true;
  } else if (state.default_seen && !state.star && (Is(",") || Is(close))) {
    Raise(token.line, "non-default argument follows default argument");
  }
}

void SyntaxParser::StarParameter(ParameterState& state, std::string_view close) {
  const int line = Peek().line;
  Advance();
  if (state.star) Raise(line, "* may appear only once");
  state.star = true;
  state.any = true;
  if (Is(close)) Raise(line, "named parameters must follow bare *");
  if (Is(",")) {
    if (Is(close, 1) || Is("**", 1)) Raise(line, "named parameters must follow bare *");
    return;
  }
  (void)TakeName();
  if (close == ")" && Take(":")) (void)StarExpression();
  if (Is("=")) Raise(Peek().line, "var-positional parameter cannot have default value");
}

void SyntaxParser::KeywordsParameter(ParameterState& state, std::string_view close) {
  Advance();
  (void)TakeName();
  if (close == ")" && Take(":")) (void)Expression();
  if (Is("=")) Raise(Peek().line, "var-keyword parameter cannot have default value");
  state.done = true;
}

}  // namespace fathom
