#include "text/template/html.h"

#include <algorithm>

#include "text/template/arguments.h"
#include "text/template/filters.h"
#include "text/template/html_entities.h"
#include "text/template/interpreter.h"
#include "text/template/search.h"
#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

TextView Escaped(char32_t c) {
  switch (c) {
    case '&':
      return U"&amp;";
    case '<':
      return U"&lt;";
    case '>':
      return U"&gt;";
    case '\'':
      return U"&#39;";
    case '"':
      return U"&#34;";
    default:
      return {};
  }
}

}  // namespace

Value EscapeHtml(const Value& value) {
  const Value text = SoftStr(value);
  const String& string = text.string();
  if (string.markup) return text;
  StringBuilder out;
  size_t plain = 0;
  for (size_t i = 0; i < string.text.size(); ++i) {
    const TextView escaped = Escaped(string.text[i]);
    if (escaped.empty()) continue;
    out.AppendSlice(string, plain, i);
    out.Append(escaped, string.runs[string.RunAt(i)].trusted);
    plain = i + 1;
  }
  out.AppendSlice(string, plain, string.text.size());
  return out.Finish(true);
}

Value MarkSafe(const Value& value) {
  StringBuilder out;
  AppendStr(value, out);
  return out.Finish(true);
}

// markupsafe's Markup.striptags: tags and comments out, spaces collapsed, entities read.
Value StripTags(const Value& value) {
  const Value source = Str(value);
  const String& text = source.string();
  StringBuilder kept;
  size_t at = 0;
  for (;;) {
    const size_t start = Search(text.view(), U"<", at);
    if (start == Text::npos) break;
    const bool comment = text.view().substr(start, 4) == U"<!--";
    const TextView close = comment ? U"-->" : U">";
    const size_t end = Search(text.view(), close, comment ? start + 4 : start);
    if (end == Text::npos) break;
    kept.AppendSlice(text, at, start);
    at = end + close.size();
  }
  kept.AppendSlice(text, at, text.text.size());
  const Value joined =
      Join(NewAscii(" ").string(), NewList(SplitOnSpace(kept.Finish().string(), -1)), false);
  const String& plain = joined.string();
  return NewString(UnescapeHtml(plain.view()), plain.trusted());
}

namespace {

Value EscapeFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("escape", arguments, 0, 0);
  return EscapeHtml(input);
}

Value ForceEscapeFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("forceescape", arguments, 0, 0);
  return EscapeHtml(Str(input));
}

Value SafeFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("safe", arguments, 0, 0);
  return MarkSafe(input);
}

Value StripTagsFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("striptags", arguments, 0, 0);
  return StripTags(input);
}

Value XmlAttrFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("xmlattr", arguments, {"autospace"});
  if (input.is_undefined()) input.as<Undefined>().Fail();
  if (!input.is(Kind::kDict)) {
    Raise(ErrorKind::kAttribute, "'{}' object has no attribute 'items'", TypeName(input));
  }
  StringBuilder out;
  const bool space = bound[0].is_missing() || Truth(bound[0]);
  bool first = true;
  for (const auto& [key, value] : input.dict().items) {
    if (value.is_none() || value.is_undefined()) continue;
    const TextView name = RequireString(key, "an attribute name").view();
    if (name.find_first_of(U" \t\n\r\f\v/>=") != TextView::npos) {
      Raise(ErrorKind::kValue, "Invalid character in attribute name: {}", DescribeForError(key));
    }
    if (!first || space) out.Append(U" ", true);
    first = false;
    out.Append(EscapeHtml(key).string());
    out.Append(U"=\"", true);
    out.Append(EscapeHtml(value).string());
    out.Append(U"\"", true);
  }
  return out.Finish(interpreter.autoescape());
}

// urllib.parse.quote over UTF-8.
void AppendQuoted(const Value& value, bool query, StringBuilder& out) {
  const Value source = SoftStr(value);
  const String& text = source.string();
  for (size_t i = 0; i < text.text.size(); ++i) {
    const char32_t c = text.text[i];
    const bool plain = c < 0x80 && (IsAlnum(c) || c == '_' || c == '.' || c == '-' || c == '~' ||
                                    (c == '/' && !query));
    if (plain) {
      out.AppendSlice(text, i, i + 1);
      continue;
    }
    const bool trusted = text.runs[text.RunAt(i)].trusted;
    if (c == ' ' && query) {
      out.Append(U"+", trusted);
      continue;
    }
    for (const char byte : ToUtf8(TextView(&c, 1))) {
      out.Append(FromAscii(fmt::format("%{:02X}", static_cast<unsigned char>(byte))), trusted);
    }
  }
}

bool CanIterate(const Value& value) {
  try {
    Iterate(value);
    return true;
  } catch (const Error& error) {
    if (error.kind != ErrorKind::kType) throw;
    return false;
  }
}

Value UrlEncodeFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("urlencode", arguments, 0, 0);
  StringBuilder out;
  if (input.is_string() || !CanIterate(input)) {
    AppendQuoted(input, false, out);
    return out.Finish();
  }
  const Value pairs = input.is(Kind::kDict)
                          ? Value::Of(Kind::kDictView, New<DictView>(input, DictView::Of::kItems))
                          : input;
  const Ref<Iterator> items = Iterate(pairs);
  Value item;
  for (bool first = true; items->Next(item); first = false) {
    const Values pair = ToValues(item);
    if (pair.size() != 2) Raise(ErrorKind::kValue, "urlencode wants pairs of a key and a value");
    if (!first) out.Append(U"&", true);
    AppendQuoted(pair[0], true, out);
    out.Append(U"=", true);
    AppendQuoted(pair[1], true, out);
  }
  return out.Finish();
}

constexpr FilterEntry kFilters[] = {
    {"e", EscapeFilter},        {"escape", EscapeFilter},       {"forceescape", ForceEscapeFilter},
    {"safe", SafeFilter},       {"striptags", StripTagsFilter}, {"urlencode", UrlEncodeFilter},
    {"xmlattr", XmlAttrFilter},
};

}  // namespace

FilterTable HtmlFilters() { return {kFilters, std::size(kFilters)}; }

}  // namespace fathom::jinja
