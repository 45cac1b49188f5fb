#include "text/template/filters.h"

#include <algorithm>
#include <unordered_map>

#include "text/template/arguments.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"
#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

using Index = std::unordered_map<Text, const FilterEntry*>;

void AddTable(const FilterTable& table, Index& index) {
  for (size_t i = 0; i < table.count; ++i) {
    index.emplace(FromAscii(table.entries[i].name), &table.entries[i]);
  }
}

const FilterEntry* FindIn(const Index& index, TextView name) {
  const auto it = index.find(Text(name));
  return it == index.end() ? nullptr : it->second;
}

}  // namespace

const FilterEntry* FindFilter(TextView name) {
  static const Index index = [] {
    Index made;
    for (const FilterTable& table :
         {TextFilters(), HtmlFilters(), SequenceFilters(), SelectFilters(), NumberFilters()}) {
      AddTable(table, made);
    }
    return made;
  }();
  return FindIn(index, name);
}

AttributeGetter::AttributeGetter(const Value& attribute) {
  if (attribute.is_missing() || attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  const String& text = attribute.string();
  for (size_t at = 0; at <= text.text.size();) {
    const size_t end = std::min(text.text.find(U'.', at), text.text.size());
    const TextView part = text.view().substr(at, end - at);
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(), [](char32_t c) {
      return Contains(kDigit, c);
    });
    parts_.push_back(number ? Value::Integer(ParseInt(part, 10).value_or(0))
                            : SubString(text, at, end));
    at = end + 1;
  }
}

Value AttributeGetter::Get(Interpreter& interpreter, Value item) const {
  for (const Value& part : parts_) {
    item = interpreter.GetItem(item, part);
    if (item.is_undefined() && !fallback.is_missing() && !fallback.is_none()) item = fallback;
  }
  return ignore_case && item.is_string() ? Lower(item.string()) : item;
}

// --- tests (jinja2/tests.py) ---

namespace {

template <typename Ask>
Value Answer(std::string_view name, Arguments& arguments, size_t count, Ask ask) {
  const Values bound = BindPositional(name, arguments, count, count);
  return Value::Bool(ask(bound));
}

Value Remainder(const Value& value, int64_t by) { return Modulo(value, Value::Integer(by)); }

Value OddTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("odd", arguments, 0,
                [&](const Values&) { return Equal(Remainder(value, 2), Value::Integer(1)); });
}
Value EvenTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("even", arguments, 0,
                [&](const Values&) { return Equal(Remainder(value, 2), Value::Integer(0)); });
}
Value DivisibleByTest(Interpreter&, const Value& value, Arguments& arguments) {
  const Values bound = Bind("divisibleby", arguments, {"num"}, 1);
  return Value::Bool(Equal(Modulo(value, bound[0]), Value::Integer(0)));
}
Value DefinedTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("defined", arguments, 0, [&](const Values&) { return !value.is_undefined(); });
}
Value UndefinedTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("undefined", arguments, 0, [&](const Values&) { return value.is_undefined(); });
}
Value FilterTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("filter", arguments, 0, [&](const Values&) {
    Hash(value);
    return value.is_string() && FindFilter(value.string().view()) != nullptr;
  });
}
Value TestTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("test", arguments, 0, [&](const Values&) {
    Hash(value);
    return value.is_string() && FindTest(value.string().view()) != nullptr;
  });
}
template <Kind kKind>
Value KindTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("a test", arguments, 0, [&](const Values&) { return value.is(kKind); });
}
template <bool kValue>
Value BooleanIsTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("a test", arguments, 0,
                [&](const Values&) { return value.is(Kind::kBool) && value.boolean() == kValue; });
}
Value NumberTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("number", arguments, 0, [&](const Values&) { return value.is_number(); });
}
template <bool (*kPredicate)(TextView)>
Value CaseTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("a test", arguments, 0, [&](const Values&) {
    const Value text = Str(value);
    return kPredicate(text.string().view());
  });
}
Value SequenceTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("sequence", arguments, 0, [&](const Values&) {
    return value.is_string() || value.is_sequence() || value.is(Kind::kDict) ||
           value.is(Kind::kRange) || value.is_undefined();
  });
}
Value IterableTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("iterable", arguments, 0, [&](const Values&) {
    return value.is_string() || value.is_sequence() || value.is(Kind::kDict) ||
           value.is(Kind::kDictView) || value.is(Kind::kRange) || value.is_undefined() ||
           value.is(Kind::kIterator) || value.is(Kind::kLoop) || value.is(Kind::kSelf);
  });
}
Value CallableTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("callable", arguments, 0, [&](const Values&) {
    return value.is(Kind::kFunction) || value.is(Kind::kMacro) || value.is(Kind::kLoop) ||
           value.is(Kind::kJoiner) || value.is(Kind::kBlock) || value.is_undefined();
  });
}
Value EscapedTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("escaped", arguments, 0,
                [&](const Values&) { return value.is_string() && value.string().markup; });
}
Value SameAsTest(Interpreter&, const Value& value, Arguments& arguments) {
  const Values bound = Bind("sameas", arguments, {"other"}, 1);
  const Value& other = bound[0];
  if (value.kind() != other.kind()) return Value::Bool(false);
  if (value.object() != nullptr) return Value::Bool(value.object() == other.object());
  return Value::Bool(Equal(value, other));
}
Value InTest(Interpreter&, const Value& value, Arguments& arguments) {
  const Values bound = Bind("in", arguments, {"seq"}, 1);
  return Value::Bool(IsIn(value, bound[0]));
}
bool AtMost(const Value& a, const Value& b, std::string_view op) {
  return Less(a, b, op) || Equal(a, b);
}
Value EqTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("eq", arguments, 1, [&](const Values& b) { return Equal(value, b[0]); });
}
Value NeTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("ne", arguments, 1, [&](const Values& b) { return !Equal(value, b[0]); });
}
Value GtTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("gt", arguments, 1, [&](const Values& b) { return Less(b[0], value, ">"); });
}
Value GeTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("ge", arguments, 1, [&](const Values& b) { return AtMost(b[0], value, ">="); });
}
Value LtTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("lt", arguments, 1, [&](const Values& b) { return Less(value, b[0], "<"); });
}
Value LeTest(Interpreter&, const Value& value, Arguments& arguments) {
  return Answer("le", arguments, 1, [&](const Values& b) { return AtMost(value, b[0], "<="); });
}

constexpr FilterEntry kTests[] = {
    {"odd", OddTest},
    {"even", EvenTest},
    {"divisibleby", DivisibleByTest},
    {"defined", DefinedTest},
    {"undefined", UndefinedTest},
    {"filter", FilterTest},
    {"test", TestTest},
    {"none", KindTest<Kind::kNone>},
    {"boolean", KindTest<Kind::kBool>},
    {"false", BooleanIsTest<false>},
    {"true", BooleanIsTest<true>},
    {"integer", KindTest<Kind::kInt>},
    {"float", KindTest<Kind::kFloat>},
    {"lower", CaseTest<IsLowerText>},
    {"upper", CaseTest<IsUpperText>},
    {"string", KindTest<Kind::kString>},
    {"mapping", KindTest<Kind::kDict>},
    {"number", NumberTest},
    {"sequence", SequenceTest},
    {"iterable", IterableTest},
    {"callable", CallableTest},
    {"sameas", SameAsTest},
    {"escaped", EscapedTest},
    {"in", InTest},
    {"==", EqTest},
    {"eq", EqTest},
    {"equalto", EqTest},
    {"!=", NeTest},
    {"ne", NeTest},
    {">", GtTest},
    {"gt", GtTest},
    {"greaterthan", GtTest},
    {">=", GeTest},
    {"ge", GeTest},
    {"<", LtTest},
    {"lt", LtTest},
    {"lessthan", LtTest},
    {"<=", LeTest},
    {"le", LeTest},
};

}  // namespace

const FilterEntry* FindTest(TextView name) {
  static const Index index = [] {
    Index made;
    AddTable({kTests, std::size(kTests)}, made);
    return made;
  }();
  return FindIn(index, name);
}

}  // namespace fathom::jinja
