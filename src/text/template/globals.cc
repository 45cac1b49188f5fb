// The functions that every template finds: jinja2's, and those that transformers adds.
#include <cstdlib>
#include <ctime>

#include "text/template/arguments.h"
#include "text/template/clock.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

// The sandbox of Jinja refuses longer ranges (jinja2/sandbox.py, MAX_RANGE).
constexpr Int kMaxRange = 100'000;

Value RangeFunction(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = BindPositional("range", arguments, 1, 3);
  const bool one = bound[1].is_missing();
  const Int start = one ? 0 : RequireInt(bound[0], "a bound of range()");
  const Int stop = RequireInt(one ? bound[0] : bound[1], "a bound of range()");
  const Int step = bound[2].is_missing() ? 1 : RequireInt(bound[2], "the step of range()");
  if (step == 0) Raise(ErrorKind::kValue, "range() arg 3 must not be zero");
  constexpr Int kFar = Int{1} << 100;
  if (start > kFar || start < -kFar || stop > kFar || stop < -kFar || step > kFar || step < -kFar) {
    Raise(ErrorKind::kOverflow, "a bound of range() is too big");
  }
  Ref<Range> range = New<Range>(start, stop, step);
  if (range->size() > kMaxRange) {
    Raise(ErrorKind::kOverflow,
          "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).",
          IntText(kMaxRange));
  }
  return Value::Of(Kind::kRange, std::move(range));
}

// dict(mapping or pairs, name=value ...)
Ref<Dict> MakeDict(std::string_view function, Arguments& arguments) {
  if (arguments.positional.size() > 1) {
    Raise(ErrorKind::kType, "{} expected at most 1 argument, got {}", function,
          arguments.positional.size());
  }
  Ref<Dict> dict = New<Dict>();
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.is_undefined()) source.as<Undefined>().Fail();
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.dict().items) dict->Set(key, value);
    } else {
      for (const Value& pair : ToValues(source)) {
        const Values parts = ToValues(pair);
        if (parts.size() != 2) {
          Raise(ErrorKind::kValue,
                "dictionary update sequence element has length {}; 2 is required", parts.size());
        }
        dict->Set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.keyword) {
    dict->Set(NewString(FromUtf8(name), true), value);
  }
  return dict;
}

Value DictFunction(Interpreter&, const Value&, Arguments& arguments) {
  return NewDict(MakeDict("dict", arguments));
}

Value NamespaceFunction(Interpreter&, const Value&, Arguments& arguments) {
  Ref<Namespace> space = New<Namespace>();
  space->attributes = MakeDict("namespace", arguments);
  for (const auto& [key, value] : space->attributes->items) {
    if (key.is_string() && key.string().view().substr(0, 1) == U"_") {
      Raise(ErrorKind::kSecurity,
            "Chat templates cannot store underscore-prefixed attributes on a namespace, but got "
            "{}. Please rename the attribute.",
            DescribeForError(key));
    }
  }
  return Value::Of(Kind::kNamespace, std::move(space));
}

Value CyclerFunction(Interpreter&, const Value&, Arguments& arguments) {
  if (!arguments.keyword.empty()) Raise(ErrorKind::kType, "cycler() takes no keyword arguments");
  if (arguments.positional.empty()) {
    Raise(ErrorKind::kRuntime, "at least one item has to be provided");
  }
  Ref<Cycler> cycler = New<Cycler>();
  cycler->items = arguments.positional;
  return Value::Of(Kind::kCycler, std::move(cycler));
}

Value JoinerFunction(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = Bind("joiner", arguments, {"sep"});
  Ref<Joiner> joiner = New<Joiner>();
  joiner->separator = ValueOr(bound[0], NewAscii(", "));
  return Value::Of(Kind::kJoiner, std::move(joiner));
}

Value LipsumFunction(Interpreter&, const Value&, Arguments&) {
  Raise(ErrorKind::kRuntime, "lipsum() makes random text: a prompt has no use for it");
}

Value RaiseException(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = Bind("raise_exception", arguments, {"message"}, 1);
  StringBuilder message;
  AppendStr(bound[0], message);
  throw Error{ErrorKind::kRaised, ToUtf8(message.text())};
}

Value StrftimeNow(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = Bind("strftime_now", arguments, {"format"}, 1);
  const String& format = RequireString(bound[0], "strftime_now() argument 1");
  const Charged room(format.text.size() * 64);
  return NewString(FromUtf8(FormatNow(ToUtf8(format.view()))), format.trusted());
}

}  // namespace

void AddGlobals(Context& context) {
  static constexpr struct {
    TextView name;
    std::string_view shown;
    Function::Body body;
  } kGlobals[] = {
      {U"range", "range", RangeFunction},
      {U"dict", "dict", DictFunction},
      {U"namespace", "namespace", NamespaceFunction},
      {U"cycler", "cycler", CyclerFunction},
      {U"joiner", "joiner", JoinerFunction},
      {U"lipsum", "lipsum", LipsumFunction},
      {U"raise_exception", "raise_exception", RaiseException},
      {U"strftime_now", "strftime_now", StrftimeNow},
  };
  for (const auto& global : kGlobals) {
    context.variables[Text(global.name)] = NewFunction(global.shown, Value::None(), global.body);
  }
}

}  // namespace fathom::jinja
