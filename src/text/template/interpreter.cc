#include "text/template/interpreter.h"

#include "text/template/html.h"

namespace fathom::jinja {

void Interpreter::Render(StringBuilder& out) {
  const Ref<Scope> scope = New<Scope>(tree_.function.slots, Ref<Scope>(), context_);
  if (tree_.self_slot >= 0) {
    scope->slots[tree_.self_slot] = Value::Of(Kind::kSelf, New<SelfReference>(context_));
  }
  EnterFrame(tree_.loads, *scope);
  Execute(tree_.body, *scope, out);
}

void Interpreter::EnterFrame(const FrameLoads& loads, Scope& scope) {
  for (const Load& load : loads) {
    switch (load.action) {
      case Load::Action::kParameter:
        break;
      case Load::Action::kResolve:
        scope.slots[load.slot] = scope.context->Resolve(load.name);
        break;
      case Load::Action::kAlias:
        scope.slots[load.slot] = Variable(load.from, scope);
        break;
      case Load::Action::kUnset:
        scope.slots[load.slot] = Value::Missing();
        break;
    }
  }
}

void Interpreter::LeaveFrame(const FrameLoads& loads, Scope& scope) {
  for (const Load& load : loads) scope.slots[load.slot] = Value::Missing();
}

Value& Interpreter::Variable(const VariableRef& reference, Scope& scope) {
  Scope* at = &scope;
  for (int hop = 0; hop < reference.hops; ++hop) at = at->parent.get();
  return at->slots[reference.slot];
}

void Interpreter::CheckNamespaces(const Expression& target, Scope& scope) {
  if (target.kind == ExpressionKind::kNamespaceTarget &&
      !Variable(target.variable, scope).is(Kind::kNamespace)) {
    Raise(ErrorKind::kRuntime, "cannot assign attribute on non-namespace object");
  }
  for (const ExpressionPtr& item : target.items) CheckNamespaces(*item, scope);
}

void Interpreter::Assign(const Expression& target, const Value& value, Scope& scope) {
  switch (target.kind) {
    case ExpressionKind::kName:
      Variable(target.variable, scope) = value;
      return;
    case ExpressionKind::kNamespaceTarget: {
      if (target.attribute[0] == '_') {
        Raise(ErrorKind::kSecurity,
              "Chat templates cannot store underscore-prefixed attributes on a namespace, but got "
              "'{}'. Please rename the attribute.",
              ToUtf8(target.attribute));
      }
      const Value space = Variable(target.variable, scope);
      space.as<Namespace>().attributes->Set(NewString(target.attribute, true), value);
      return;
    }
    default:
      break;
  }
  const Ref<Iterator> items = Iterate(value);
  Values unpacked;
  Value item;
  while (unpacked.size() < target.items.size() && items->Next(item)) unpacked.push_back(item);
  if (unpacked.size() < target.items.size()) {
    Raise(ErrorKind::kValue, "not enough values to unpack (expected {}, got {})",
          target.items.size(), unpacked.size());
  }
  if (items->Next(item)) {
    Raise(ErrorKind::kValue, "too many values to unpack (expected {})", target.items.size());
  }
  for (size_t i = 0; i < unpacked.size(); ++i) Assign(*target.items[i], unpacked[i], scope);
}

void Interpreter::DoExports(const std::vector<Export>& exports, Scope& scope) {
  for (const Export& item : exports) {
    scope.context->variables[item.name] = Variable(item.variable, scope);
  }
}

Interpreter::Flow Interpreter::Execute(const Body& body, Scope& scope, StringBuilder& out) {
  const Heap::DepthScope depth;
  for (const auto& statement : body) {
    line_ = statement->line;
    Heap::Current().Step();
    const Flow flow = Execute(*statement, scope, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::Execute(const Statement& statement, Scope& scope,
                                       StringBuilder& out) {
  switch (statement.kind) {
    case StatementKind::kOutput:
      ExecuteOutput(static_cast<const OutputStatement&>(statement), scope, out);
      return Flow::kNext;
    case StatementKind::kFor:
      return ExecuteFor(static_cast<const ForStatement&>(statement), scope, out);
    case StatementKind::kIf:
      return ExecuteIf(static_cast<const IfStatement&>(statement), scope, out);
    case StatementKind::kSet:
      ExecuteSet(static_cast<const SetStatement&>(statement), scope);
      return Flow::kNext;
    case StatementKind::kSetBlock:
      return ExecuteSetBlock(static_cast<const SetBlockStatement&>(statement), scope);
    case StatementKind::kMacro: {
      const auto& node = static_cast<const MacroStatement&>(statement);
      Variable(node.variable, scope) =
          Value::Of(Kind::kMacro, New<Macro>(node.macro, node.name, Ref<Scope>(&scope)));
      DoExports(node.exports, scope);
      return Flow::kNext;
    }
    case StatementKind::kCallBlock:
      ExecuteCallBlock(static_cast<const CallBlockStatement&>(statement), scope, out);
      return Flow::kNext;
    case StatementKind::kFilterBlock:
      return ExecuteFilterBlock(static_cast<const FilterBlockStatement&>(statement), scope, out);
    case StatementKind::kWith:
      return ExecuteWith(static_cast<const WithStatement&>(statement), scope, out);
    case StatementKind::kAutoescape:
      return ExecuteAutoescape(static_cast<const AutoescapeStatement&>(statement), scope, out);
    case StatementKind::kBlock:
      ExecuteBlock(static_cast<const BlockStatement&>(statement), scope, out);
      return Flow::kNext;
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
    case StatementKind::kUnavailable:
      Raise(ErrorKind::kType, "'{}' is not available: a chat template has no other templates",
            static_cast<const SimpleStatement&>(statement).tag);
  }
  return Flow::kNext;
}

void Interpreter::ExecuteOutput(const OutputStatement& node, Scope& scope, StringBuilder& out) {
  for (const OutputStatement::Item& item : node.items) {
    if (item.expression == nullptr) {
      out.Append(item.data, true);
      continue;
    }
    line_ = item.expression->line;
    const Value value = Evaluate(*item.expression, scope);
    AppendStr(autoescape_ ? EscapeHtml(value) : value, out);
  }
}

// The items of a loop that pass its `if`, tested one by one as the loop asks for them.
class Interpreter::TestedItems final : public Iterator {
 public:
  TestedItems(Interpreter& interpreter, const ForStatement& node, const Value& iterable,
              Scope& outer)
      : interpreter_(interpreter),
        node_(node),
        iterable_(iterable),
        scope_(New<Scope>(node.test_function.slots, Ref<Scope>(&outer), outer.context)) {}

  bool Next(Value& item) override {
    const Heap::DepthScope depth;
    if (!items_) {
      interpreter_.EnterFrame(node_.test_loads, *scope_);
      items_ = Iterate(iterable_);
    }
    while (items_->Next(item)) {
      interpreter_.Assign(*node_.test_target, item, *scope_);
      if (!Truth(interpreter_.Evaluate(*node_.test, *scope_))) continue;
      item = Unpacked(*node_.test_target);
      return true;
    }
    return false;
  }

 private:
  // What the generator that Jinja makes of the test yields: its target, a tuple where that is one.
  Value Unpacked(const Expression& target) const {
    if (target.kind == ExpressionKind::kName) return Variable(target.variable, *scope_);
    Values items;
    for (const ExpressionPtr& item : target.items) items.push_back(Unpacked(*item));
    return NewTuple(std::move(items));
  }

  Interpreter& interpreter_;
  const ForStatement& node_;
  Value iterable_;
  Ref<Scope> scope_;
  Ref<Iterator> items_;
};

Interpreter::Flow Interpreter::ExecuteFor(const ForStatement& node, Scope& scope,
                                          StringBuilder& out) {
  const Value iterable = Evaluate(*node.iterable, scope);
  if (node.recursive) {
    AppendText(RunRecursiveLoop(node, iterable, scope, 0), out);
  } else {
    RunLoop(node, iterable, scope, scope, 0, out);
  }
  return Flow::kNext;
}

Value Interpreter::RunRecursiveLoop(const ForStatement& node, const Value& iterable, Scope& outer,
                                    int depth0) {
  const Heap::CallScope call;
  const Ref<Scope> scope = New<Scope>(node.function.slots, Ref<Scope>(&outer), outer.context);
  StringBuilder buffer;
  RunLoop(node, iterable, outer, *scope, depth0, buffer);
  return FinishBuffer(buffer);
}

void Interpreter::RunLoop(const ForStatement& node, const Value& iterable, Scope& outer,
                          Scope& scope, int depth0, StringBuilder& out) {
  Value items = iterable;
  if (node.test != nullptr) {
    items = NewIterator(New<TestedItems>(*this, node, iterable, outer));
  }
  Ref<Loop> loop;
  Ref<Iterator> plain;
  if (node.uses_loop) {
    loop = New<Loop>(items, depth0);
    if (node.recursive) {
      loop->recursion = &node;
      loop->recursion_scope = Ref<Scope>(&outer);
    }
  } else {
    plain = Iterate(items);
  }
  bool completed = false;  // a whole turn was run: Jinja's else asks for that
  Value item;
  while (loop ? loop->Next(item) : plain->Next(item)) {
    if (loop) scope.slots[node.loop_slot] = Value::Of(Kind::kLoop, loop);
    Assign(*node.target, item, scope);
    EnterFrame(node.loads, scope);
    const Flow flow = Execute(node.body, scope, out);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNext) completed = true;
  }
  LeaveFrame(node.loads, scope);
  if (node.has_else && !completed) {
    EnterFrame(node.else_loads, scope);
    Execute(node.else_body, scope, out);
    LeaveFrame(node.else_loads, scope);
  }
}

Interpreter::Flow Interpreter::ExecuteIf(const IfStatement& node, Scope& scope,
                                         StringBuilder& out) {
  for (const IfStatement::Branch& branch : node.branches) {
    if (branch.test == nullptr || Truth(Evaluate(*branch.test, scope))) {
      return Execute(branch.body, scope, out);
    }
  }
  return Flow::kNext;
}

void Interpreter::ExecuteSet(const SetStatement& node, Scope& scope) {
  CheckNamespaces(*node.target, scope);
  Assign(*node.target, Evaluate(*node.value, scope), scope);
  DoExports(node.exports, scope);
}

Interpreter::Flow Interpreter::ExecuteSetBlock(const SetBlockStatement& node, Scope& scope) {
  EnterFrame(node.loads, scope);
  StringBuilder buffer;
  const Flow flow = Execute(node.body, scope, buffer);
  if (flow != Flow::kNext) return flow;
  Value value = FinishBuffer(buffer);
  if (node.filter != nullptr) {
    value = EvaluateFilter(*node.filter, scope, &value);
    if (autoescape_) value = MarkSafe(value);
  }
  CheckNamespaces(*node.target, scope);
  Assign(*node.target, value, scope);
  DoExports(node.exports, scope);
  LeaveFrame(node.loads, scope);
  return Flow::kNext;
}

void Interpreter::AppendText(const Value& value, StringBuilder& out) {
  out.Append(RequireString(value, "what a call block, filter block or loop renders"));
}

void Interpreter::ExecuteCallBlock(const CallBlockStatement& node, Scope& scope,
                                   StringBuilder& out) {
  const Value caller = Value::Of(Kind::kMacro, New<Macro>(node.caller, Text(), Ref<Scope>(&scope)));
  if (node.call != nullptr) {
    AppendText(EvaluateCall(*node.call, scope, caller), out);
  } else {
    Arguments none;
    AppendText(CallMacro(caller.as<Macro>(), none), out);
  }
}

Interpreter::Flow Interpreter::ExecuteFilterBlock(const FilterBlockStatement& node, Scope& scope,
                                                  StringBuilder& out) {
  EnterFrame(node.loads, scope);
  StringBuilder buffer;
  const Flow flow = Execute(node.body, scope, buffer);
  if (flow != Flow::kNext) return flow;
  const Value text = FinishBuffer(buffer);
  AppendText(EvaluateFilter(*node.filter, scope, &text), out);
  LeaveFrame(node.loads, scope);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::ExecuteWith(const WithStatement& node, Scope& scope,
                                           StringBuilder& out) {
  EnterFrame(node.loads, scope);
  for (size_t i = 0; i < node.targets.size(); ++i) {
    Assign(*node.targets[i], Evaluate(*node.values[i], scope), scope);
  }
  const Flow flow = Execute(node.body, scope, out);
  if (flow == Flow::kNext) LeaveFrame(node.loads, scope);
  return flow;
}

Interpreter::Flow Interpreter::ExecuteAutoescape(const AutoescapeStatement& node, Scope& scope,
                                                 StringBuilder& out) {
  EnterFrame(node.loads, scope);
  const bool outer = autoescape_;
  autoescape_ = Truth(Evaluate(*node.enabled, scope));
  const Flow flow = Execute(node.body, scope, out);
  autoescape_ = outer;
  if (flow == Flow::kNext) LeaveFrame(node.loads, scope);
  return flow;
}

void Interpreter::ExecuteBlock(const BlockStatement& node, Scope& scope, StringBuilder& out) {
  if (node.required) {
    Raise(ErrorKind::kRuntime, "Required block '{}' not found", ToUtf8(node.name));
  }
  Ref<Context> context = scope.context;
  if (node.scoped) {
    const Ref<Context> derived = New<Context>();
    derived->parent = context;
    for (const Export& item : node.visible) {
      const Value& value = Variable(item.variable, scope);
      if (!value.is_missing()) derived->variables[item.name] = value;
    }
    context = derived;
  }
  AppendText(RenderBlock(node, context), out);
}

Value Interpreter::RenderBlock(const BlockStatement& block, Ref<Context> context) {
  const Heap::CallScope call;
  const Ref<Scope> scope = New<Scope>(block.function.slots, Ref<Scope>(), context);
  if (block.self_slot >= 0) {
    scope->slots[block.self_slot] = Value::Of(Kind::kSelf, New<SelfReference>(context));
  }
  if (block.super_slot >= 0) {
    scope->slots[block.super_slot] =
        UndefinedHint("there is no parent block called '" + ToUtf8(block.name) + "'.");
  }
  EnterFrame(block.loads, *scope);
  StringBuilder buffer;
  Execute(block.body, *scope, buffer);
  return FinishBuffer(buffer);
}

// jinja2/runtime.py, Macro.__call__: what is missing comes from the keywords, then from the
// defaults.
Value Interpreter::CallMacro(const Macro& macro, Arguments& arguments) {
  const Heap::CallScope call;
  const MacroBody& body = macro.body;
  const Ref<Scope> scope = New<Scope>(body.function.slots, macro.scope, macro.scope->context);
  const size_t count = body.parameters.size();
  for (size_t i = 0; i < count; ++i) {
    Value value = i < arguments.positional.size()
                      ? arguments.positional[i]
                      : arguments.TakeKeyword(ToUtf8(body.parameters[i]->text));
    scope->slots[body.parameter_slots[i]] = std::move(value);
  }
  if (body.caller_slot >= 0) {
    Value caller = arguments.TakeKeyword("caller");
    if (caller.is_missing() || caller.is_none()) caller = UndefinedHint("No caller defined");
    scope->slots[body.caller_slot] = std::move(caller);
  }
  const std::string name = ToUtf8(macro.name());
  if (body.kwargs_slot >= 0) {
    const Ref<Dict> rest = New<Dict>();
    for (auto& [key, value] : arguments.keyword) rest->Set(NewString(FromUtf8(key), true), value);
    scope->slots[body.kwargs_slot] = NewDict(rest);
  } else if (!arguments.keyword.empty()) {
    Raise(ErrorKind::kType, "macro '{}' takes no keyword argument '{}'", name,
          arguments.keyword.front().first);
  }
  const bool extra = arguments.positional.size() > count;
  if (body.varargs_slot >= 0) {
    scope->slots[body.varargs_slot] =
        NewTuple(extra ? Values(arguments.positional.begin() + count, arguments.positional.end())
                       : Values());
  } else if (extra) {
    Raise(ErrorKind::kType, "macro '{}' takes not more than {} argument(s)", name, count);
  }
  EnterFrame(body.loads, *scope);
  const size_t first_default = count - body.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    Value& slot = scope->slots[body.parameter_slots[i]];
    if (!slot.is_missing()) continue;
    if (i >= first_default) {
      Value value = Evaluate(*body.defaults[i - first_default], *scope);
      scope->slots[body.parameter_slots[i]] = std::move(value);
    } else {
      slot = UndefinedHint("parameter '" + ToUtf8(body.parameters[i]->text) + "' was not provided");
    }
  }
  StringBuilder buffer;
  Execute(body.body, *scope, buffer);
  return FinishBuffer(buffer);
}

}  // namespace fathom::jinja
