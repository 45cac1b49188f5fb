// What stands in brackets: groups, tuples, lists, sets, dictionaries, comprehensions.
#include "audit/python/syntax_parser.h"

namespace fathom {

// After the first element of a sequence and at a comma: the others and the closing bracket.
void SyntaxParser::Elements(std::string_view close, NodeId first, NodeId sequence) {
  NodeId node = first;
  while (good() && Take(",")) {
    if (Is(close)) break;
    if (Is("for")) break;
    const NodeId next = StarNamedExpression();
    if (!good()) return;
    At(node).sibling = next;
    node = next;
  }
  At(sequence).child = first;
  if (good() && close != ")" && StartsComprehension()) {
    const int line = LineOf(first);
    ForIfClauses();
    if (good()) Raise(line, "the target of a comprehension needs parentheses");
  }
  (void)Expect(close);
}

// The first element of a display: what it unpacks counts as an expression that may lack its comma.
SyntaxParser::NodeId SyntaxParser::FirstElement() {
  const size_t begin = position_;
  const NodeId node = StarNamedExpression();
  if (good() && At(node).kind == Kind::kStarred) {
    disjunction_begin_ = begin + 1;
    disjunction_end_ = position_;
  }
  return node;
}

SyntaxParser::NodeId SyntaxParser::Group() {
  const size_t begin = position_;
  (void)Expect("(");
  if (Take(")")) {
    const NodeId empty = Make(Kind::kTuple, begin);
    At(empty).parentheses = true;
    return empty;
  }
  if (Is("yield")) {
    const NodeId yield = Yield();
    (void)Expect(")");
    return yield;
  }
  if (Is("**")) {
    const int line = Peek().line;
    const Mark mark = Begin();
    Advance();
    (void)Expression();
    const bool closed = Take(")") && good();
    Rewind(mark);
    if (closed) Raise(line, "cannot use double starred expression here");
    Fail();
    return kNoNode;
  }
  const NodeId first = FirstElement();
  if (!good()) return first;
  if (StartsComprehension()) {
    if (At(first).kind == Kind::kStarred && !At(first).parentheses) {
      Raise(LineOf(first), "iterable unpacking cannot be used in comprehension");
    }
    ForIfClauses();
    (void)Expect(")");
    return Make(Kind::kGenerator, begin);
  }
  if (Is(",")) {
    const NodeId tuple = Make(Kind::kTuple, begin);
    At(tuple).parentheses = true;
    Elements(")", first, tuple);
    return tuple;
  }
  if (Is(")") && At(first).kind == Kind::kStarred && !At(first).parentheses) {
    Raise(LineOf(first), "cannot use starred expression here");
  }
  (void)Expect(")");
  if (!good()) return first;
  // CPython's nodes begin inside the brackets of a group, but for what is assigned to.
  At(first).parentheses = true;
  return first;
}

SyntaxParser::NodeId SyntaxParser::ListDisplay() {
  const size_t begin = position_;
  (void)Expect("[");
  const NodeId list = Make(Kind::kList, begin);
  if (Take("]")) return list;
  const NodeId first = FirstElement();
  if (!good()) return list;
  if (StartsComprehension()) {
    if (At(first).kind == Kind::kStarred) {
      Raise(LineOf(first), "iterable unpacking cannot be used in comprehension");
    }
    ForIfClauses();
    (void)Expect("]");
    return Make(Kind::kComprehension, begin);
  }
  Elements("]", first, list);
  return list;
}

// One item of a dictionary.
void SyntaxParser::DictItem(bool first) {
  if (Take("**")) {
    (void)Operators(true);
    return;
  }
  const NodeId key = Expression();
  if (good()) DictValue(key, first);
}

// After a key.
void SyntaxParser::DictValue(NodeId key, bool first) {
  const int colon = Peek().line;
  if (!Take(":")) {
    if (!first && !StartsExpression()) Raise(LineOf(key), "':' expected after dictionary key");
    Fail();
    return;
  }
  if (Is("*")) Raise(Peek().line, "cannot use a starred expression in a dictionary value");
  if (Is("}") || Is(",")) Raise(colon, "expression expected after dictionary key and ':'");
  (void)Expression();
}

// After the first item of a dictionary.
void SyntaxParser::DictRest() {
  while (good() && Take(",")) {
    if (Is("}")) break;
    DictItem(false);
  }
  (void)Expect("}");
}

SyntaxParser::NodeId SyntaxParser::BraceDisplay() {
  const size_t begin = position_;
  (void)Expect("{");
  if (Take("}")) return Make(Kind::kDict, begin);
  if (Is("**")) {
    const int line = Peek().line;
    DictItem(true);
    if (good() && StartsComprehension()) {
      Raise(line, "dict unpacking cannot be used in dict comprehension");
    }
    DictRest();
    return Make(Kind::kDict, begin);
  }
  NodeId first = kNoNode;
  if (Is("*") || (IsKind(TokenKind::kName) && Is(":=", 1))) {
    first = FirstElement();
  } else {
    first = Expression();
    if (good() && Is(":")) {
      DictValue(first, true);
      if (good() && StartsComprehension()) {
        ForIfClauses();
        (void)Expect("}");
      } else {
        DictRest();
      }
      return Make(Kind::kDict, begin);
    }
    if (Is("=")) AssignedExpression(first);
  }
  if (!good()) return first;
  if (StartsComprehension()) {
    if (At(first).kind == Kind::kStarred) {
      Raise(LineOf(first), "iterable unpacking cannot be used in comprehension");
    }
    ForIfClauses();
    (void)Expect("}");
    return Make(Kind::kComprehension, begin);
  }
  const NodeId set = Make(Kind::kSet, begin);
  Elements("}", first, set);
  return set;
}

void SyntaxParser::ForIfClauses() {
  while (good() && StartsComprehension()) {
    (void)Take("async");
    (void)Expect("for");
    ForTargets();
    (void)Expect("in");
    (void)Operators(false);
    while (good() && Take("if")) (void)Operators(false);
  }
}

}  // namespace fathom
