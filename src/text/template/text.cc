// str(value) and repr(value).
#include "text/template/loop.h"
#include "text/template/macro.h"
#include "text/template/number.h"
#include "text/template/value.h"

namespace fathom::jinja {
namespace {

void AppendAscii(std::string_view text, StringBuilder& out) { out.Append(FromAscii(text), true); }

// A code point of a repr; empty where it stands for itself.
std::string EscapeForRepr(char32_t c, char32_t quote) {
  switch (c) {
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (c == quote) return std::string("\\") + static_cast<char>(c);
  if (c >= ' ' && c < 0x7F) return {};
  if (c < 0x80 || !Contains(kPrintable, c)) {
    const unsigned code = c;
    if (code < 0x100) return fmt::format("\\x{:02x}", code);
    return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
  }
  return {};
}

void AppendStringRepr(const String& string, StringBuilder& out) {
  const TextView text = string.view();
  const bool double_quoted = text.find(U'\'') != Text::npos && text.find(U'"') == Text::npos;
  const char32_t quote = double_quoted ? '"' : '\'';
  if (string.markup) AppendAscii("Markup(", out);
  out.Append(TextView(&quote, 1), true);
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string escaped = EscapeForRepr(text[i], quote);
    if (escaped.empty()) continue;
    out.AppendSlice(string, plain, i);
    out.Append(FromAscii(escaped), string.runs[string.RunAt(i)].trusted);
    plain = i + 1;
  }
  out.AppendSlice(string, plain, text.size());
  out.Append(TextView(&quote, 1), true);
  if (string.markup) AppendAscii(")", out);
}

void AppendItems(const Values& items, StringBuilder& out) {
  bool first = true;
  for (const Value& item : items) {
    if (!first) AppendAscii(", ", out);
    first = false;
    AppendRepr(item, out);
  }
}

void AppendDictRepr(const Dict& dict, StringBuilder& out) {
  AppendAscii("{", out);
  bool first = true;
  for (const auto& [key, value] : dict.items) {
    if (!first) AppendAscii(", ", out);
    first = false;
    AppendRepr(key, out);
    AppendAscii(": ", out);
    AppendRepr(value, out);
  }
  AppendAscii("}", out);
}

void AppendViewRepr(const Value& value, StringBuilder& out) {
  AppendAscii(TypeName(value), out);
  AppendAscii("([", out);
  AppendItems(ToValues(value), out);
  AppendAscii("])", out);
}

std::string RangeRepr(const Range& range) {
  const std::string ends = IntText(range.start) + ", " + IntText(range.stop);
  return range.step == 1 ? "range(" + ends + ")"
                         : "range(" + ends + ", " + IntText(range.step) + ")";
}

void AppendObjectRepr(const Value& value, StringBuilder& out) {
  switch (value.kind()) {
    case Kind::kMacro: {
      const Macro& macro = value.as<Macro>();
      AppendAscii("<Macro ", out);
      if (macro.name().empty()) {
        AppendAscii("anonymous", out);
      } else {
        AppendRepr(NewString(macro.name(), true), out);
      }
      return AppendAscii(">", out);
    }
    case Kind::kLoop: {
      Loop& loop = value.as<Loop>();
      return AppendAscii(fmt::format("<LoopContext {}/{}>", loop.index0() + 1, loop.Size()), out);
    }
    case Kind::kNamespace:
      AppendAscii("<Namespace ", out);
      if (value.as<Namespace>().attributes) AppendDictRepr(*value.as<Namespace>().attributes, out);
      return AppendAscii(">", out);
    case Kind::kFunction:
      return AppendAscii(fmt::format("<function {}>", value.as<Function>().name), out);
    default:
      return AppendAscii(fmt::format("<{} object>", TypeName(value)), out);
  }
}

}  // namespace

void AppendRepr(const Value& value, StringBuilder& out) {
  Heap::Current().Step();
  const Heap::DepthScope depth;
  switch (value.kind()) {
    case Kind::kMissing:
      return AppendAscii("missing", out);
    case Kind::kUndefined:
      return AppendAscii("Undefined", out);
    case Kind::kNone:
      return AppendAscii("None", out);
    case Kind::kBool:
      return AppendAscii(value.boolean() ? "True" : "False", out);
    case Kind::kInt:
      return AppendAscii(IntText(value.integer()), out);
    case Kind::kFloat:
      return AppendAscii(FloatRepr(value.floating()), out);
    case Kind::kString:
      return AppendStringRepr(value.string(), out);
    case Kind::kList:
      AppendAscii("[", out);
      AppendItems(value.list().items, out);
      return AppendAscii("]", out);
    case Kind::kTuple:
      AppendAscii("(", out);
      AppendItems(value.list().items, out);
      return AppendAscii(value.list().items.size() == 1 ? ",)" : ")", out);
    case Kind::kDict:
      return AppendDictRepr(value.dict(), out);
    case Kind::kDictView:
      return AppendViewRepr(value, out);
    case Kind::kRange:
      return AppendAscii(RangeRepr(value.as<Range>()), out);
    default:
      return AppendObjectRepr(value, out);
  }
}

void AppendStr(const Value& value, StringBuilder& out) {
  if (value.is_string()) {
    out.Append(value.string());
  } else if (!value.is_undefined()) {
    AppendRepr(value, out);
  }
}

Value Str(const Value& value) {
  if (value.is_string() && !value.string().markup) return value;
  StringBuilder builder;
  AppendStr(value, builder);
  return builder.Finish();
}

Value SoftStr(const Value& value) { return value.is_string() ? value : Str(value); }

std::string DescribeForError(const Value& value) {
  if (value.is_string() && value.string().text.size() > 200) return "a long string";
  if (value.is_sequence() || value.is(Kind::kDict) || value.is(Kind::kDictView)) {
    return std::string(TypeName(value));
  }
  StringBuilder builder;
  AppendRepr(value, builder);
  return ToUtf8(builder.text());
}

}  // namespace fathom::jinja
