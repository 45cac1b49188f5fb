#include "text/template/expression_parser.h"

#include <algorithm>

namespace fathom::jinja {

ExpressionParser::ExpressionParser(TextView source) : lexer_(source), current_(lexer_.Next()) {}

Token ExpressionParser::Take() {
  Token taken = std::move(current_);
  if (!ahead_.empty()) {
    current_ = std::move(ahead_.front());
    ahead_.pop_front();
  } else {
    current_ = lexer_.Next();
  }
  return taken;
}

const Token& ExpressionParser::Look() {
  if (ahead_.empty()) ahead_.push_back(lexer_.Next());
  return ahead_.front();
}

void ExpressionParser::Fail(std::string message) const {
  throw Error{ErrorKind::kSyntax, std::move(message), current_.line};
}

void ExpressionParser::TooDeep() const {
  Fail(fmt::format("the template is nested deeper than the limit of {}", kMaxTreeDepth));
}

void ExpressionParser::Expect(TokenType type, std::string_view what) {
  if (current_.type != type) {
    if (current_.type == TokenType::kEnd) {
      Fail(fmt::format("unexpected end of template, expected '{}'.", what));
    }
    Fail(fmt::format("expected token '{}', got '{}'", what, Describe(current_)));
  }
  Take();
}

void ExpressionParser::ExpectName(TextView name) {
  if (!current_.IsName(name)) {
    Fail(fmt::format("expected token '{}', got '{}'", ToUtf8(name), Describe(current_)));
  }
  Take();
}

bool ExpressionParser::SkipName(TextView name) {
  if (!current_.IsName(name)) return false;
  Take();
  return true;
}

ExpressionPtr ExpressionParser::Make(ExpressionKind kind, int line) {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  return node;
}

void ExpressionParser::Adopt(Expression& parent, ExpressionPtr child) {
  if (child != nullptr) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kMaxTreeDepth) TooDeep();
  }
  parent.items.push_back(std::move(child));
}

template <typename... Items>
ExpressionPtr ExpressionParser::Make(ExpressionKind kind, int line, Items... items) {
  ExpressionPtr node = Make(kind, line);
  (Adopt(*node, std::move(items)), ...);
  return node;
}

ExpressionPtr ExpressionParser::MakeConstant(Constant value, int line) {
  ExpressionPtr node = Make(ExpressionKind::kConstant, line);
  node->constant = std::move(value);
  node->constant_index = static_cast<int>(constants_.size());
  constants_.push_back(node.get());
  return node;
}

ExpressionPtr ExpressionParser::ParseExpression(bool conditional) {
  const Nesting nesting(*this);
  return conditional ? ParseConditional() : ParseOr();
}

ExpressionPtr ExpressionParser::ParseConditional() {
  int line = current_.line;
  ExpressionPtr node = ParseOr();
  while (SkipName(U"if")) {
    ExpressionPtr test = ParseOr();
    ExpressionPtr otherwise;
    if (SkipName(U"else")) {
      const Nesting nesting(*this);
      otherwise = ParseConditional();
    }
    node = Make(ExpressionKind::kConditional, line, std::move(test), std::move(node),
                std::move(otherwise));
    line = current_.line;
  }
  return node;
}

ExpressionPtr ExpressionParser::ParseOr() {
  const int line = current_.line;
  ExpressionPtr left = ParseAnd();
  while (SkipName(U"or")) left = Make(ExpressionKind::kOr, line, std::move(left), ParseAnd());
  return left;
}

ExpressionPtr ExpressionParser::ParseAnd() {
  const int line = current_.line;
  ExpressionPtr left = ParseNot();
  while (SkipName(U"and")) left = Make(ExpressionKind::kAnd, line, std::move(left), ParseNot());
  return left;
}

ExpressionPtr ExpressionParser::ParseNot() {
  if (!current_.IsName(U"not")) return ParseCompare();
  const Nesting nesting(*this);
  const int line = Take().line;
  return Make(ExpressionKind::kNot, line, ParseNot());
}

namespace {

bool CompareOperator(TokenType type, Operator& op) {
  switch (type) {
    case TokenType::kEq:
      op = Operator::kEqual;
      return true;
    case TokenType::kNe:
      op = Operator::kNotEqual;
      return true;
    case TokenType::kLt:
      op = Operator::kLess;
      return true;
    case TokenType::kLe:
      op = Operator::kLessEqual;
      return true;
    case TokenType::kGt:
      op = Operator::kGreater;
      return true;
    case TokenType::kGe:
      op = Operator::kGreaterEqual;
      return true;
    default:
      return false;
  }
}

bool ProductOperator(TokenType type, Operator& op) {
  switch (type) {
    case TokenType::kMul:
      op = Operator::kMultiply;
      return true;
    case TokenType::kDiv:
      op = Operator::kDivide;
      return true;
    case TokenType::kFloorDiv:
      op = Operator::kFloorDivide;
      return true;
    case TokenType::kMod:
      op = Operator::kModulo;
      return true;
    default:
      return false;
  }
}

}  // namespace

ExpressionPtr ExpressionParser::ParseCompare() {
  const int line = current_.line;
  ExpressionPtr first = ParseSum();
  ExpressionPtr compare;
  for (;;) {
    Operator op;
    if (CompareOperator(current_.type, op)) {
      Take();
    } else if (SkipName(U"in")) {
      op = Operator::kIn;
    } else if (current_.IsName(U"not") && Look().IsName(U"in")) {
      Take();
      Take();
      op = Operator::kNotIn;
    } else {
      break;
    }
    if (compare == nullptr) compare = Make(ExpressionKind::kCompare, line, std::move(first));
    compare->ops.push_back(op);
    Adopt(*compare, ParseSum());
  }
  return compare == nullptr ? std::move(first) : std::move(compare);
}

ExpressionPtr ExpressionParser::ParseSum() {
  const int line = current_.line;
  ExpressionPtr left = ParseConcat();
  while (current_.type == TokenType::kAdd || current_.type == TokenType::kSub) {
    const Operator op = Take().type == TokenType::kAdd ? Operator::kAdd : Operator::kSubtract;
    left = Make(ExpressionKind::kBinary, line, std::move(left), ParseConcat());
    left->op = op;
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseConcat() {
  const int line = current_.line;
  ExpressionPtr first = ParseProduct();
  if (current_.type != TokenType::kTilde) return first;
  ExpressionPtr concat = Make(ExpressionKind::kConcat, line, std::move(first));
  while (current_.type == TokenType::kTilde) {
    Take();
    Adopt(*concat, ParseProduct());
  }
  return concat;
}

ExpressionPtr ExpressionParser::ParseProduct() {
  const int line = current_.line;
  ExpressionPtr left = ParsePower();
  Operator op;
  while (ProductOperator(current_.type, op)) {
    Take();
    left = Make(ExpressionKind::kBinary, line, std::move(left), ParsePower());
    left->op = op;
  }
  return left;
}

ExpressionPtr ExpressionParser::ParsePower() {
  const int line = current_.line;
  ExpressionPtr left = ParseUnary(true);
  while (current_.type == TokenType::kPow) {
    Take();
    left = Make(ExpressionKind::kBinary, line, std::move(left), ParseUnary(true));
    left->op = Operator::kPower;
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseUnary(bool with_filter) {
  ExpressionPtr node;
  if (current_.type == TokenType::kSub || current_.type == TokenType::kAdd) {
    const Nesting nesting(*this);
    const Token sign = Take();
    node = Make(sign.type == TokenType::kSub ? ExpressionKind::kNegate : ExpressionKind::kPlus,
                sign.line, ParseUnary(false));
  } else {
    node = ParsePrimary(false);
  }
  node = ParsePostfix(std::move(node));
  return with_filter ? ParseFilterExpression(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::ParseNamePrimary(bool namespace_targets) {
  const Token token = Take();
  const Text& name = token.text;
  if (name == U"true" || name == U"True") return MakeConstant(true, token.line);
  if (name == U"false" || name == U"False") return MakeConstant(false, token.line);
  if (name == U"none" || name == U"None") return MakeConstant(std::monostate(), token.line);
  if (namespace_targets && current_.type == TokenType::kDot) {
    Take();
    if (current_.type != TokenType::kName) Expect(TokenType::kName, "name");
    ExpressionPtr node = Make(ExpressionKind::kNamespaceTarget, token.line);
    node->text = name;
    node->attribute = Take().text;
    return node;
  }
  ExpressionPtr node = Make(ExpressionKind::kName, token.line);
  node->text = name;
  return node;
}

ExpressionPtr ExpressionParser::ParsePrimary(bool namespace_targets) {
  const int line = current_.line;
  switch (current_.type) {
    case TokenType::kName:
      return ParseNamePrimary(namespace_targets);
    case TokenType::kString: {
      Text text;
      while (current_.type == TokenType::kString) text += Take().text;
      return MakeConstant(std::move(text), line);
    }
    case TokenType::kInteger:
      return MakeConstant(Take().integer, line);
    case TokenType::kFloat:
      return MakeConstant(Take().floating, line);
    case TokenType::kLeftParen: {
      Take();
      ExpressionPtr node = ParseTuple({.parentheses = true});
      Expect(TokenType::kRightParen, ")");
      return node;
    }
    case TokenType::kLeftBracket:
      return ParseList();
    case TokenType::kLeftBrace:
      return ParseDict();
    default:
      Fail("unexpected '" + Describe(current_) + "'");
  }
}

bool ExpressionParser::AtTupleEnd() const {
  return current_.type == TokenType::kVariableEnd || current_.type == TokenType::kBlockEnd ||
         current_.type == TokenType::kRightParen;
}

ExpressionPtr ExpressionParser::ParseTuple(const TupleOptions& options) {
  const int line = current_.line;
  std::vector<ExpressionPtr> items;
  bool tuple = false;
  for (;;) {
    if (!items.empty()) Expect(TokenType::kComma, ",");
    if (AtTupleEnd()) break;
    items.push_back(options.simplified ? ParsePrimary(options.namespace_targets)
                                       : ParseExpression(options.conditional));
    if (current_.type != TokenType::kComma) break;
    tuple = true;
  }
  if (!tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!options.parentheses) Fail("Expected an expression, got '" + Describe(current_) + "'");
  }
  ExpressionPtr node = Make(ExpressionKind::kTuple, line);
  for (ExpressionPtr& item : items) Adopt(*node, std::move(item));
  return node;
}

ExpressionPtr ExpressionParser::ParseList() {
  ExpressionPtr node = Make(ExpressionKind::kList, Take().line);
  while (current_.type != TokenType::kRightBracket) {
    if (!node->items.empty()) Expect(TokenType::kComma, ",");
    if (current_.type == TokenType::kRightBracket) break;
    Adopt(*node, ParseExpression());
  }
  Take();
  return node;
}

ExpressionPtr ExpressionParser::ParseDict() {
  ExpressionPtr node = Make(ExpressionKind::kDict, Take().line);
  while (current_.type != TokenType::kRightBrace) {
    if (!node->items.empty()) Expect(TokenType::kComma, ",");
    if (current_.type == TokenType::kRightBrace) break;
    Adopt(*node, ParseExpression());
    Expect(TokenType::kColon, ":");
    Adopt(*node, ParseExpression());
  }
  Take();
  return node;
}

void ExpressionParser::CheckTarget(const Expression& target) const {
  if (target.kind == ExpressionKind::kName || target.kind == ExpressionKind::kNamespaceTarget) {
    return;
  }
  if (target.kind != ExpressionKind::kTuple) Fail("can't assign to this expression");
  for (const ExpressionPtr& item : target.items) CheckTarget(*item);
}

ExpressionPtr ExpressionParser::ParseTarget(TupleOptions options) {
  options.simplified = true;
  ExpressionPtr target = ParseTuple(options);
  CheckTarget(*target);
  return target;
}

ExpressionPtr ExpressionParser::ParseNameTarget() {
  if (current_.type != TokenType::kName) Expect(TokenType::kName, "name");
  static constexpr TextView kReserved[] = {U"true", U"True", U"false", U"False", U"none", U"None"};
  if (std::find(std::begin(kReserved), std::end(kReserved), current_.text) != std::end(kReserved)) {
    Fail("can't assign to 'name'");
  }
  const Token token = Take();
  ExpressionPtr node = Make(ExpressionKind::kName, token.line);
  node->text = token.text;
  return node;
}

ExpressionPtr ExpressionParser::CopyTarget(const Expression& target) {
  ExpressionPtr copy = Make(target.kind, target.line);
  copy->text = target.text;
  copy->attribute = target.attribute;
  for (const ExpressionPtr& item : target.items) Adopt(*copy, CopyTarget(*item));
  return copy;
}

ExpressionPtr ExpressionParser::ParsePostfix(ExpressionPtr node) {
  for (;;) {
    if (current_.type == TokenType::kDot || current_.type == TokenType::kLeftBracket) {
      node = ParseSubscript(std::move(node));
    } else if (current_.type == TokenType::kLeftParen) {
      node = Make(ExpressionKind::kCall, current_.line, std::move(node));
      ParseArguments(*node);
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::ParseFilterExpression(ExpressionPtr node) {
  for (;;) {
    if (current_.type == TokenType::kPipe) {
      Take();
      node = ParseOneFilter(std::move(node));
    } else if (current_.IsName(U"is")) {
      node = ParseTest(std::move(node));
    } else if (current_.type == TokenType::kLeftParen) {
      node = Make(ExpressionKind::kCall, current_.line, std::move(node));
      ParseArguments(*node);
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::ParseSubscript(ExpressionPtr node) {
  const Token token = Take();
  if (token.type == TokenType::kDot) {
    if (current_.type == TokenType::kName) {
      ExpressionPtr attribute = Make(ExpressionKind::kGetAttr, token.line, std::move(node));
      attribute->text = Take().text;
      return attribute;
    }
    if (current_.type != TokenType::kInteger) Fail("expected name or number");
    const int line = current_.line;
    ExpressionPtr index = MakeConstant(Take().integer, line);
    return Make(ExpressionKind::kGetItem, token.line, std::move(node), std::move(index));
  }
  std::vector<ExpressionPtr> arguments;
  while (current_.type != TokenType::kRightBracket) {
    if (!arguments.empty()) Expect(TokenType::kComma, ",");
    arguments.push_back(ParseSubscribed());
  }
  Take();
  if (arguments.size() == 1) {
    return Make(ExpressionKind::kGetItem, token.line, std::move(node), std::move(arguments[0]));
  }
  ExpressionPtr tuple = Make(ExpressionKind::kTuple, token.line);
  for (ExpressionPtr& argument : arguments) {
    if (argument->kind == ExpressionKind::kSlice) Fail("invalid syntax: a slice in a tuple");
    Adopt(*tuple, std::move(argument));
  }
  return Make(ExpressionKind::kGetItem, token.line, std::move(node), std::move(tuple));
}

ExpressionPtr ExpressionParser::ParseSubscribed() {
  const int line = current_.line;
  ExpressionPtr start, stop, step;
  if (current_.type != TokenType::kColon) {
    start = ParseExpression();
    if (current_.type != TokenType::kColon) return start;
  }
  Take();
  const auto at_end = [&] {
    return current_.type == TokenType::kRightBracket || current_.type == TokenType::kComma;
  };
  if (current_.type != TokenType::kColon && !at_end()) stop = ParseExpression();
  if (current_.type == TokenType::kColon) {
    Take();
    if (!at_end()) step = ParseExpression();
  }
  return Make(ExpressionKind::kSlice, line, std::move(start), std::move(stop), std::move(step));
}

void ExpressionParser::ParseArguments(Expression& call) {
  const auto ensure = [&](bool good) {
    if (!good) Fail("invalid syntax for function call expression");
  };
  Expect(TokenType::kLeftParen, "(");
  bool more = false;
  const auto limit = [&](const Expression& child) {
    call.depth = std::max(call.depth, child.depth + 1);
    if (call.depth > kMaxTreeDepth) TooDeep();
  };
  while (current_.type != TokenType::kRightParen) {
    if (more) {
      Expect(TokenType::kComma, ",");
      if (current_.type == TokenType::kRightParen) break;
    }
    more = true;
    if (current_.type == TokenType::kMul) {
      ensure(call.extra_positional == nullptr && call.extra_keywords == nullptr);
      Take();
      call.extra_positional = ParseExpression();
      limit(*call.extra_positional);
    } else if (current_.type == TokenType::kPow) {
      ensure(call.extra_keywords == nullptr);
      Take();
      call.extra_keywords = ParseExpression();
      limit(*call.extra_keywords);
    } else if (current_.type == TokenType::kName && Look().type == TokenType::kAssign) {
      ensure(call.extra_keywords == nullptr);
      KeywordArgument argument{ToUtf8(Take().text), nullptr};
      Take();
      for (const KeywordArgument& other : call.keywords) {
        if (other.name == argument.name) Fail("keyword argument repeated: " + argument.name);
      }
      argument.value = ParseExpression();
      limit(*argument.value);
      call.keywords.push_back(std::move(argument));
    } else {
      ensure(call.extra_positional == nullptr && call.extra_keywords == nullptr &&
             call.keywords.empty());
      Adopt(call, ParseExpression());
    }
  }
  Expect(TokenType::kRightParen, ")");
}

std::string ExpressionParser::ParseDottedName() {
  if (current_.type != TokenType::kName) Expect(TokenType::kName, "name");
  std::string name = ToUtf8(Take().text);
  while (current_.type == TokenType::kDot) {
    Take();
    if (current_.type != TokenType::kName) Expect(TokenType::kName, "name");
    name += '.';
    name += ToUtf8(Take().text);
  }
  return name;
}

ExpressionPtr ExpressionParser::ParseOneFilter(ExpressionPtr input) {
  const int line = current_.line;
  ExpressionPtr node = Make(ExpressionKind::kFilter, line, std::move(input));
  node->text = FromUtf8(ParseDottedName());
  if (current_.type == TokenType::kLeftParen) ParseArguments(*node);
  return node;
}

ExpressionPtr ExpressionParser::ParseTest(ExpressionPtr input) {
  const int line = Take().line;
  const bool negated = SkipName(U"not");
  ExpressionPtr node = Make(ExpressionKind::kTest, line, std::move(input));
  node->text = FromUtf8(ParseDottedName());
  switch (current_.type) {
    case TokenType::kLeftParen:
      ParseArguments(*node);
      break;
    case TokenType::kName:
      if (current_.IsName(U"else") || current_.IsName(U"or") || current_.IsName(U"and")) break;
      if (current_.IsName(U"is")) Fail("You cannot chain multiple tests with is");
      [[fallthrough]];
    case TokenType::kString:
    case TokenType::kInteger:
    case TokenType::kFloat:
    case TokenType::kLeftBracket:
    case TokenType::kLeftBrace:
      Adopt(*node, ParsePostfix(ParsePrimary(false)));
      break;
    default:
      break;
  }
  return negated ? Make(ExpressionKind::kNot, line, std::move(node)) : std::move(node);
}

}  // namespace fathom::jinja
