// Expressions, calls, attributes and items.
#include <algorithm>

#include "text/template/filters.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"

namespace fathom::jinja {

Value Interpreter::EvaluateConstant(const Expression& node) {
  Value& cached = constants_[node.constant_index];
  if (cached.is_missing()) {
    if (const bool* boolean = std::get_if<bool>(&node.constant)) {
      cached = Value::Bool(*boolean);
    } else if (const Int* integer = std::get_if<Int>(&node.constant)) {
      cached = Value::Integer(*integer);
    } else if (const double* floating = std::get_if<double>(&node.constant)) {
      cached = Value::Float(*floating);
    } else if (const Text* text = std::get_if<Text>(&node.constant)) {
      cached = NewString(*text, true);
    } else {
      cached = Value::None();
    }
  }
  return cached;
}

Value Interpreter::Evaluate(const Expression& node, Scope& scope) {
  const Heap::DepthScope depth;
  Heap::Current().Step();
  switch (node.kind) {
    case ExpressionKind::kConstant:
      return EvaluateConstant(node);
    case ExpressionKind::kName: {
      const Value& value = Variable(node.variable, scope);
      return value.is_missing() ? UndefinedName(node.text) : value;
    }
    case ExpressionKind::kNamespaceTarget:
      return Value::None();
    case ExpressionKind::kTuple:
      return NewTuple(EvaluateItems(node, scope));
    case ExpressionKind::kList:
      return NewList(EvaluateItems(node, scope));
    case ExpressionKind::kDict:
      return EvaluateDict(node, scope);
    case ExpressionKind::kConditional:
      if (Truth(Evaluate(*node.items[0], scope))) return Evaluate(*node.items[1], scope);
      if (node.items[2] != nullptr) return Evaluate(*node.items[2], scope);
      return UndefinedHint(
          fmt::format("the inline if-expression on line {} evaluated to false "
                      "and no else section was defined.",
                      node.line));
    case ExpressionKind::kAnd: {
      Value left = Evaluate(*node.items[0], scope);
      return Truth(left) ? Evaluate(*node.items[1], scope) : left;
    }
    case ExpressionKind::kOr: {
      Value left = Evaluate(*node.items[0], scope);
      return Truth(left) ? left : Evaluate(*node.items[1], scope);
    }
    case ExpressionKind::kNot:
      return Value::Bool(!Truth(Evaluate(*node.items[0], scope)));
    case ExpressionKind::kNegate:
      return Negate(Evaluate(*node.items[0], scope));
    case ExpressionKind::kPlus:
      return Plus(Evaluate(*node.items[0], scope));
    case ExpressionKind::kBinary:
      return EvaluateBinary(node, scope);
    case ExpressionKind::kCompare:
      return EvaluateCompare(node, scope);
    case ExpressionKind::kConcat:
      return EvaluateConcat(node, scope);
    case ExpressionKind::kGetAttr: {
      const Value object = Evaluate(*node.items[0], scope);
      return GetAttribute(object, NewString(node.text, true));
    }
    case ExpressionKind::kGetItem:
      return EvaluateGetItem(node, scope);
    case ExpressionKind::kSlice:
      return Value::None();
    case ExpressionKind::kCall:
      return EvaluateCall(node, scope, Value::Missing());
    case ExpressionKind::kFilter:
      return EvaluateFilter(node, scope, nullptr);
    case ExpressionKind::kTest:
      return Value::Bool(Truth(EvaluateFilter(node, scope, nullptr)));
  }
  return Value::None();
}

Values Interpreter::EvaluateItems(const Expression& node, Scope& scope) {
  Values items;
  items.reserve(node.items.size());
  for (const ExpressionPtr& item : node.items) items.push_back(Evaluate(*item, scope));
  return items;
}

Value Interpreter::EvaluateDict(const Expression& node, Scope& scope) {
  Ref<Dict> dict = New<Dict>();
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const Value key = Evaluate(*node.items[i], scope);
    dict->Set(key, Evaluate(*node.items[i + 1], scope));
  }
  return NewDict(std::move(dict));
}

Value Interpreter::EvaluateBinary(const Expression& node, Scope& scope) {
  const Value a = Evaluate(*node.items[0], scope);
  const Value b = Evaluate(*node.items[1], scope);
  switch (node.op) {
    case Operator::kAdd:
      return Add(a, b);
    case Operator::kSubtract:
      return Subtract(a, b);
    case Operator::kMultiply:
      return Multiply(a, b);
    case Operator::kDivide:
      return Divide(a, b);
    case Operator::kFloorDivide:
      return FloorDivide(a, b);
    case Operator::kModulo:
      return Modulo(a, b);
    default:
      return Power(a, b);
  }
}

namespace {

// a <= b is not "not b < a" where a NaN is about.
bool LessOrEqual(const Value& a, const Value& b, std::string_view op) {
  if (a.is_number() && b.is_number()) return Less(a, b, op) || Equal(a, b);
  return !Less(b, a, op);
}

bool Compare(Operator op, const Value& a, const Value& b) {
  switch (op) {
    case Operator::kEqual:
      return Equal(a, b);
    case Operator::kNotEqual:
      return !Equal(a, b);
    case Operator::kLess:
      return Less(a, b, "<");
    case Operator::kLessEqual:
      return LessOrEqual(a, b, "<=");
    case Operator::kGreater:
      return Less(b, a, ">");
    case Operator::kGreaterEqual:
      return LessOrEqual(b, a, ">=");
    case Operator::kIn:
      return IsIn(a, b);
    default:
      return !IsIn(a, b);
  }
}

}  // namespace

Value Interpreter::EvaluateCompare(const Expression& node, Scope& scope) {
  Value left = Evaluate(*node.items[0], scope);
  for (size_t i = 0; i < node.ops.size(); ++i) {
    Value right = Evaluate(*node.items[i + 1], scope);
    if (!Compare(node.ops[i], left, right)) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Value Interpreter::EvaluateConcat(const Expression& node, Scope& scope) {
  const Values items = EvaluateItems(node, scope);
  const bool markup = autoescape_ && std::any_of(items.begin(), items.end(), [](const Value& item) {
                        return item.is_string() && item.string().markup;
                      });
  StringBuilder out;
  for (const Value& item : items) AppendStr(markup ? EscapeHtml(item) : item, out);
  return out.Finish(markup);
}

Value Interpreter::EvaluateGetItem(const Expression& node, Scope& scope) {
  const Value object = Evaluate(*node.items[0], scope);
  const Expression& key = *node.items[1];
  if (key.kind != ExpressionKind::kSlice) return GetItem(object, Evaluate(key, scope));
  Value bounds[3];
  for (int i = 0; i < 3; ++i) {
    if (key.items[i] != nullptr) bounds[i] = Evaluate(*key.items[i], scope);
  }
  return SliceValue(object, bounds[0], bounds[1], bounds[2]);
}

void Interpreter::EvaluateArguments(const Expression& node, Scope& scope, Arguments& arguments) {
  for (size_t i = 1; i < node.items.size(); ++i) {
    arguments.positional.push_back(Evaluate(*node.items[i], scope));
  }
  if (node.extra_positional != nullptr) {
    const Values more = ToValues(Evaluate(*node.extra_positional, scope));
    arguments.positional.insert(arguments.positional.end(), more.begin(), more.end());
  }
  for (const KeywordArgument& keyword : node.keywords) {
    arguments.keyword.emplace_back(keyword.name, Evaluate(*keyword.value, scope));
  }
  if (node.extra_keywords == nullptr) return;
  const Value more = Evaluate(*node.extra_keywords, scope);
  if (!more.is(Kind::kDict)) {
    Raise(ErrorKind::kType, "argument after ** must be a mapping, not {}", TypeName(more));
  }
  for (const auto& [key, value] : more.dict().items) {
    std::string name = ToUtf8(RequireString(key, "a keyword").view());
    const bool twice = std::any_of(arguments.keyword.begin(), arguments.keyword.end(),
                                   [&](const auto& other) { return other.first == name; });
    if (twice) Raise(ErrorKind::kType, "got multiple values for keyword argument '{}'", name);
    arguments.keyword.emplace_back(std::move(name), value);
  }
}

Value Interpreter::EvaluateCall(const Expression& node, Scope& scope, const Value& caller) {
  const Value callee = Evaluate(*node.items[0], scope);
  Arguments arguments;
  EvaluateArguments(node, scope, arguments);
  if (!caller.is_missing()) arguments.keyword.emplace_back("caller", caller);
  return Call(callee, arguments);
}

Value Interpreter::EvaluateFilter(const Expression& node, Scope& scope, const Value* block) {
  Value input;
  if (node.items[0] == nullptr) {
    input = *block;
  } else if (block != nullptr) {
    input = EvaluateFilter(*node.items[0], scope, block);  // the chain of a block's filters
  } else {
    input = Evaluate(*node.items[0], scope);
  }
  if (node.entry == nullptr) {
    Raise(ErrorKind::kRuntime, "No {} named '{}' found.",
          node.kind == ExpressionKind::kFilter ? "filter" : "test", ToUtf8(node.text));
  }
  Arguments arguments;
  EvaluateArguments(node, scope, arguments);
  return node.entry->apply(*this, input, arguments);
}

Value Interpreter::Call(const Value& callee, Arguments& arguments) {
  Heap::Current().Step();
  const Heap::DepthScope depth;
  switch (callee.kind()) {
    case Kind::kUndefined:
      callee.as<Undefined>().Fail();
    case Kind::kFunction: {
      const Function& function = callee.as<Function>();
      return function.body(*this, function.self, arguments);
    }
    case Kind::kMacro:
      return CallMacro(callee.as<Macro>(), arguments);
    case Kind::kLoop: {
      const Loop& loop = callee.as<Loop>();
      if (loop.recursion == nullptr) {
        Raise(ErrorKind::kType,
              "The loop must have the 'recursive' marker to be called recursively.");
      }
      if (arguments.positional.size() != 1 || !arguments.keyword.empty()) {
        Raise(ErrorKind::kType, "a loop is called with one iterable");
      }
      return RunRecursiveLoop(*loop.recursion, arguments.positional[0], *loop.recursion_scope,
                              loop.depth0() + 1);
    }
    case Kind::kJoiner: {
      Joiner& joiner = callee.as<Joiner>();
      if (std::exchange(joiner.used, true)) return joiner.separator;
      return NewString({}, true);
    }
    case Kind::kBlock: {
      const BlockReference& block = callee.as<BlockReference>();
      return RenderBlock(block.block, block.context);
    }
    default:
      Raise(ErrorKind::kType, "'{}' object is not callable", TypeName(callee));
  }
}

namespace {

[[noreturn]] void NoSuchName(const Value& name, std::string_view type) {
  if (name.is_undefined()) {
    Raise(ErrorKind::kRuntime,
          "No {} named Undefined. ({}; did you forget to quote the callable name?)", type,
          name.as<Undefined>().Message());
  }
  Raise(ErrorKind::kRuntime, "No {} named {}.", type, DescribeForError(name));
}

}  // namespace

Value Interpreter::CallFilter(const Value& name, const Value& input, Arguments arguments) {
  const FilterEntry* entry = name.is_string() ? FindFilter(name.string().view()) : nullptr;
  if (entry == nullptr) NoSuchName(name, "filter");
  return entry->apply(*this, input, arguments);
}

bool Interpreter::CallTest(const Value& name, const Value& input, Arguments arguments) {
  const FilterEntry* entry = name.is_string() ? FindTest(name.string().view()) : nullptr;
  if (entry == nullptr) NoSuchName(name, "test");
  return Truth(entry->apply(*this, input, arguments));
}

}  // namespace fathom::jinja
