// Which branches a piece of text lies in, and what their conditions hang on.
#pragma once

#include "audit/analysis/value.h"

namespace fathom {

class Evaluator;

// The branches between `node` and `ancestor` (null: to the module), outermost first, and the early
// returns and asserts before it on the way.
Guards GuardsBetween(const SyntaxNode* node, const SyntaxNode* ancestor, Evaluator& evaluator);

// Whether a condition asks for device, version, library, an attribute or an option of the script.
bool IsGuardCondition(const SyntaxNode* condition, Evaluator& evaluator, int depth = 0);
// The same without the options: what differs from machine to machine.
bool IsMachineCondition(const SyntaxNode* condition, Evaluator& evaluator, int depth = 0);

}  // namespace fathom
