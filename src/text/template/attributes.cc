// a.b and a["b"], as Jinja's sandbox answers them (jinja2/sandbox.py, getattr and getitem).
#include <algorithm>

#include "text/template/interpreter.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

Value UnsafeUndefined(const Value& object, TextView name) {
  Ref<Undefined> undefined = New<Undefined>();
  undefined->why = Undefined::Why::kHint;
  undefined->name = FromUtf8(fmt::format("access to attribute '{}' of '{}' object is unsafe.",
                                         ToUtf8(name), TypeName(object)));
  undefined->error = ErrorKind::kSecurity;
  return Value::Of(Kind::kUndefined, std::move(undefined));
}

// Methods that change their object: the immutable sandbox hides them.
bool ChangesObject(const Value& object, TextView name) {
  static constexpr TextView kOfList[] = {U"append", U"clear", U"pop",    U"reverse",
                                         U"insert", U"sort",  U"extend", U"remove"};
  static constexpr TextView kOfDict[] = {U"clear", U"pop", U"popitem", U"setdefault", U"update"};
  if (object.is(Kind::kList)) {
    return std::find(std::begin(kOfList), std::end(kOfList), name) != std::end(kOfList);
  }
  return object.is(Kind::kDict) &&
         std::find(std::begin(kOfDict), std::end(kOfDict), name) != std::end(kOfDict);
}

bool NumberAttribute(const Value& object, TextView name, Value& result) {
  if (object.is(Kind::kFloat)) {
    if (name == U"real") return result = object, true;
    if (name == U"imag") return result = Value::Float(0), true;
    return false;
  }
  if (name == U"real" || name == U"numerator") return result = Plus(object), true;
  if (name == U"imag") return result = Value::Integer(0), true;
  if (name == U"denominator") return result = Value::Integer(1), true;
  return false;
}

bool MacroAttribute(const Macro& macro, TextView name, Value& result) {
  if (name == U"name") {
    result = macro.name().empty() ? Value::None() : NewString(macro.name(), true);
  } else if (name == U"arguments") {
    Values names;
    for (const ExpressionPtr& parameter : macro.body.parameters) {
      names.push_back(NewString(parameter->text, true));
    }
    result = NewTuple(std::move(names));
  } else if (name == U"catch_kwargs") {
    result = Value::Bool(macro.body.kwargs_slot >= 0);
  } else if (name == U"catch_varargs") {
    result = Value::Bool(macro.body.varargs_slot >= 0);
  } else if (name == U"caller") {
    result = Value::Bool(macro.body.accesses_caller);
  } else {
    return false;
  }
  return true;
}

Value LoopCycle(Interpreter&, const Value& self, Arguments& arguments) {
  if (arguments.positional.empty()) Raise(ErrorKind::kType, "no items for cycling given");
  return arguments.positional[self.as<Loop>().index0() % arguments.positional.size()];
}

Value LoopChanged(Interpreter&, const Value& self, Arguments& arguments) {
  return Value::Bool(self.as<Loop>().Changed(arguments.positional));
}

Value CyclerNext(Interpreter&, const Value& self, Arguments&) {
  Cycler& cycler = self.as<Cycler>();
  Value item = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return item;
}

Value CyclerReset(Interpreter&, const Value& self, Arguments&) {
  self.as<Cycler>().position = 0;
  return Value::None();
}

bool LoopAttribute(const Value& object, TextView name, Value& result) {
  if (name == U"cycle") return result = NewFunction("cycle", object, LoopCycle), true;
  if (name == U"changed") return result = NewFunction("changed", object, LoopChanged), true;
  return object.as<Loop>().Attribute(name, result);
}

bool CyclerAttribute(const Value& object, TextView name, Value& result) {
  const Cycler& cycler = object.as<Cycler>();
  if (name == U"next") return result = NewFunction("next", object, CyclerNext), true;
  if (name == U"reset") return result = NewFunction("reset", object, CyclerReset), true;
  if (name == U"current") return result = cycler.items[cycler.position], true;
  if (name == U"items") return result = NewTuple(cycler.items), true;
  if (name == U"pos") {
    return result = Value::Integer(static_cast<int64_t>(cycler.position)), true;
  }
  return false;
}

bool JoinerAttribute(const Joiner& joiner, TextView name, Value& result) {
  if (name == U"sep") return result = joiner.separator, true;
  if (name == U"used") return result = Value::Bool(joiner.used), true;
  return false;
}

bool RangeAttribute(const Range& range, TextView name, Value& result) {
  if (name == U"start") return result = Value::Integer(range.start), true;
  if (name == U"stop") return result = Value::Integer(range.stop), true;
  if (name == U"step") return result = Value::Integer(range.step), true;
  return false;
}

bool GroupAttribute(const List& tuple, TextView name, Value& result) {
  if (!tuple.group) return false;
  if (name == U"grouper") return result = tuple.items[0], true;
  if (name == U"list") return result = tuple.items[1], true;
  return false;
}

}  // namespace

bool Interpreter::FindAttribute(const Value& object, TextView name, Value& result) {
  switch (object.kind()) {
    case Kind::kUndefined:
      object.as<Undefined>().Fail();
    case Kind::kString:
      return FindStringMethod(object, name, result);
    case Kind::kTuple:
      if (GroupAttribute(object.list(), name, result)) return true;
      return FindContainerMethod(object, name, result);
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return NumberAttribute(object, name, result) || FindContainerMethod(object, name, result);
    case Kind::kRange:
      return RangeAttribute(object.as<Range>(), name, result) ||
             FindContainerMethod(object, name, result);
    case Kind::kNamespace: {
      const Value* found = object.as<Namespace>().attributes->Find(name);
      if (found != nullptr) result = *found;
      return found != nullptr;
    }
    case Kind::kLoop:
      return LoopAttribute(object, name, result);
    case Kind::kCycler:
      return CyclerAttribute(object, name, result);
    case Kind::kJoiner:
      return JoinerAttribute(object.as<Joiner>(), name, result);
    case Kind::kMacro:
      return MacroAttribute(object.as<Macro>(), name, result);
    case Kind::kBlock:
      if (name == U"name") {
        return result = NewString(object.as<BlockReference>().block.name, true), true;
      }
      if (name != U"super") return false;
      result = UndefinedHint("there is no parent block of that name.");
      return true;
    default:
      if (ChangesObject(object, name)) return result = UnsafeUndefined(object, name), true;
      return FindContainerMethod(object, name, result);
  }
}

namespace {

// object[key] where Python has it; false where it raises TypeError or LookupError.
bool FindItem(const Value& object, const Value& key, Value& result) {
  const auto index = [&](Int size, Int& at) {
    if (!key.is_integer()) return false;
    at = key.integer() < 0 ? key.integer() + size : key.integer();
    return at >= 0 && at < size;
  };
  Int at = 0;
  switch (object.kind()) {
    case Kind::kUndefined:
      object.as<Undefined>().Fail();
    case Kind::kString: {
      const String& text = object.string();
      if (!index(static_cast<Int>(text.text.size()), at)) return false;
      result = SubString(text, static_cast<size_t>(at), static_cast<size_t>(at) + 1);
      return true;
    }
    case Kind::kList:
    case Kind::kTuple:
      if (!index(static_cast<Int>(object.list().items.size()), at)) return false;
      result = object.list().items[static_cast<size_t>(at)];
      return true;
    case Kind::kRange:
      if (!index(object.as<Range>().size(), at)) return false;
      result = object.as<Range>().at(at);
      return true;
    case Kind::kDict: {
      if (key.is_sequence() || key.is(Kind::kDict)) return false;  // not hashable, or not there
      const Value* found =
          key.is_string() ? object.dict().Find(key.string().view()) : object.dict().Find(key);
      if (found != nullptr) result = *found;
      return found != nullptr;
    }
    default:
      return false;
  }
}

}  // namespace

Value Interpreter::GetAttribute(const Value& object, const Value& name) {
  const TextView text = name.string().view();
  Value result;
  const bool hidden = text.substr(0, 2) == U"__";
  if (!hidden && FindAttribute(object, text, result)) return result;
  if (object.is(Kind::kSelf)) {
    const SelfReference& self = object.as<SelfReference>();
    for (const BlockStatement* block : tree_.blocks) {
      if (block->name == text) {
        return Value::Of(Kind::kBlock, New<BlockReference>(*block, self.context));
      }
    }
  }
  if (FindItem(object, name, result)) return result;
  // Python's own names (__class__, __globals__ ...): Jinja hands out an undefined value for some; a
  // chat template has no business with any of them.
  if (hidden) UnsafeUndefined(object, text).as<Undefined>().Fail();
  return UndefinedAttribute(object, name);
}

Value Interpreter::GetItem(const Value& object, const Value& key) {
  Heap::Current().Step();
  Value result;
  if (object.is(Kind::kDict) && key.is(Kind::kTuple)) {
    const Value* found = object.dict().Find(key);
    return found != nullptr ? *found : UndefinedAttribute(object, key);
  }
  if (FindItem(object, key, result)) return result;
  if (key.is_string()) return GetAttribute(object, key);
  return UndefinedAttribute(object, key);
}

Value SliceValue(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_undefined()) object.as<Undefined>().Fail();
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) {
    Raise(ErrorKind::kType, "'{}' object cannot be sliced", TypeName(object));
  }
  const auto bound = [](const Value& value) { return RequireIndex(value, "a slice index"); };
  const int64_t by = step.is_none() ? 1 : bound(step);
  if (by == 0) Raise(ErrorKind::kValue, "slice step cannot be zero");
  const int64_t size = static_cast<int64_t>(Length(object));
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto place = [&](const Value& value, int64_t fallback) {
    if (value.is_none()) return fallback;
    const int64_t at = bound(value);
    return std::clamp(at < 0 ? at + size : at, low, high);
  };
  const int64_t first = place(start, by > 0 ? low : high);
  const int64_t last = place(stop, by > 0 ? high : low);
  const Range picked(first, last, by);
  const int64_t count = static_cast<int64_t>(picked.size());
  if (object.is(Kind::kRange)) {
    const Range& range = object.as<Range>();
    return Value::Of(Kind::kRange, New<Range>(range.start + first * range.step,
                                              range.start + last * range.step, range.step * by));
  }
  if (object.is_string()) {
    const String& text = object.string();
    if (by == 1) return SubString(text, first, std::max(first, last));
    StringBuilder out;
    for (int64_t i = 0, at = first; i < count; ++i, at += by) out.AppendSlice(text, at, at + 1);
    return out.Finish(text.markup);
  }
  Heap::Current().Step(count);
  Values items;
  for (int64_t i = 0, at = first; i < count; ++i, at += by) {
    items.push_back(object.list().items[at]);
  }
  return object.is(Kind::kList) ? NewList(std::move(items)) : NewTuple(std::move(items));
}

}  // namespace fathom::jinja
