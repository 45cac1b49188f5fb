// What can be assigned to or deleted (class SyntaxParser).
#include <fmt/format.h>

#include "audit/python/syntax_parser.h"

namespace fathom {

std::string_view SyntaxParser::Describe(NodeId node) {
  switch (At(node).kind) {
    case Kind::kName:
      return "name";
    case Kind::kAttribute:
      return "attribute";
    case Kind::kSubscript:
      return "subscript";
    case Kind::kTuple:
      return "tuple";
    case Kind::kList:
      return "list";
    case Kind::kStarred:
      return "starred";
    case Kind::kCall:
      return "function call";
    case Kind::kLiteral:
      return "literal";
    case Kind::kFormatString:
      return "f-string expression";
    case Kind::kTrue:
      return "True";
    case Kind::kFalse:
      return "False";
    case Kind::kNone:
      return "None";
    case Kind::kEllipsis:
      return "ellipsis";
    case Kind::kDict:
      return "dict literal";
    case Kind::kSet:
      return "set display";
    case Kind::kComprehension:
      return "comprehension";
    case Kind::kGenerator:
      return "generator expression";
    case Kind::kLambda:
      return "lambda";
    case Kind::kConditional:
      return "conditional expression";
    case Kind::kNamed:
      return "named expression";
    case Kind::kYield:
      return "yield expression";
    case Kind::kAwait:
      return "await expression";
    case Kind::kComparison:
      return "comparison";
    case Kind::kOperation:
    case Kind::kLogic:
      return "expression";
  }
  return "expression";
}

// The part of a target that cannot be one, or kNoNode.
SyntaxParser::NodeId SyntaxParser::InvalidTarget(NodeId node, TargetUse use) {
  switch (At(node).kind) {
    case Kind::kName:
    case Kind::kAttribute:
    case Kind::kSubscript:
      return kNoNode;
    case Kind::kTuple:
    case Kind::kList:
      for (NodeId child = At(node).child; child != kNoNode; child = At(child).sibling) {
        const NodeId invalid = InvalidTarget(child, use);
        if (invalid != kNoNode) return invalid;
      }
      return kNoNode;
    case Kind::kStarred:
      if (use == TargetUse::kDelete) return node;
      return InvalidTarget(At(node).child, use);
    default:
      return node;
  }
}

bool SyntaxParser::IsSingleTarget(NodeId node) {
  const Kind kind = At(node).kind;
  return kind == Kind::kName || kind == Kind::kAttribute || kind == Kind::kSubscript;
}

bool SyntaxParser::CheckTarget(NodeId node, TargetUse use) {
  if (!good()) return false;
  const NodeId invalid = InvalidTarget(node, use);
  if (invalid == kNoNode) return true;
  Raise(LineOf(invalid),
        fmt::format("cannot {} {}", use == TargetUse::kDelete ? "delete" : "assign to",
                    Describe(invalid)));
  return false;
}

// The targets of `for`, up to `in`.
void SyntaxParser::ForTargets() {
  do {
    const size_t begin = position_;
    const bool star = Take("*");
    const NodeId target = Operators(true);
    if (!good()) return;
    disjunction_begin_ = star ? begin + 1 : begin;
    disjunction_end_ = position_;
    if (!Is("in") && !Is(",")) {
      if (!StartsExpression()) (void)CheckTarget(target, TargetUse::kAssign);
      Fail();
      return;
    }
    if (!CheckTarget(target, TargetUse::kAssign)) return;
  } while (Take(",") && !Is("in"));
}

}  // namespace fathom
