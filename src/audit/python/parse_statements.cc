// Simple statements (class SyntaxParser).
#include <array>

#include <fmt/format.h>

#include "audit/python/syntax_parser.h"

namespace fathom {

void SyntaxParser::Statement() {
  nodes_.clear();
  disjunction_begin_ = disjunction_end_ = 0;
  if (IsKind(TokenKind::kIndent) || IsKind(TokenKind::kDedent) || IsKind(TokenKind::kNewline)) {
    Fail();
    return;
  }
  if (!CompoundStatement() && good()) SimpleStatements();
}

void SyntaxParser::SimpleStatements() {
  do {
    SimpleStatement();
  } while (good() && Take(";") && !IsKind(TokenKind::kNewline));
  if (IsKind(TokenKind::kNewline)) {
    Advance();
  } else {
    Fail();
  }
}

void SyntaxParser::SimpleStatement() {
  if (IsKind(TokenKind::kKeyword) && KeywordStatement()) return;
  ExpressionStatement();
}

// A statement that begins with its own keyword; false where none does.
bool SyntaxParser::KeywordStatement() {
  if (Take("pass") || Take("break") || Take("continue")) return true;
  if (Take("return")) {
    if (StartsExpression() || Is("*")) (void)StarExpressions();
    return true;
  }
  if (Take("global") || Take("nonlocal")) {
    Names();
    return true;
  }
  if (Take("assert")) {
    (void)Expression();
    if (Take(",")) (void)Expression();
    return true;
  }
  if (Is("import")) {
    Import();
    return true;
  }
  if (Is("from")) {
    FromImport();
    return true;
  }
  if (Is("raise")) {
    Raising();
    return true;
  }
  if (Is("del")) {
    Delete();
    return true;
  }
  return false;
}

void SyntaxParser::Names() {
  do {
    (void)TakeName();
  } while (good() && Take(","));
}

void SyntaxParser::DottedName() {
  do {
    (void)TakeName();
  } while (good() && Take("."));
}

void SyntaxParser::Import() {
  (void)Expect("import");
  do {
    DottedName();
    if (Take("as")) (void)TakeName();
  } while (good() && Take(","));
}

void SyntaxParser::FromImport() {
  (void)Expect("from");
  bool dots = false;
  while (Is(".") || Is("...")) {
    Advance();
    dots = true;
  }
  if (!dots || !Is("import")) DottedName();
  if (!Expect("import") || Take("*")) return;
  const bool parentheses = Take("(");
  ImportedNames(parentheses);
  if (parentheses) (void)Expect(")");
}

void SyntaxParser::ImportedNames(bool parentheses) {
  do {
    (void)TakeName();
    if (Take("as")) (void)TakeName();
    if (!Take(",")) return;
    if (!parentheses && IsKind(TokenKind::kNewline)) {
      RaiseAtLast("trailing comma not allowed without surrounding parentheses");
    }
  } while (good() && !(parentheses && Is(")")));
}

void SyntaxParser::Raising() {
  (void)Expect("raise");
  if (!StartsExpression()) return;
  (void)Expression();
  if (Take("from")) (void)Expression();
}

void SyntaxParser::Delete() {
  (void)Expect("del");
  const NodeId targets = StarExpressions();
  (void)CheckTarget(targets, TargetUse::kDelete);
}

// The right side of an assignment.
void SyntaxParser::Value() {
  if (Is("yield")) {
    (void)Yield();
  } else {
    (void)StarExpressions();
  }
}

// An expression, an assignment, an augmented or annotated one.
void SyntaxParser::ExpressionStatement() {
  static constexpr std::array<std::string_view, 13> kAugmented = {
      "+=", "-=", "*=", "/=", "%=", "@=", "&=", "|=", "^=", "<<=", ">>=", "**=", "//="};
  NodeId node = Is("yield") ? Yield() : StarExpressions();
  if (!good()) return;
  if (Is(":")) {
    Annotation(node);
    return;
  }
  for (std::string_view word : kAugmented) {
    if (!Is(word)) continue;
    if (!IsSingleTarget(node)) return AugmentedExpression(node);
    Advance();
    Value();
    return;
  }
  while (good() && Is("=")) {
    if (At(node).kind == Kind::kYield && !At(node).parentheses) {
      Raise(LineOf(node), "assignment to yield expression not possible");
      return;
    }
    if (!CheckTarget(node, TargetUse::kAssign)) return;
    Advance();
    node = Is("yield") ? Yield() : StarExpressions();
  }
}

// At the sign of an augmented assignment to what cannot be its target.
void SyntaxParser::AugmentedExpression(NodeId node) {
  const int line = LineOf(node);
  const size_t looked_at = tokens_.size();
  const Mark mark = Begin();
  Advance();
  Value();
  const bool value = good();
  Rewind(mark);
  if (value) {
    Raise(line,
          fmt::format("{} is an illegal expression for augmented assignment", Describe(node)));
  }
  if (!good()) return;
  Fail();
  furthest_ = looked_at - 1;
}

// At the colon after what is annotated.
void SyntaxParser::Annotation(NodeId target) {
  const Kind kind = At(target).kind;
  if (IsSingleTarget(target)) {
    Advance();
    (void)Expression();
    if (Take("=")) Value();
    return;
  }
  const int line = LineOf(target);
  const bool several = kind == Kind::kTuple || kind == Kind::kList;
  if (kind == Kind::kYield || kind == Kind::kStarred) {
    Fail();
    return;
  }
  const size_t looked_at = tokens_.size();
  const Mark mark = Begin();
  Advance();
  (void)Expression();
  const bool annotated = good();
  Rewind(mark);
  if (!good()) return;
  if (annotated) {
    Raise(line,
          several ? "only a single target can be annotated" : "illegal target for annotation");
    return;
  }
  Fail();
  furthest_ = looked_at - 1;
}

}  // namespace fathom
