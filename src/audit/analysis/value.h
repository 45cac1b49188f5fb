// What an expression can be, as far as the text tells.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/analysis/syntax_node.h"

namespace fathom {

// A branch that something lies in: `branch` of `branches` of `owner` (an if, try, conditional
// expression, assert ...). branches 0: it has no else, so its branches never cover all cases.
struct Guard {
  const SyntaxNode* owner = nullptr;
  const SyntaxNode* at = nullptr;  // whose first line names it: the if, the elif, the else
  const SyntaxNode* condition = nullptr;
  int branch = 0;
  int branches = 0;
  bool counts = false;  // on device, version, library or option; not on data
};
using Guards = std::vector<Guard>;

struct Value {
  enum class Kind : uint8_t {
    kUnknown,  // text: the path of a name that nothing is known of ("model.generate"), or ""
    kAbsent,   // a key that the dictionary lacks
    kNone,
    kBool,  // number 0 or 1
    kNumber,
    kString,    // text
    kPath,      // text: "torch.bfloat16"; a call's result ends in "()"
    kDisplay,   // node: a dictionary, list, tuple or dict(...) call
    kFunction,  // node: def or lambda
    kClass,     // node
    kInstance   // node: the class; call: where it is made
  };
  Kind kind = Kind::kUnknown;
  double number = 0;
  std::string text;
  const SyntaxNode* node = nullptr;
  const SyntaxNode* call = nullptr;

  bool Is(Kind other) const { return kind == other; }
  bool truthy() const;  // of a constant
  bool IsConstant() const {
    return kind == Kind::kNone || kind == Kind::kBool || kind == Kind::kNumber ||
           kind == Kind::kString;
  }
};

// One thing that it can be, under which branches, and where that is written.
struct Alternative {
  Value value;
  Guards guards;
  const SyntaxNode* origin = nullptr;
  std::string option;  // "args.dtype": the literal default of an option of the script
};
using Alternatives = std::vector<Alternative>;

// Whether sites with these guards cover every branch: then none decides whether it runs.
bool CoversAll(const std::vector<const Guards*>& sites);

}  // namespace fathom
