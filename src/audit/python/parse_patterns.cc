// `match` and its patterns (class SyntaxParser).
#include "audit/python/syntax_parser.h"

namespace fathom {

// At the name `match`: a match statement, or false where it is a name like any other.
bool SyntaxParser::Match() {
  const Mark mark = Begin();
  Advance();
  if (Is("*")) {
    (void)StarNamedExpression();
    if (!Is(",")) Fail();
  } else {
    (void)NamedExpression();
  }
  while (good() && Take(",")) {
    if (Is(":")) break;
    (void)StarNamedExpression();
  }
  const bool header = Take(":");
  if (good() && header && IsKind(TokenKind::kNewline)) {
    Advance();
    if (IsKind(TokenKind::kIndent)) {
      Advance();
      if (IsSoft("case")) {
        Commit();
        do {
          CaseBlock();
        } while (good() && IsSoft("case"));
        if (IsKind(TokenKind::kDedent)) {
          Advance();
        } else {
          Fail();
        }
        return true;
      }
    }
  }
  Rewind(mark);
  return false;
}

void SyntaxParser::CaseBlock() {
  nodes_.clear();
  Advance();
  Patterns();
  if (Take("if")) (void)NamedExpression();
  Block("'case'");
}

// The patterns after `case`: one, or a sequence without brackets.
void SyntaxParser::Patterns() {
  const bool star = MaybeStarPattern();
  if (star && !Is(",")) {
    Fail();
    return;
  }
  while (good() && Take(",")) {
    if (Is(":") || Is("if")) break;
    (void)MaybeStarPattern();
  }
}

bool SyntaxParser::MaybeStarPattern() {
  if (Take("*")) {
    (void)TakeName();
    return true;
  }
  Pattern();
  return false;
}

void SyntaxParser::Pattern() {
  if (++depth_ > kMaxDepth) RaiseHard(Peek().line, "nested too deeply");
  do {
    ClosedPattern();
  } while (good() && Take("|"));
  if (Take("as")) {
    if (IsSoft("_")) RaiseAtLast("cannot use '_' as a target");
    (void)TakeName();
    if (good() && (Is(".") || Is("("))) Raise(LineOfToken(position_ - 1), "invalid pattern target");
  }
  --depth_;
}

void SyntaxParser::ClosedPattern() {
  switch (Peek().kind) {
    case TokenKind::kNumber:
      NumberPattern();
      return;
    case TokenKind::kString:
      (void)Strings();
      return;
    case TokenKind::kName:
      NamePattern();
      return;
    default:
      break;
  }
  if (Take("None") || Take("True") || Take("False")) return;
  if (Is("-")) {
    NumberPattern();
  } else if (Take("(")) {
    SequencePattern(")");
  } else if (Take("[")) {
    SequencePattern("]");
  } else if (Take("{")) {
    MappingPattern();
  } else {
    Fail();
  }
}

// A number, signed or not, or a complex number: real + imaginary.
void SyntaxParser::NumberPattern() {
  const auto is_imaginary = [this] {
    const std::string_view number = TextOf(Peek());
    return number.back() == 'j' || number.back() == 'J';
  };
  (void)Take("-");
  if (!IsKind(TokenKind::kNumber)) {
    Fail();
    return;
  }
  const bool imaginary = is_imaginary();
  CheckNumber(Peek());
  const int line = Peek().line;
  Advance();
  if (!Is("+") && !Is("-")) return;
  if (imaginary) {
    RaiseHard(line, "real number required in complex literal");
    return;
  }
  Advance();
  if (!IsKind(TokenKind::kNumber)) {
    Fail();
    return;
  }
  if (!is_imaginary()) {
    RaiseHard(Peek().line, "imaginary number required in complex literal");
    return;
  }
  Advance();
}

// A capture, a wildcard, a dotted value or a class.
void SyntaxParser::NamePattern() {
  DottedName();
  if (Take("(")) {
    ClassPattern();
  } else if (Is("=")) {
    Fail();
  }
}

// After "(" or "[".
void SyntaxParser::SequencePattern(std::string_view close) {
  bool star = false;
  bool several = false;
  while (good() && !Is(close)) {
    star = MaybeStarPattern();
    if (!Take(",")) break;
    several = true;
  }
  if (close == ")" && star && !several) {
    Fail();
    return;
  }
  (void)Expect(close);
}

void SyntaxParser::MappingKey() {
  switch (Peek().kind) {
    case TokenKind::kNumber:
      NumberPattern();
      return;
    case TokenKind::kString:
      (void)Strings();
      return;
    case TokenKind::kName:
      if (TakeName() && Expect(".")) DottedName();
      return;
    default:
      break;
  }
  if (Take("None") || Take("True") || Take("False")) return;
  if (Is("-")) {
    NumberPattern();
  } else {
    Fail();
  }
}

// After "{".
void SyntaxParser::MappingPattern() {
  while (good() && !Is("}")) {
    if (Take("**")) {
      (void)TakeName();
      (void)Take(",");
      break;
    }
    MappingKey();
    (void)Expect(":");
    Pattern();
    if (!Take(",")) break;
  }
  (void)Expect("}");
}

// After "(".
void SyntaxParser::ClassPattern() {
  bool keyword = false;
  int late = 0;
  while (good() && !Is(")")) {
    if (IsKind(TokenKind::kName) && Is("=", 1)) {
      position_ += 2;
      Pattern();
      keyword = true;
    } else {
      const int line = Peek().line;
      Pattern();
      if (keyword && late == 0) late = line;
    }
    if (!Take(",")) break;
  }
  if (good() && Is(")") && late != 0) Raise(late, "positional patterns follow keyword patterns");
  (void)Expect(")");
}

}  // namespace fathom
