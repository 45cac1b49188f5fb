// Renders a resolved tree (what jinja2/compiler.py turns into Python).
#pragma once

#include "text/template/ast.h"
#include "text/template/loop.h"
#include "text/template/macro.h"
#include "text/template/scope.h"

namespace fathom::jinja {

class Interpreter {
 public:
  Interpreter(const TemplateTree& tree, Ref<Context> context)
      : tree_(tree),
        context_(std::move(context)),
        constants_(tree.constants.size(), Value::Missing()) {}

  void Render(StringBuilder& out);
  int line() const { return line_; }  // of the statement that runs

  // What the sandbox of Jinja does for a.b, a["b"], a(...), a|name(...) and `a is name(...)`.
  Value GetAttribute(const Value& object, const Value& name);
  Value GetItem(const Value& object, const Value& key);
  Value Call(const Value& callee, Arguments& arguments);
  Value CallFilter(const Value& name, const Value& input, Arguments arguments);
  bool CallTest(const Value& name, const Value& input, Arguments arguments);

  // The attribute that Python's getattr finds, methods included; false where there is none.
  bool FindAttribute(const Value& object, TextView name, Value& result);
  bool autoescape() const { return autoescape_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class TestedItems;

  Flow Execute(const Body& body, Scope& scope, StringBuilder& out);
  Flow Execute(const Statement& statement, Scope& scope, StringBuilder& out);
  void ExecuteOutput(const OutputStatement& node, Scope& scope, StringBuilder& out);
  Flow ExecuteFor(const ForStatement& node, Scope& scope, StringBuilder& out);
  Flow ExecuteIf(const IfStatement& node, Scope& scope, StringBuilder& out);
  void ExecuteSet(const SetStatement& node, Scope& scope);
  Flow ExecuteSetBlock(const SetBlockStatement& node, Scope& scope);
  void ExecuteCallBlock(const CallBlockStatement& node, Scope& scope, StringBuilder& out);
  Flow ExecuteFilterBlock(const FilterBlockStatement& node, Scope& scope, StringBuilder& out);
  Flow ExecuteWith(const WithStatement& node, Scope& scope, StringBuilder& out);
  Flow ExecuteAutoescape(const AutoescapeStatement& node, Scope& scope, StringBuilder& out);
  void ExecuteBlock(const BlockStatement& node, Scope& scope, StringBuilder& out);
  void RunLoop(const ForStatement& node, const Value& iterable, Scope& outer, Scope& scope,
               int depth0, StringBuilder& out);
  Value RunRecursiveLoop(const ForStatement& node, const Value& iterable, Scope& outer, int depth0);
  Value RenderBlock(const BlockStatement& block, Ref<Context> context);
  Value CallMacro(const Macro& macro, Arguments& arguments);

  void EnterFrame(const FrameLoads& loads, Scope& scope);
  static void LeaveFrame(const FrameLoads& loads, Scope& scope);
  static Value& Variable(const VariableRef& reference, Scope& scope);
  void Assign(const Expression& target, const Value& value, Scope& scope);
  void CheckNamespaces(const Expression& target, Scope& scope);
  static void DoExports(const std::vector<Export>& exports, Scope& scope);
  Value FinishBuffer(StringBuilder& buffer) const { return buffer.Finish(autoescape_); }
  static void AppendText(const Value& value, StringBuilder& out);  // refuses what is no string

  Value Evaluate(const Expression& node, Scope& scope);
  Value EvaluateConstant(const Expression& node);
  Value EvaluateBinary(const Expression& node, Scope& scope);
  Value EvaluateCompare(const Expression& node, Scope& scope);
  Value EvaluateConcat(const Expression& node, Scope& scope);
  Value EvaluateGetItem(const Expression& node, Scope& scope);
  Value EvaluateDict(const Expression& node, Scope& scope);
  Value EvaluateCall(const Expression& node, Scope& scope, const Value& caller);
  Value EvaluateFilter(const Expression& node, Scope& scope, const Value* block);
  Values EvaluateItems(const Expression& node, Scope& scope);
  void EvaluateArguments(const Expression& node, Scope& scope, Arguments& arguments);

  const TemplateTree& tree_;
  Ref<Context> context_;
  Values constants_;
  bool autoescape_ = false;
  int line_ = 0;
};

// object[start:stop:step] of a string, list, tuple or range.
Value SliceValue(const Value& object, const Value& start, const Value& stop, const Value& step);

// Methods, type by type; false where the type has none of that name.
bool FindStringMethod(const Value& object, TextView name, Value& result);
bool FindContainerMethod(const Value& object, TextView name, Value& result);

// range, dict, namespace, cycler, joiner, lipsum, raise_exception, strftime_now.
void AddGlobals(Context& context);

}  // namespace fathom::jinja
