// The expressions of a template (jinja2/parser.py, parse_expression and below).
#pragma once

#include <deque>
#include <vector>

#include "text/template/ast.h"
#include "text/template/lexer.h"

namespace fathom::jinja {

class ExpressionParser {
 protected:
  explicit ExpressionParser(TextView source);

  // Counts one level of nesting for its lifetime.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxTreeDepth) parser_.TooDeep();
    }
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

  struct TupleOptions {
    bool simplified = false;         // only names and literals
    bool conditional = true;         // a if b else c is allowed
    bool parentheses = false;        // between ( and ): may be empty
    bool namespace_targets = false;  // a.b is the attribute of a namespace
  };

  const Token& current() const { return current_; }
  Token Take();
  const Token& Look();  // the token after the current one
  void Expect(TokenType type, std::string_view what);
  void ExpectName(TextView name);
  bool SkipName(TextView name);
  [[noreturn]] void Fail(std::string message) const;
  [[noreturn]] void TooDeep() const;

  ExpressionPtr ParseExpression(bool conditional = true);
  ExpressionPtr ParseTuple(const TupleOptions& options);
  ExpressionPtr ParseTarget(TupleOptions options);  // what can be assigned to
  ExpressionPtr ParseNameTarget();
  ExpressionPtr CopyTarget(const Expression& target);
  // The name and the arguments of a filter, after its `|`. `input` may be null.
  ExpressionPtr ParseOneFilter(ExpressionPtr input);
  std::vector<const Expression*> TakeConstants() { return std::move(constants_); }

 private:
  ExpressionPtr ParseConditional();
  ExpressionPtr ParseOr();
  ExpressionPtr ParseAnd();
  ExpressionPtr ParseNot();
  ExpressionPtr ParseCompare();
  ExpressionPtr ParseSum();
  ExpressionPtr ParseConcat();
  ExpressionPtr ParseProduct();
  ExpressionPtr ParsePower();
  ExpressionPtr ParseUnary(bool with_filter);
  ExpressionPtr ParsePrimary(bool namespace_targets);
  ExpressionPtr ParseNamePrimary(bool namespace_targets);
  ExpressionPtr ParseList();
  ExpressionPtr ParseDict();
  ExpressionPtr ParsePostfix(ExpressionPtr node);
  ExpressionPtr ParseFilterExpression(ExpressionPtr node);
  ExpressionPtr ParseSubscript(ExpressionPtr node);
  ExpressionPtr ParseSubscribed();
  ExpressionPtr ParseTest(ExpressionPtr node);
  void ParseArguments(Expression& call);
  std::string ParseDottedName();
  bool AtTupleEnd() const;
  void CheckTarget(const Expression& target) const;

  ExpressionPtr Make(ExpressionKind kind, int line);
  ExpressionPtr MakeConstant(Constant value, int line);
  template <typename... Items>
  ExpressionPtr Make(ExpressionKind kind, int line, Items... items);
  void Adopt(Expression& parent, ExpressionPtr child);  // keeps the depth; null is fine

  Lexer lexer_;
  Token current_;
  std::deque<Token> ahead_;
  int nesting_ = 0;
  std::vector<const Expression*> constants_;
};

}  // namespace fathom::jinja
