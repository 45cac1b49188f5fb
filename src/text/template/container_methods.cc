// The methods of dict, list, tuple, range and numbers that change nothing.
#include <cmath>

#include "text/template/arguments.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

Value View(const Value& dict, DictView::Of of) {
  return Value::Of(Kind::kDictView, New<DictView>(dict, of));
}

Value DictItems(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("items", arguments, 0, 0);
  return View(self, DictView::Of::kItems);
}

Value DictKeys(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("keys", arguments, 0, 0);
  return View(self, DictView::Of::kKeys);
}

Value DictValues(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("values", arguments, 0, 0);
  return View(self, DictView::Of::kValues);
}

Value DictGet(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("get", arguments, 1, 2);
  const Value* found = self.dict().Find(bound[0]);
  return found != nullptr ? *found : ValueOr(bound[1], Value::None());
}

// Nothing can change the copy: it may be the object itself.
Value Copy(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("copy", arguments, 0, 0);
  return self;
}

Value DictFromKeys(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = BindPositional("fromkeys", arguments, 1, 2);
  Ref<Dict> dict = New<Dict>();
  for (const Value& key : ToValues(bound[0])) dict->Set(key, ValueOr(bound[1], Value::None()));
  return NewDict(std::move(dict));
}

Value SequenceCount(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("count", arguments, 1, 1);
  int64_t count = 0;
  const Ref<Iterator> items = Iterate(self);
  Value item;
  while (items->Next(item)) count += Equal(item, bound[0]) ? 1 : 0;
  return Value::Integer(count);
}

Value SequenceIndex(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("index", arguments, 1, 3);
  const int64_t size = static_cast<int64_t>(Length(self));
  const auto place = [&](const Value& value, int64_t fallback) {
    if (value.is_missing()) return fallback;
    const int64_t at = RequireIndex(value, "an index");
    return at < 0 ? std::max<int64_t>(0, at + size) : at;
  };
  const int64_t first = place(bound[1], 0), last = place(bound[2], size);
  const Ref<Iterator> items = Iterate(self);
  Value item;
  for (int64_t at = 0; items->Next(item); ++at) {
    if (at >= first && at < last && Equal(item, bound[0])) return Value::Integer(at);
  }
  Raise(ErrorKind::kValue, "the value is not in the {}", TypeName(self));
}

Value ViewIsDisjoint(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("isdisjoint", arguments, 1, 1);
  for (const Value& item : ToValues(bound[0])) {
    if (IsIn(item, self)) return Value::Bool(false);
  }
  return Value::Bool(true);
}

Value Conjugate(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("conjugate", arguments, 0, 0);
  return Plus(self);
}

Value BitLength(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("bit_length", arguments, 0, 0);
  Int rest = self.integer() < 0 ? -(self.integer() + 1) : self.integer();
  // -2^k takes one bit more than -2^k + 1 has.
  if (self.integer() < 0) rest = IntText(self.integer(), 2).size() - 1;
  if (self.integer() < 0) return Value::Integer(rest);
  return Value::Integer(rest == 0 ? 0 : static_cast<Int>(IntText(rest, 2).size()));
}

Value BitCount(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("bit_count", arguments, 0, 0);
  int64_t count = 0;
  for (const char digit : IntText(self.integer(), 2)) count += digit == '1';
  return Value::Integer(count);
}

Value IsInteger(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("is_integer", arguments, 0, 0);
  return Value::Bool(std::isfinite(self.floating()) &&
                     self.floating() == std::floor(self.floating()));
}

Value CloseIterator(Interpreter&, const Value&, Arguments&) { return Value::None(); }

struct Method {
  Kind kind;
  TextView name;
  std::string_view shown;
  Function::Body body;
};

constexpr Method kMethods[] = {
    {Kind::kDict, U"items", "items", DictItems},
    {Kind::kDict, U"keys", "keys", DictKeys},
    {Kind::kDict, U"values", "values", DictValues},
    {Kind::kDict, U"get", "get", DictGet},
    {Kind::kDict, U"copy", "copy", Copy},
    {Kind::kDict, U"fromkeys", "fromkeys", DictFromKeys},
    {Kind::kList, U"copy", "copy", Copy},
    {Kind::kList, U"count", "count", SequenceCount},
    {Kind::kList, U"index", "index", SequenceIndex},
    {Kind::kTuple, U"count", "count", SequenceCount},
    {Kind::kTuple, U"index", "index", SequenceIndex},
    {Kind::kRange, U"count", "count", SequenceCount},
    {Kind::kRange, U"index", "index", SequenceIndex},
    {Kind::kDictView, U"isdisjoint", "isdisjoint", ViewIsDisjoint},
    {Kind::kInt, U"conjugate", "conjugate", Conjugate},
    {Kind::kInt, U"bit_length", "bit_length", BitLength},
    {Kind::kInt, U"bit_count", "bit_count", BitCount},
    {Kind::kFloat, U"conjugate", "conjugate", Conjugate},
    {Kind::kFloat, U"is_integer", "is_integer", IsInteger},
    {Kind::kIterator, U"close", "close", CloseIterator},
};

}  // namespace

bool FindContainerMethod(const Value& object, TextView name, Value& result) {
  const Kind kind = object.is(Kind::kBool) ? Kind::kInt : object.kind();
  if (kind == Kind::kFunction && name == U"fromkeys" && object.as<Function>().name == "dict") {
    result = NewFunction("fromkeys", object, DictFromKeys);
    return true;
  }
  for (const Method& method : kMethods) {
    if (method.kind == kind && method.name == name) {
      result = NewFunction(method.shown, object, method.body);
      return true;
    }
  }
  return false;
}

}  // namespace fathom::jinja
