#include "audit/python/syntax_parser.h"

#include <fmt/format.h>

#include <utility>

namespace fathom {
namespace {

constexpr PythonToken kNoToken = {};

// Statements of Python 2 that are functions now.
bool StatementWord(std::string_view name) { return name == "print" || name == "exec"; }

}  // namespace

const PythonToken& SyntaxParser::Peek(size_t ahead) {
  if (failed_) return kNoToken;
  while (tokens_.size() <= position_ + ahead) {
    PythonToken token = tokenizer_.Next();
    token.line += line_shift_;
    const TokenKind kind = token.kind;
    tokens_.push_back(token);
    if (kind == TokenKind::kError) {
      RaiseTokenProblem();
      return kNoToken;
    }
    if (kind == TokenKind::kEnd && tokens_.size() <= position_ + ahead) return tokens_.back();
  }
  return tokens_[position_ + ahead];
}

bool SyntaxParser::Is(std::string_view word, size_t ahead) {
  const PythonToken& token = Peek(ahead);
  return (token.kind == TokenKind::kOp || token.kind == TokenKind::kKeyword) &&
         TextOf(token) == word;
}

bool SyntaxParser::IsSoft(std::string_view word) {
  const PythonToken& token = Peek();
  return token.kind == TokenKind::kName && TextOf(token) == word;
}

bool SyntaxParser::Take(std::string_view word) {
  if (!Is(word)) return false;
  Advance();
  return true;
}

bool SyntaxParser::Expect(std::string_view word) {
  if (Take(word)) return true;
  Fail();
  return false;
}

bool SyntaxParser::TakeName() {
  if (!IsKind(TokenKind::kName)) {
    Fail();
    return false;
  }
  Advance();
  return true;
}

bool SyntaxParser::StartsExpression() {
  const PythonToken& token = Peek();
  switch (token.kind) {
    case TokenKind::kName:
    case TokenKind::kNumber:
    case TokenKind::kString:
      return true;
    case TokenKind::kKeyword:
      for (std::string_view word : {"None", "True", "False", "not", "lambda", "await"}) {
        if (TextOf(token) == word) return true;
      }
      return false;
    case TokenKind::kOp:
      for (std::string_view word : {"(", "[", "{", "-", "+", "~", "..."}) {
        if (TextOf(token) == word) return true;
      }
      return false;
    default:
      return false;
  }
}

bool SyntaxParser::StartsComprehension() { return Is("for") || (Is("async") && Is("for", 1)); }

void SyntaxParser::Fail() {
  if (failed_) return;
  (void)Peek();
  if (failed_) return;
  failed_ = true;
  furthest_ = tokens_.size() - 1;
}

void SyntaxParser::Raise(int line, std::string reason) {
  if (failed_) return;
  failed_ = true;
  furthest_ = tokens_.empty() ? 0 : tokens_.size() - 1;
  if (tries_ == 0) raised_ = SyntaxError{line, std::move(reason)};
}

void SyntaxParser::RaiseAtLast(std::string reason) {
  (void)Peek();
  if (failed_) return;
  Raise(tokens_.back().line, std::move(reason));
}

void SyntaxParser::RaiseHard(int line, std::string reason) {
  if (failed_) return;
  failed_ = true;
  hard_ = true;
  raised_ = SyntaxError{line, std::move(reason)};
}

void SyntaxParser::RaiseTokenProblem() {
  const TokenProblem& problem = tokenizer_.problem();
  token_problem_ = true;
  if (problem.end_of_text && !tokenizer_.brackets().empty()) {
    RaiseHard(tokenizer_.brackets().back().line + line_shift_, UnclosedBracket());
    return;
  }
  RaiseHard(problem.line + line_shift_, problem.reason);
}

std::string SyntaxParser::UnclosedBracket() const {
  return fmt::format("'{}' was never closed", tokenizer_.brackets().back().open);
}

SyntaxParser::Mark SyntaxParser::Begin() {
  ++tries_;
  return {position_, nodes_.size()};
}

void SyntaxParser::Commit() { --tries_; }

void SyntaxParser::Rewind(Mark mark) {
  --tries_;
  if (hard_) return;
  failed_ = false;
  position_ = mark.position;
  nodes_.resize(mark.nodes);
}

// CPython: two expressions side by side inside brackets, the first of which is to blame.
bool SyntaxParser::MissingComma() {
  if (disjunction_end_ <= disjunction_begin_) return false;
  const bool before_not =
      disjunction_end_ + 1 == furthest_ && TextOf(tokens_[disjunction_end_]) == "not";
  if (disjunction_end_ != furthest_ && !before_not) return false;
  const PythonToken& first = tokens_[disjunction_begin_];
  if (first.kind == TokenKind::kName) {
    const std::string_view name = TextOf(first);
    if (name == "match" || name == "case" || name == "_") return false;
    if (tokens_[disjunction_begin_ + 1].kind == TokenKind::kString) return false;
    if (disjunction_end_ == disjunction_begin_ + 1 && StatementWord(name)) {
      return false;
    }
  }
  const size_t begin = disjunction_begin_;
  const size_t next_begin = disjunction_end_;
  failed_ = false;
  position_ = disjunction_end_;
  if (!StartsExpression()) return false;
  ++tries_;
  (void)Expression();
  --tries_;
  if (hard_) return true;
  // Where more than its first name or literal is no expression, that alone is one.
  const PythonToken& next = tokens_[next_begin];
  const bool alone = next.kind == TokenKind::kName || next.kind == TokenKind::kNumber ||
                     next.kind == TokenKind::kString;
  const bool parsed = good() ? tokens_[position_ - 1].level != 0 : alone && next.level != 0;
  failed_ = true;
  if (parsed) {
    raised_ = SyntaxError{tokens_[begin].line, "invalid syntax, perhaps a comma is missing"};
  }
  return parsed;
}

// Names the mistake where parsing came to no further than furthest_.
void SyntaxParser::ExplainFailure() {
  const size_t furthest = furthest_;
  const PythonToken token = tokens_[furthest];
  if (MissingComma()) return;
  failed_ = false;
  position_ = furthest;
  const bool starts_expression = StartsExpression();
  failed_ = true;
  int line = token.line;
  std::string reason = "invalid syntax";
  if (token.kind == TokenKind::kIndent) reason = "unexpected indent";
  if (token.kind == TokenKind::kDedent) reason = "unexpected unindent";
  const bool after_name = furthest > 0 && tokens_[furthest - 1].kind == TokenKind::kName;
  if (after_name && StatementWord(TextOf(tokens_[furthest - 1]))) {
    reason = fmt::format("missing parentheses in call to '{}'", TextOf(tokens_[furthest - 1]));
    const bool is_statement = disjunction_begin_ + 1 == furthest && disjunction_end_ == furthest;
    if (is_statement && starts_expression) line = tokens_[furthest - 1].line;
  }
  raised_ = SyntaxError{line, std::move(reason)};
}

// CPython goes on through the rest of a text that it refuses: some mistakes there are told instead.
void SyntaxParser::LookThroughRest() {
  const int line = tokens_.empty() ? 1 : tokens_.back().line;
  for (;;) {
    const PythonToken token = tokenizer_.Next();
    if (token.kind == TokenKind::kEnd) return;
    if (token.kind != TokenKind::kError) continue;
    const TokenProblem& problem = tokenizer_.problem();
    if (problem.overrides) {
      raised_ = SyntaxError{problem.line + line_shift_, problem.reason};
    } else if (!tokenizer_.brackets().empty() &&
               line > tokenizer_.brackets().back().line + line_shift_) {
      raised_ = SyntaxError{tokenizer_.brackets().back().line + line_shift_, UnclosedBracket()};
    }
    return;
  }
}

std::optional<SyntaxError> SyntaxParser::Finish() {
  if (!failed_) return std::nullopt;
  if (!raised_.has_value()) {
    const TokenKind kind = tokens_[furthest_].kind;
    ExplainFailure();
    if (kind == TokenKind::kIndent || kind == TokenKind::kDedent) return raised_;
  }
  if (!token_problem_) LookThroughRest();
  return raised_;
}

std::optional<SyntaxError> SyntaxParser::CheckModule() {
  while (good() && !IsKind(TokenKind::kEnd)) Statement();
  return Finish();
}

std::optional<SyntaxError> SyntaxParser::CheckFormatExpression() {
  (void)StarExpressions();
  return Finish();
}

}  // namespace fathom
