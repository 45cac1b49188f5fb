// Filters that make text: case, padding, lines, formats, JSON.
#include <algorithm>

#include "text/template/arguments.h"
#include "text/template/filters.h"
#include "text/template/format.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/json_text.h"
#include "text/template/number.h"
#include "text/template/pretty.h"
#include "text/template/string_functions.h"
#include "text/template/wrap.h"

namespace fathom::jinja {
namespace {

template <Value (*kFunction)(const String&)>
Value CaseFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("a case filter", arguments, 0, 0);
  return kFunction(SoftStr(input).string());
}

// Jinja's own: words begin after spaces and opening brackets, not after every other sign.
Value TitleFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("title", arguments, 0, 0);
  const Value source = SoftStr(input);
  const String& text = source.string();
  const auto begins_word = [](char32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || IsSpace(c);
  };
  StringBuilder out;
  const size_t size = text.text.size();
  for (size_t at = 0; at < size;) {
    const bool separator = begins_word(text.text[at]);
    size_t end = at;
    while (end < size && begins_word(text.text[end]) == separator) ++end;
    // The first of a part in upper case, the rest in lower case, as a string of its own.
    out.Append(Upper(SubString(text, at, at + 1).string()).string());
    out.Append(Lower(SubString(text, at + 1, end).string()).string());
    at = end;
  }
  return out.Finish();
}

Value TrimFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("trim", arguments, {"chars"});
  return Strip(SoftStr(input).string(), bound[0], true, true);
}

Value ReplaceFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("replace", arguments, {"old", "new", "count"}, 2);
  const int64_t count =
      bound[2].is_missing() || bound[2].is_none() ? -1 : RequireIndex(bound[2], "count");
  if (!interpreter.autoescape()) {
    return Replace(Str(input).string(), Str(bound[0]).string(), Str(bound[1]).string(), count);
  }
  const auto markup = [](const Value& value) { return value.is_string() && value.string().markup; };
  const bool escape = markup(bound[0]) || (markup(bound[1]) && !markup(input));
  const Value source = escape ? EscapeHtml(input) : SoftStr(input);
  const Value to = source.string().markup ? EscapeHtml(bound[1]) : SoftStr(bound[1]);
  return Replace(source.string(), SoftStr(bound[0]).string(), to.string(), count);
}

Value FormatFilter(Interpreter&, const Value& input, Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.keyword.empty()) {
    Raise(ErrorKind::kRuntime, "can't handle positional and keyword arguments at the same time");
  }
  const Value format = SoftStr(input);
  if (arguments.keyword.empty()) {
    return PercentFormat(format.string(), NewTuple(arguments.positional));
  }
  Ref<Dict> named = New<Dict>();
  for (const auto& [name, value] : arguments.keyword) {
    named->Set(NewString(FromUtf8(name), true), value);
  }
  return PercentFormat(format.string(), NewDict(std::move(named)));
}

Value CenterFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("center", arguments, {"width"});
  const int64_t width = bound[0].is_missing() ? 80 : RequireIndex(bound[0], "width");
  return Pad(SoftStr(input).string(), width, NewAscii(" ").string(), true, true);
}

Value IndentFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("indent", arguments, {"width", "first", "blank"});
  Value indent = bound[0];
  if (!indent.is_string()) {
    indent = Multiply(NewAscii(" "), indent.is_missing() ? Value::Integer(4) : indent);
  }
  const bool first = !bound[1].is_missing() && Truth(bound[1]);
  const bool blank = !bound[2].is_missing() && Truth(bound[2]);
  // The newline at the end makes the lines of an empty text one, as Jinja does.
  const Value source = Add(input, NewAscii("\n"));
  if (!source.is_string()) Raise(ErrorKind::kType, "indent wants a string");
  const Values lines = SplitLines(source.string(), false);
  StringBuilder out;
  for (size_t i = 0; i < lines.size(); ++i) {
    const String& line = lines[i].string();
    if (i > 0) out.Append(U"\n", true);
    const bool indented = i == 0 ? first : blank || !line.text.empty();
    if (indented) out.Append(indent.string());
    out.Append(line);
  }
  return out.Finish(source.string().markup);
}

Value TruncateFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const int64_t length = bound[0].is_missing() ? 255 : RequireIndex(bound[0], "length");
  const bool kill_words = !bound[1].is_missing() && Truth(bound[1]);
  const Value end = ValueOr(bound[2], NewAscii("..."));
  const int64_t leeway =
      bound[3].is_missing() || bound[3].is_none() ? 5 : RequireIndex(bound[3], "leeway");
  const int64_t end_size = static_cast<int64_t>(Length(end));
  if (length < end_size) {
    Raise(ErrorKind::kRuntime, "expected length >= {}, got {}", end_size, length);
  }
  if (leeway < 0) Raise(ErrorKind::kRuntime, "expected leeway >= 0, got {}", leeway);
  if (static_cast<int64_t>(Length(input)) <= length + leeway) return input;
  const String& text = RequireString(input, "truncate");
  size_t kept = static_cast<size_t>(length - end_size);
  if (!kill_words) {
    const size_t space = text.view().substr(0, kept).rfind(U' ');
    if (space != Text::npos) kept = space;
  }
  return Add(SubString(text, 0, kept), end);
}

Value WordWrapFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound =
      Bind("wordwrap", arguments, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  WrapOptions options;
  if (!bound[0].is_missing()) options.width = RequireIndex(bound[0], "width");
  options.break_long_words = bound[1].is_missing() || Truth(bound[1]);
  options.break_on_hyphens = bound[3].is_missing() || Truth(bound[3]);
  const Value separator = bound[2].is_missing() || bound[2].is_none() ? NewAscii("\n") : bound[2];
  if (input.is_undefined()) input.as<Undefined>().Fail();
  Values paragraphs;
  for (const Value& line : SplitLines(RequireString(input, "wordwrap"), false)) {
    const Value lines = NewList(WrapText(line.string(), options));
    paragraphs.push_back(Join(RequireString(separator, "wrapstring"), lines, false));
  }
  return Join(separator.string(), NewList(std::move(paragraphs)), false);
}

Value WordCountFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("wordcount", arguments, 0, 0);
  const Value text = SoftStr(input);
  int64_t count = 0;
  bool inside = false;
  for (const char32_t c : text.string().text) {
    const bool word = IsAlnum(c) || c == '_';
    count += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::Integer(count);
}

Value StringFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("string", arguments, 0, 0);
  return SoftStr(input);
}

Value PrettyFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("pprint", arguments, 0, 0);
  return PrettyFormat(input);
}

Value ToJsonFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound =
      Bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = !bound[0].is_missing() && Truth(bound[0]);
  style.sort_keys = !bound[3].is_missing() && Truth(bound[3]);
  style.lines = !bound[1].is_missing() && !bound[1].is_none();
  if (style.lines) {
    style.indent = bound[1].is_string() ? bound[1] : Multiply(NewAscii(" "), Plus(bound[1]));
  }
  style.item_separator = NewAscii(style.lines ? "," : ", ");
  style.key_separator = NewAscii(": ");
  if (!bound[2].is_missing() && !bound[2].is_none()) {
    const Values separators = ToValues(bound[2]);
    if (separators.size() != 2) Raise(ErrorKind::kValue, "tojson wants two separators");
    style.item_separator = separators[0];
    style.key_separator = separators[1];
    RequireString(style.item_separator, "a separator");
    RequireString(style.key_separator, "a separator");
  }
  return DumpJson(input, style);
}

constexpr FilterEntry kFilters[] = {
    {"capitalize", CaseFilter<Capitalize>},
    {"center", CenterFilter},
    {"format", FormatFilter},
    {"indent", IndentFilter},
    {"lower", CaseFilter<Lower>},
    {"pprint", PrettyFilter},
    {"replace", ReplaceFilter},
    {"string", StringFilter},
    {"title", TitleFilter},
    {"tojson", ToJsonFilter},
    {"trim", TrimFilter},
    {"truncate", TruncateFilter},
    {"upper", CaseFilter<Upper>},
    {"urlize", UrlizeFilter},
    {"wordcount", WordCountFilter},
    {"wordwrap", WordWrapFilter},
};

}  // namespace

FilterTable TextFilters() { return {kFilters, std::size(kFilters)}; }

}  // namespace fathom::jinja
