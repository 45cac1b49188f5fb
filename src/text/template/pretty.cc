#include "text/template/pretty.h"

#include <algorithm>

#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

constexpr int64_t kWidth = 80;

using Item = std::pair<Value, Value>;

// pprint's order of keys: Python's, and by the name of the type where Python has none.
bool KeyBefore(const Value& a, const Value& b) {
  try {
    return Less(a, b);
  } catch (const Error& error) {
    if (error.kind != ErrorKind::kType && error.kind != ErrorKind::kUndefined) throw;
    return TypeName(a) < TypeName(b);
  }
}

std::vector<Item> SortedItems(const Dict& dict) {
  std::vector<Item> items = dict.items;
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return KeyBefore(a.first, b.first); });
  return items;
}

class Printer {
 public:
  void Format(const Value& value, int64_t indent, int64_t allowance, int level) {
    const Heap::DepthScope depth;
    StringBuilder whole;
    Repr(value, whole);
    if (static_cast<int64_t>(whole.size()) > kWidth - indent - allowance) {
      switch (value.kind()) {
        case Kind::kDict:
          return FormatDict(value.dict(), indent, allowance + 1, level + 1);
        case Kind::kList:
          Ascii("[");
          FormatItems(value.list().items, indent, allowance + 1, level + 1);
          return Ascii("]");
        case Kind::kTuple: {
          const bool one = value.list().items.size() == 1;
          Ascii("(");
          FormatItems(value.list().items, indent, allowance + (one ? 2 : 1), level + 1);
          return Ascii(one ? ",)" : ")");
        }
        case Kind::kString:
          if (!value.string().markup) {
            return FormatString(value.string(), indent, allowance, level + 1);
          }
          break;
        default:
          break;
      }
    }
    out_.Append(whole);
  }

  Value Finish() { return out_.Finish(); }

 private:
  void Ascii(std::string_view text) { out_.Append(FromAscii(text), true); }
  void NewLine(int64_t indent) {
    out_.Append(U"\n", true);
    out_.Append(Text(static_cast<size_t>(indent), U' '), true);
  }

  // repr() with the keys of dicts in order.
  static void Repr(const Value& value, StringBuilder& out) {
    const Heap::DepthScope depth;
    const auto list = [&](const Values& items, TextView open, TextView close) {
      out.Append(open, true);
      for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out.Append(U", ", true);
        Repr(items[i], out);
      }
      out.Append(close, true);
    };
    if (value.is(Kind::kDict)) {
      out.Append(U"{", true);
      bool first = true;
      for (const Item& item : SortedItems(value.dict())) {
        if (!first) out.Append(U", ", true);
        first = false;
        Repr(item.first, out);
        out.Append(U": ", true);
        Repr(item.second, out);
      }
      out.Append(U"}", true);
    } else if (value.is(Kind::kList)) {
      list(value.list().items, U"[", U"]");
    } else if (value.is(Kind::kTuple)) {
      list(value.list().items, U"(", value.list().items.size() == 1 ? U",)" : U")");
    } else {
      AppendRepr(value, out);
    }
  }

  void FormatDict(const Dict& dict, int64_t indent, int64_t allowance, int level) {
    Ascii("{");
    const std::vector<Item> items = SortedItems(dict);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) {
        Ascii(",");
        NewLine(indent + 1);
      }
      StringBuilder key;
      Repr(items[i].first, key);
      out_.Append(key);
      Ascii(": ");
      Format(items[i].second, indent + 1 + static_cast<int64_t>(key.size()) + 2,
             i + 1 == items.size() ? allowance : 1, level);
    }
    Ascii("}");
  }

  void FormatItems(const Values& items, int64_t indent, int64_t allowance, int level) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) {
        Ascii(",");
        NewLine(indent + 1);
      }
      Format(items[i], indent + 1, i + 1 == items.size() ? allowance : 1, level);
    }
  }

  // A long text as several constants, broken at its lines and spaces.
  void FormatString(const String& text, int64_t indent, int64_t allowance, int level) {
    const Values lines = SplitLines(text, true);
    if (level == 1) ++indent, ++allowance;
    std::vector<StringBuilder> chunks;
    const auto repr = [](const Value& value) {
      StringBuilder out;
      AppendRepr(value, out);
      return out;
    };
    for (size_t i = 0; i < lines.size(); ++i) {
      const bool last = i + 1 == lines.size();
      StringBuilder whole = repr(lines[i]);
      if (static_cast<int64_t>(whole.size()) <= kWidth - indent - (last ? allowance : 0)) {
        chunks.push_back(std::move(whole));
        continue;
      }
      const String& line = lines[i].string();
      size_t begin = 0, end = 0;
      while (end < line.text.size()) {
        size_t part = end;
        while (part < line.text.size() && !IsSpace(line.text[part])) ++part;
        while (part < line.text.size() && IsSpace(line.text[part])) ++part;
        const int64_t room = kWidth - indent - (last && part == line.text.size() ? allowance : 0);
        const int64_t size = static_cast<int64_t>(repr(SubString(line, begin, part)).size());
        if (size > room && end > begin) {
          chunks.push_back(repr(SubString(line, begin, end)));
          begin = end;
        }
        end = part;
      }
      if (end > begin) chunks.push_back(repr(SubString(line, begin, end)));
    }
    if (chunks.size() == 1) return out_.Append(repr(lines.back()));
    if (level == 1) Ascii("(");
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (i > 0) NewLine(indent);
      out_.Append(chunks[i]);
    }
    if (level == 1) Ascii(")");
  }

  StringBuilder out_;
};

}  // namespace

Value PrettyFormat(const Value& value) {
  Printer printer;
  printer.Format(value, 0, 0, 0);
  return printer.Finish();
}

}  // namespace fathom::jinja
