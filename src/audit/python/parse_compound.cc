// Compound statements but `match` (class SyntaxParser).
#include <fmt/format.h>

#include "audit/python/syntax_parser.h"

namespace fathom {

// False where no compound statement begins here.
bool SyntaxParser::CompoundStatement() {
  if (IsKind(TokenKind::kName)) return IsSoft("match") && Match();
  if (Is("@")) {
    Decorated();
    return true;
  }
  if (!IsKind(TokenKind::kKeyword)) return false;
  if (Is("if")) {
    If();
  } else if (Is("while")) {
    While();
  } else if (Is("for")) {
    For();
  } else if (Is("try")) {
    Try();
  } else if (Is("with")) {
    With();
  } else if (Is("def")) {
    Function();
  } else if (Is("class")) {
    Class();
  } else if (Is("async")) {
    Async();
  } else {
    return false;
  }
  return true;
}

// ":" and what belongs to it: on the same line, or on lines of its own.
void SyntaxParser::Block(std::string_view what) {
  if (!Is(":")) {
    RaiseAtLast("expected ':'");
    return;
  }
  Advance();
  if (!IsKind(TokenKind::kNewline)) {
    SimpleStatements();
    return;
  }
  Advance();
  if (!IsKind(TokenKind::kIndent)) {
    RaiseAtLast(fmt::format("expected an indented block after {}", what));
    return;
  }
  Advance();
  do {
    Statement();
  } while (good() && !IsKind(TokenKind::kDedent) && !IsKind(TokenKind::kEnd));
  if (IsKind(TokenKind::kDedent)) Advance();
}

void SyntaxParser::If() {
  (void)Expect("if");
  (void)NamedExpression();
  Block("'if'");
  while (good() && Take("elif")) {
    (void)NamedExpression();
    Block("'elif'");
  }
  if (Take("else")) Block("'else'");
}

void SyntaxParser::While() {
  (void)Expect("while");
  (void)NamedExpression();
  Block("'while'");
  if (Take("else")) Block("'else'");
}

void SyntaxParser::For() {
  (void)Expect("for");
  ForTargets();
  (void)Expect("in");
  (void)StarExpressions();
  Block("'for'");
  if (Take("else")) Block("'else'");
}

void SyntaxParser::Async() {
  if (Is("def", 1)) {
    Advance();
    Function();
  } else if (Is("with", 1)) {
    Advance();
    With();
  } else if (Is("for", 1)) {
    Advance();
    For();
  } else {
    Fail();
  }
}

// At `except`, the first of its `try` or a later one; *star: whether they are `except*`.
bool SyntaxParser::ExceptBlock(bool first, bool* star) {
  const int begin = Peek().line;
  if (!Take("except")) return false;
  const bool has_star = Take("*");
  const bool mixed = !first && has_star != *star;
  *star = has_star;
  if (!Is(":") || *star) {
    if (IsKind(TokenKind::kNewline)) RaiseAtLast("expected ':'");
    const int line = Peek().line;
    (void)Expression();
    if (Is(",")) Raise(line, "multiple exception types must be parenthesized");
    if (Take("as")) (void)TakeName();
  }
  if (mixed && Is(":")) Raise(begin, "'except' and 'except*' on the same 'try'");
  Block("'except'");
  return true;
}

void SyntaxParser::Try() {
  (void)Expect("try");
  Block("'try'");
  if (!good()) return;
  if (Take("finally")) {
    Block("'finally'");
    return;
  }
  bool star = false;
  if (!ExceptBlock(true, &star)) {
    RaiseAtLast("expected 'except' or 'finally' block");
    return;
  }
  while (good() && ExceptBlock(false, &star)) continue;
  if (Take("else")) Block("'else'");
  if (Take("finally")) Block("'finally'");
}

// The items of `with`, in brackets of their own or not, up to ":".
bool SyntaxParser::WithItems(bool parentheses) {
  if (parentheses) (void)Expect("(");
  do {
    if (parentheses && Is(")")) break;
    (void)Expression();
    if (!Take("as")) continue;
    const NodeId target = StarExpression();
    if (!good()) break;
    if (Is(",") || Is(")") || Is(":")) {
      (void)CheckTarget(target, TargetUse::kAssign);
    } else {
      Fail();
    }
  } while (good() && Take(","));
  if (parentheses) (void)Expect(")");
  return good() && Is(":");
}

void SyntaxParser::With() {
  (void)Expect("with");
  if (Is("(")) {
    const Mark mark = Begin();
    if (WithItems(true)) {
      Commit();
      Block("'with'");
      return;
    }
    Rewind(mark);
  }
  (void)WithItems(false);
  Block("'with'");
}

void SyntaxParser::Function() {
  (void)Expect("def");
  (void)TakeName();
  (void)Expect("(");
  Parameters(")");
  (void)Expect(")");
  if (Take("->")) (void)Expression();
  Block("function definition");
}

void SyntaxParser::Class() {
  (void)Expect("class");
  (void)TakeName();
  if (Take("(")) Arguments(true);
  Block("class definition");
}

void SyntaxParser::Decorated() {
  while (good() && Take("@")) {
    (void)NamedExpression();
    if (!IsKind(TokenKind::kNewline)) Fail();
    Advance();
  }
  if (Is("class")) {
    Class();
  } else if (Is("def") || (Is("async") && Is("def", 1))) {
    (void)Take("async");
    Function();
  } else {
    Fail();
  }
}

}  // namespace fathom
