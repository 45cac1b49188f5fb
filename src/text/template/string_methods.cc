// The methods of str. What has no use in a template (encode: there are no bytes) is an error when
// called.
#include <algorithm>

#include "text/template/arguments.h"
#include "text/template/format.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"
#include "text/template/search.h"
#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

constexpr size_t kNotFound = Text::npos;

// An argument that joins the text of `self`: escaped where self is markup.
Value Admit(const Value& self, const Value& argument, std::string_view what) {
  RequireString(argument, what);
  return self.string().markup ? EscapeHtml(argument) : argument;
}

Value Space() { return NewAscii(" "); }

template <Value (*kFunction)(const String&)>
Value CaseMethod(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("a case method", arguments, 0, 0);
  return kFunction(self.string());
}

template <bool kLeft, bool kRight>
Value StripMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("strip", arguments, 0, 1);
  return Strip(self.string(), bound[0], kLeft, kRight);
}

Values SplitForward(const String& text, const String& separator, int64_t most) {
  Values parts;
  const Searcher searcher(separator.view());
  size_t at = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = searcher.Find(text.view(), at);
    if (found == kNotFound) break;
    parts.push_back(SubString(text, at, found));
    at = found + separator.text.size();
  }
  parts.push_back(SubString(text, at, text.text.size()));
  return parts;
}

Values SplitBackward(const String& text, const String& separator, int64_t most) {
  Values parts;
  size_t end = text.text.size();
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = SearchLast(text.view().substr(0, end), separator.view());
    if (found == kNotFound) break;
    parts.push_back(SubString(text, found + separator.text.size(), end));
    end = found;
  }
  parts.push_back(SubString(text, 0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Values SplitSpaceBackward(const String& text, int64_t most) {
  Values parts;
  size_t end = text.text.size();
  for (;;) {
    while (end > 0 && IsSpace(text.text[end - 1])) --end;
    if (end == 0) break;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(SubString(text, 0, end));
      break;
    }
    size_t begin = end;
    while (begin > 0 && !IsSpace(text.text[begin - 1])) --begin;
    parts.push_back(SubString(text, begin, end));
    end = begin;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

template <bool kBackward>
Value SplitMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = Bind("split", arguments, {"sep", "maxsplit"});
  const int64_t most = bound[1].is_missing() ? -1 : RequireIndex(bound[1], "maxsplit");
  const String& text = self.string();
  if (bound[0].is_missing() || bound[0].is_none()) {
    return NewList(kBackward ? SplitSpaceBackward(text, most) : SplitOnSpace(text, most));
  }
  const String& separator = RequireString(bound[0], "sep");
  if (separator.text.empty()) Raise(ErrorKind::kValue, "empty separator");
  return NewList(kBackward && most >= 0 ? SplitBackward(text, separator, most)
                                        : SplitForward(text, separator, kBackward ? -1 : most));
}

Value SplitLinesMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = Bind("splitlines", arguments, {"keepends"});
  const bool keep = !bound[0].is_missing() && RequireInt(bound[0], "keepends") != 0;
  return NewList(SplitLines(self.string(), keep));
}

template <bool kLast>
Value PartitionMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("partition", arguments, 1, 1);
  const String& separator = RequireString(bound[0], "sep");
  if (separator.text.empty()) Raise(ErrorKind::kValue, "empty separator");
  const String& text = self.string();
  const size_t size = text.text.size();
  const size_t at =
      kLast ? SearchLast(text.view(), separator.view()) : Search(text.view(), separator.view());
  if (at == kNotFound) {
    const Value empty = NewString({}, true);
    return kLast ? NewTuple({empty, empty, self}) : NewTuple({self, empty, empty});
  }
  const size_t after = at + separator.text.size();
  return NewTuple(
      {SubString(text, 0, at), SubString(text, at, after), SubString(text, after, size)});
}

// The slice [start, stop) that find, count and startswith look at.
struct Window {
  size_t begin, end;
  bool valid;
};

Window WindowOf(const Value& self, const Value& start, const Value& stop) {
  const int64_t size = static_cast<int64_t>(self.string().text.size());
  const auto place = [&](const Value& value, int64_t fallback) {
    if (value.is_missing() || value.is_none()) return fallback;
    const int64_t at = RequireIndex(value, "a slice index");
    return at < 0 ? std::max<int64_t>(0, at + size) : at;
  };
  const int64_t begin = place(start, 0), end = std::min(place(stop, size), size);
  return {static_cast<size_t>(begin), static_cast<size_t>(end), begin <= end};
}

template <bool kLast>
int64_t FindIn(const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("find", arguments, 1, 3);
  const String& needle = RequireString(bound[0], "the text to find");
  const Window window = WindowOf(self, bound[1], bound[2]);
  if (!window.valid) return -1;
  const TextView text = self.string().view().substr(window.begin, window.end - window.begin);
  const size_t at = kLast ? SearchLast(text, needle.view()) : Search(text, needle.view());
  return at == kNotFound ? -1 : static_cast<int64_t>(window.begin + at);
}

template <bool kLast>
Value FindMethod(Interpreter&, const Value& self, Arguments& arguments) {
  return Value::Integer(FindIn<kLast>(self, arguments));
}

template <bool kLast>
Value IndexMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const int64_t at = FindIn<kLast>(self, arguments);
  if (at < 0) Raise(ErrorKind::kValue, "substring not found");
  return Value::Integer(at);
}

Value CountMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("count", arguments, 1, 3);
  const String& needle = RequireString(bound[0], "the text to count");
  const Window window = WindowOf(self, bound[1], bound[2]);
  if (!window.valid) return Value::Integer(0);
  const TextView text = self.string().view().substr(window.begin, window.end - window.begin);
  return Value::Integer(static_cast<int64_t>(CountOccurrences(text, needle.view())));
}

template <bool kEnd>
bool HasAffix(TextView text, const Window& window, const Value& affix) {
  const TextView part = RequireString(affix, "the prefix or suffix").view();
  if (!window.valid) return false;
  const TextView seen = text.substr(window.begin, window.end - window.begin);
  if (seen.size() < part.size()) return false;
  return kEnd ? seen.substr(seen.size() - part.size()) == part
              : seen.substr(0, part.size()) == part;
}

template <bool kEnd>
Value AffixMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional(kEnd ? "endswith" : "startswith", arguments, 1, 3);
  const Window window = WindowOf(self, bound[1], bound[2]);
  const TextView text = self.string().view();
  if (!bound[0].is(Kind::kTuple)) return Value::Bool(HasAffix<kEnd>(text, window, bound[0]));
  const Values& affixes = bound[0].list().items;
  return Value::Bool(std::any_of(affixes.begin(), affixes.end(), [&](const Value& affix) {
    return HasAffix<kEnd>(text, window, affix);
  }));
}

Value ReplaceMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("replace", arguments, 2, 3);
  const int64_t count = bound[2].is_missing() ? -1 : RequireIndex(bound[2], "count");
  const Value to = Admit(self, bound[1], "replace() argument 2");
  return Replace(self.string(), RequireString(bound[0], "replace() argument 1"), to.string(),
                 count);
}

Value JoinMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("join", arguments, 1, 1);
  return Join(self.string(), bound[0], false);
}

template <bool kBefore, bool kAfter>
Value PadMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("center", arguments, 1, 2);
  const Value fill = bound[1].is_missing() ? Space() : Admit(self, bound[1], "the fill character");
  return Pad(self.string(), RequireIndex(bound[0], "the width"), fill.string(), kBefore, kAfter);
}

Value ZeroFillMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("zfill", arguments, 1, 1);
  const int64_t width = RequireIndex(bound[0], "the width");
  const String& text = self.string();
  const bool sign = !text.text.empty() && (text.text[0] == '+' || text.text[0] == '-');
  const Value head = SubString(text, 0, sign ? 1 : 0);
  const Value tail = SubString(text, sign ? 1 : 0, text.text.size());
  const Value padded =
      Pad(tail.string(), width - (sign ? 1 : 0), NewAscii("0").string(), true, false);
  StringBuilder out;
  out.Append(head.string());
  out.Append(padded.string());
  return out.Finish(text.markup);
}

template <bool kEnd>
Value RemoveAffixMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("removeprefix", arguments, 1, 1);
  const String& text = self.string();
  const size_t size = text.text.size();
  if (!HasAffix<kEnd>(text.view(), {0, size, true}, bound[0])) return SubString(text, 0, size);
  const size_t part = bound[0].string().text.size();
  return kEnd ? SubString(text, 0, size - part) : SubString(text, part, size);
}

Value ExpandTabsMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = Bind("expandtabs", arguments, {"tabsize"});
  const int64_t tab = bound[0].is_missing() ? 8 : RequireIndex(bound[0], "tabsize");
  const String& text = self.string();
  StringBuilder out;
  int64_t column = 0;
  for (size_t i = 0; i < text.text.size(); ++i) {
    if (text.text[i] == '\t') {
      if (tab <= 0) continue;
      const int64_t count = tab - column % tab;
      const Charged whole(static_cast<size_t>(std::min<int64_t>(count, int64_t{1} << 40)) * 4);
      out.Append(Text(static_cast<size_t>(count), U' '), true);
      column += count;
    } else {
      out.AppendSlice(text, i, i + 1);
      column = text.text[i] == '\n' || text.text[i] == '\r' ? 0 : column + 1;
    }
  }
  return out.Finish(text.markup);
}

// The predicates that ask each code point; false for an empty text.
template <bool (*kPredicate)(char32_t)>
Value EachMethod(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("a predicate", arguments, 0, 0);
  const Text& text = self.string().text;
  Heap::Current().StepText(text.size() * 4);
  return Value::Bool(!text.empty() && std::all_of(text.begin(), text.end(), kPredicate));
}

template <const CodeRanges& kSet>
bool InSet(char32_t c) {
  return Contains(kSet, c);
}

template <bool (*kPredicate)(TextView)>
Value WholeMethod(Interpreter&, const Value& self, Arguments& arguments) {
  BindPositional("a predicate", arguments, 0, 0);
  Heap::Current().StepText(self.string().text.size() * 4);
  return Value::Bool(kPredicate(self.string().view()));
}

bool IsAsciiText(TextView text) {
  return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

bool IsPrintableText(TextView text) {
  return std::all_of(text.begin(), text.end(), InSet<kPrintable>);
}

// One code point of a translation: a code point, a text or nothing.
void AppendTranslation(const Value& to, bool trusted, StringBuilder& out) {
  if (to.is_none()) return;
  if (to.is_string()) return out.Append(to.string());
  const Int code = RequireInt(to, "character mapping");
  if (code < 0 || code > 0x10FFFF) {
    Raise(ErrorKind::kValue, "character mapping must be in range(0x110000)");
  }
  const char32_t c = static_cast<char32_t>(code);
  out.Append(TextView(&c, 1), trusted);
}

Value TranslateMethod(Interpreter&, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("translate", arguments, 1, 1);
  if (!bound[0].is(Kind::kDict)) {
    Raise(ErrorKind::kType, "'{}' object is no translation table", TypeName(bound[0]));
  }
  const String& text = self.string();
  StringBuilder out;
  for (size_t i = 0; i < text.text.size(); ++i) {
    const Value* to = bound[0].dict().Find(Value::Integer(text.text[i]));
    if (to == nullptr) {
      out.AppendSlice(text, i, i + 1);
    } else {
      AppendTranslation(*to, text.runs[text.RunAt(i)].trusted, out);
    }
  }
  return out.Finish(text.markup);
}

Value MakeTransMethod(Interpreter&, const Value&, Arguments& arguments) {
  const Values bound = BindPositional("maketrans", arguments, 1, 3);
  Ref<Dict> table = New<Dict>();
  if (bound[1].is_missing()) {
    if (!bound[0].is(Kind::kDict)) Raise(ErrorKind::kType, "maketrans() wants a dict");
    for (const auto& [key, value] : bound[0].dict().items) {
      if (key.is_string() && key.string().text.size() != 1) {
        Raise(ErrorKind::kValue, "string keys in translate table must be of length 1");
      }
      table->Set(key.is_string() ? Value::Integer(key.string().text[0]) : key, value);
    }
    return NewDict(std::move(table));
  }
  const String& from = RequireString(bound[0], "maketrans() argument 1");
  const String& to = RequireString(bound[1], "maketrans() argument 2");
  if (from.text.size() != to.text.size()) {
    Raise(ErrorKind::kValue, "the first two maketrans arguments must have equal length");
  }
  for (size_t i = 0; i < from.text.size(); ++i) {
    table->Set(Value::Integer(from.text[i]), Value::Integer(to.text[i]));
  }
  if (!bound[2].is_missing()) {
    for (const char32_t c : RequireString(bound[2], "maketrans() argument 3").text) {
      table->Set(Value::Integer(c), Value::None());
    }
  }
  return NewDict(std::move(table));
}

Value FormatMethod(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Ref<Dict> named = New<Dict>();
  for (const auto& [key, value] : arguments.keyword) {
    named->Set(NewString(FromUtf8(key), true), value);
  }
  return StrFormat(interpreter, self.string(), arguments.positional, NewDict(std::move(named)));
}

Value FormatMapMethod(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Values bound = BindPositional("format_map", arguments, 1, 1);
  return StrFormat(interpreter, self.string(), {}, bound[0]);
}

Value EncodeMethod(Interpreter&, const Value&, Arguments&) {
  Raise(ErrorKind::kType, "templates have no bytes: str.encode is not available");
}

struct Method {
  TextView name;
  std::string_view shown;
  Function::Body body;
};

constexpr Method kMethods[] = {
    {U"capitalize", "capitalize", CaseMethod<Capitalize>},
    {U"casefold", "casefold", CaseMethod<CaseFold>},
    {U"center", "center", PadMethod<true, true>},
    {U"count", "count", CountMethod},
    {U"encode", "encode", EncodeMethod},
    {U"endswith", "endswith", AffixMethod<true>},
    {U"expandtabs", "expandtabs", ExpandTabsMethod},
    {U"find", "find", FindMethod<false>},
    {U"format", "format", FormatMethod},
    {U"format_map", "format_map", FormatMapMethod},
    {U"index", "index", IndexMethod<false>},
    {U"isalnum", "isalnum", EachMethod<IsAlnum>},
    {U"isalpha", "isalpha", EachMethod<InSet<kAlpha>>},
    {U"isascii", "isascii", WholeMethod<IsAsciiText>},
    {U"isdecimal", "isdecimal", EachMethod<InSet<kDecimal>>},
    {U"isdigit", "isdigit", EachMethod<InSet<kDigit>>},
    {U"isidentifier", "isidentifier", WholeMethod<IsIdentifier>},
    {U"islower", "islower", WholeMethod<IsLowerText>},
    {U"isnumeric", "isnumeric", EachMethod<InSet<kNumeric>>},
    {U"isprintable", "isprintable", WholeMethod<IsPrintableText>},
    {U"isspace", "isspace", EachMethod<IsSpace>},
    {U"istitle", "istitle", WholeMethod<IsTitleText>},
    {U"isupper", "isupper", WholeMethod<IsUpperText>},
    {U"join", "join", JoinMethod},
    {U"ljust", "ljust", PadMethod<false, true>},
    {U"lower", "lower", CaseMethod<Lower>},
    {U"lstrip", "lstrip", StripMethod<true, false>},
    {U"maketrans", "maketrans", MakeTransMethod},
    {U"partition", "partition", PartitionMethod<false>},
    {U"removeprefix", "removeprefix", RemoveAffixMethod<false>},
    {U"removesuffix", "removesuffix", RemoveAffixMethod<true>},
    {U"replace", "replace", ReplaceMethod},
    {U"rfind", "rfind", FindMethod<true>},
    {U"rindex", "rindex", IndexMethod<true>},
    {U"rjust", "rjust", PadMethod<true, false>},
    {U"rpartition", "rpartition", PartitionMethod<true>},
    {U"rsplit", "rsplit", SplitMethod<true>},
    {U"rstrip", "rstrip", StripMethod<false, true>},
    {U"split", "split", SplitMethod<false>},
    {U"splitlines", "splitlines", SplitLinesMethod},
    {U"startswith", "startswith", AffixMethod<false>},
    {U"strip", "strip", StripMethod<true, true>},
    {U"swapcase", "swapcase", CaseMethod<SwapCase>},
    {U"title", "title", CaseMethod<Title>},
    {U"translate", "translate", TranslateMethod},
    {U"upper", "upper", CaseMethod<Upper>},
    {U"zfill", "zfill", ZeroFillMethod},
};

}  // namespace

bool FindStringMethod(const Value& object, TextView name, Value& result) {
  const Method* end = std::end(kMethods);
  const Method* it =
      std::lower_bound(std::begin(kMethods), end, name,
                       [](const Method& method, TextView wanted) { return method.name < wanted; });
  if (it == end || it->name != name) return false;
  result = NewFunction(it->shown, object, it->body);
  return true;
}

}  // namespace fathom::jinja
