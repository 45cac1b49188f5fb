#include "text/template/json_text.h"

#include <algorithm>
#include <cmath>

#include "text/template/number.h"

namespace fathom::jinja {
namespace {

class Dumper {
 public:
  explicit Dumper(const JsonStyle& style) : style_(style) {}

  void Dump(const Value& value, int level) {
    Heap::Current().Step();
    const Heap::DepthScope depth;
    switch (value.kind()) {
      case Kind::kNone:
        return Ascii("null");
      case Kind::kBool:
        return Ascii(value.boolean() ? "true" : "false");
      case Kind::kInt:
        return Ascii(IntText(value.integer()));
      case Kind::kFloat:
        return Ascii(FloatText(value.floating()));
      case Kind::kString:
        return DumpString(value.string());
      case Kind::kList:
      case Kind::kTuple:
        return DumpList(value.list().items, level);
      case Kind::kDict:
        return DumpDict(value.dict(), level);
      default:
        Raise(ErrorKind::kType, "Object of type {} is not JSON serializable", TypeName(value));
    }
  }

  Value Finish() {
    // Text from outside may end inside a trusted piece of ours, and a cut token is still a token:
    // what holds a string from outside is from outside as a whole.
    return trusted_ ? out_.Finish() : NewString(out_.text(), false);
  }

 private:
  void Ascii(std::string_view text) { out_.Append(FromAscii(text), true); }

  static std::string FloatText(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return FloatRepr(value);
  }

  void DumpString(const String& string) {
    trusted_ = trusted_ && string.trusted();
    Text text = U"\"";
    Heap::Current().StepText(string.text.size());
    const Charged room(string.text.size() * 4);
    for (const char32_t c : string.text) {
      switch (c) {
        case '"':
          text += U"\\\"";
          continue;
        case '\\':
          text += U"\\\\";
          continue;
        case '\n':
          text += U"\\n";
          continue;
        case '\r':
          text += U"\\r";
          continue;
        case '\t':
          text += U"\\t";
          continue;
        case '\f':
          text += U"\\f";
          continue;
        case '\b':
          text += U"\\b";
          continue;
        default:
          break;
      }
      if (c < 0x20 || (style_.ensure_ascii && c > 0x7E)) {
        AppendEscape(c, text);
      } else {
        text += c;
      }
    }
    text += U'"';
    out_.Append(text, true);
  }

  static void AppendEscape(char32_t c, Text& text) {
    if (c < 0x10000) {
      text += FromAscii(fmt::format("\\u{:04x}", static_cast<unsigned>(c)));
    } else {
      const unsigned rest = c - 0x10000;
      text += FromAscii(
          fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF)));
    }
  }

  void NewLine(int level) {
    if (!style_.lines) return;
    Ascii("\n");
    for (int i = 0; i < level; ++i) out_.Append(style_.indent.string());
  }

  void DumpList(const Values& items, int level) {
    if (items.empty()) return Ascii("[]");
    Ascii("[");
    bool first = true;
    for (const Value& item : items) {
      if (!first) out_.Append(style_.item_separator.string());
      first = false;
      NewLine(level + 1);
      Dump(item, level + 1);
    }
    NewLine(level);
    Ascii("]");
  }

  void DumpKey(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return DumpString(key.string());
      case Kind::kNone:
        return Ascii("\"null\"");
      case Kind::kBool:
        return Ascii(key.boolean() ? "\"true\"" : "\"false\"");
      case Kind::kInt:
        return Ascii(fmt::format("\"{}\"", IntText(key.integer())));
      case Kind::kFloat:
        return Ascii(fmt::format("\"{}\"", FloatText(key.floating())));
      default:
        Raise(ErrorKind::kType, "keys must be str, int, float, bool or None, not {}",
              TypeName(key));
    }
  }

  void DumpDict(const Dict& dict, int level) {
    if (dict.items.empty()) return Ascii("{}");
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(),
                       [](const auto* a, const auto* b) { return Less(a->first, b->first); });
    }
    Ascii("{");
    bool first = true;
    for (const auto* item : items) {
      if (!first) out_.Append(style_.item_separator.string());
      first = false;
      NewLine(level + 1);
      DumpKey(item->first);
      out_.Append(style_.key_separator.string());
      Dump(item->second, level + 1);
    }
    NewLine(level);
    Ascii("}");
  }

  const JsonStyle& style_;
  StringBuilder out_;
  bool trusted_ = true;
};

}  // namespace

Value DumpJson(const Value& value, const JsonStyle& style) {
  Dumper dumper(style);
  dumper.Dump(value, 0);
  return dumper.Finish();
}

}  // namespace fathom::jinja
