// Evaluator: follows names, attributes, dictionaries, parameters and options through one file.
//
// Bounded everywhere (depth, alternatives, steps), so that no file takes long: what lies beyond a
// bound is unknown.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/analysis/guards.h"
#include "audit/analysis/script.h"
#include "audit/analysis/value.h"

namespace fathom {

class Evaluator {
 public:
  explicit Evaluator(const Script& script);

  const Script& script() const { return script_; }

  // What the expression can be; never empty.
  Alternatives Evaluate(const SyntaxNode* expression);
  // What `dictionary[key]` can be; kAbsent where it has no such key.
  Alternatives LookUp(const SyntaxNode* dictionary, std::string_view key);
  // The paths that the expression can be ("torch.compile", "?model.generate" for an unknown root),
  // sorted out from Evaluate.
  std::vector<std::string> Paths(const SyntaxNode* expression);
  // What the argument of a call can be, by keyword, position (-1: none) or through **: kAbsent
  // where it is not passed.
  Alternatives Argument(const CallSite& call, std::string_view name, int position = -1);
  // The functions of the file that a call can reach.
  std::vector<const SyntaxNode*> Callees(const CallSite& call);
  // The calls in the file that reach a function.
  const std::vector<const CallSite*>& CallersOf(const SyntaxNode* function);

  // Guards of a place: its own branches, and those of the function's callers where all have some.
  Guards GuardsOf(const SyntaxNode* node);
  // Whether the name stands for an option of the script: then its spelling, else empty.
  std::string OptionOf(const SyntaxNode* expression);

  // The branches of an `if` behind its first one, and for each whether a condition so far is a
  // guard: found out once.
  struct IfBranches {
    std::vector<const SyntaxNode*> others;
    std::vector<bool> counts;  // the first of all first
  };
  const IfBranches& BranchesOf(const SyntaxNode* node);
  // The module's definitions of a name, its imports and so on, seen from the end of the module.
  const std::vector<Definition>* DefinitionsOf(const SyntaxNode* name) const;

 private:
  friend class Step;
  struct Limit;

  bool HasSteps() const;
  Alternatives EvaluateInner(const SyntaxNode* expression);
  Alternatives EvaluateName(const SyntaxNode* expression, const std::string& name);
  Alternatives EvaluateAttribute(const SyntaxNode* expression);
  Alternatives EvaluateCall(const SyntaxNode* expression);
  Alternatives EvaluateLibraryCall(const CallSite& call, const std::string& path);
  Alternatives EvaluateGetattr(const CallSite& call);
  Alternatives EvaluateMethod(const CallSite& call, const SyntaxNode* callee);
  Alternatives EvaluateSubscript(const SyntaxNode* expression);
  Alternatives EvaluateConditional(const SyntaxNode* expression);
  Alternatives EvaluateBoolean(const SyntaxNode* expression);
  Alternatives EvaluateComparison(const SyntaxNode* expression);
  Alternatives EvaluateNot(const SyntaxNode* expression);
  Alternatives EvaluateOption(const SyntaxNode* expression, std::string_view name);
  Alternatives EvaluateMember(const ScriptValue& object, const SyntaxNode* expression,
                              std::string_view name);
  Alternatives EvaluateReturns(const SyntaxNode* function);
  Alternatives ParsedDataclass(const ScriptValue& parsed, size_t place);
  Alternatives BaseInstances(const SyntaxNode* node);
  const SyntaxNode* DefiningClass(const SyntaxNode* owner, std::string_view name, int depth = 0);
  void AddInheritedCalls(const SyntaxNode* init, const std::function<void(std::string_view)>& add);
  Alternatives EvaluateParameter(const Scope* scope, const Definition& definition);
  Alternatives EvaluateDefinition(const Scope* scope, const Definition& definition);
  Alternatives AnnotationInstance(const SyntaxNode* annotation);
  Alternatives MachineTruth(const SyntaxNode* expression);

  // Which definitions of a name reach a place, with the branches they lie in.
  struct Reaching {
    const Definition* definition = nullptr;
    const Scope* scope = nullptr;
    Guards guards;
  };
  // `visit` says whether a definition settles the question; those before one that does in every
  // case are not visited, and the answer is then true.
  using Visit = std::function<bool(const Reaching&)>;
  bool VisitReaching(const SyntaxNode* use, const std::string& name, const Visit& visit);

  Alternatives LookUpInner(const SyntaxNode* dictionary, std::string_view key);
  Alternatives LookUpName(const SyntaxNode* use, const std::string& name, std::string_view key);
  Alternatives LookUpDisplay(const SyntaxNode* display, std::string_view key);
  Alternatives LookUpCall(const SyntaxNode* call, std::string_view key);
  Alternatives LookUpUpdate(const Definition& definition, std::string_view key);
  Alternatives LookUpParameter(const Scope* scope, const Definition& definition,
                               std::string_view key);
  bool AddUnderKey(const SyntaxNode* name, std::string_view key, const SyntaxNode* value,
                   const SyntaxNode* origin, const Guards& guards, Alternatives* all);
  void AddFilledByCallees(const SyntaxNode* use, const std::string& name, std::string_view key,
                          Alternatives* all);

  const Script& script_;
  int depth_ = 0;
  int steps_ = 0;  // of the question asked from outside
  int64_t total_steps_ = 0;
  std::set<const void*> active_;
  std::map<const SyntaxNode*, std::vector<const CallSite*>> callers_;
  std::map<const SyntaxNode*, IfBranches> if_branches_;
  std::map<std::string, std::vector<const SyntaxNode*>, std::less<>> functions_by_name_;
  std::map<std::string, std::vector<const CallSite*>, std::less<>> calls_by_name_;
  std::map<std::string, std::vector<std::string>, std::less<>> derived_classes_;  // by base
  // Calls of functions of the file, by the names that stand alone among their arguments.
  std::map<std::string, std::vector<const CallSite*>, std::less<>> calls_by_argument_;
};

}  // namespace fathom
