#include "text/template/string_functions.h"

#include <algorithm>

#include "text/template/html.h"
#include "text/template/search.h"

namespace fathom::jinja {

Value Strip(const String& text, const Value& chars, bool left, bool right) {
  const bool space = chars.is_missing() || chars.is_none();
  const TextView set = space ? TextView() : RequireString(chars, "strip arg").view();
  const auto strips = [&](char32_t c) {
    if (space) return IsSpace(c);
    Heap::Current().StepText(set.size());
    return set.find(c) != TextView::npos;
  };
  size_t begin = 0, end = text.text.size();
  while (left && begin < end && strips(text.text[begin])) ++begin;
  while (right && end > begin && strips(text.text[end - 1])) --end;
  return SubString(text, begin, end);
}

Value Replace(const String& text, const String& from, const String& to, int64_t count) {
  StringBuilder out;
  const size_t size = text.text.size();
  if (from.text.empty()) {
    // Between all code points, and at both ends.
    for (size_t i = 0; i <= size; ++i) {
      if (count < 0 || static_cast<int64_t>(i) < count) out.Append(to);
      if (i < size) out.AppendSlice(text, i, i + 1);
    }
    return out.Finish(text.markup);
  }
  const Searcher searcher(from.view());
  size_t at = 0;
  for (int64_t done = 0; count < 0 || done < count; ++done) {
    const size_t found = searcher.Find(text.view(), at);
    if (found == TextView::npos) break;
    out.AppendSlice(text, at, found);
    out.Append(to);
    at = found + from.text.size();
  }
  out.AppendSlice(text, at, size);
  return out.Finish(text.markup);
}

namespace {

// The line ends of str.splitlines.
bool IsLineEnd(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

Values SplitLines(const String& text, bool keep_ends) {
  Values lines;
  const size_t size = text.text.size();
  for (size_t at = 0; at < size;) {
    size_t end = at;
    while (end < size && !IsLineEnd(text.text[end])) ++end;
    size_t next = end;
    if (end < size) {
      next = end + 1;
      if (text.text[end] == '\r' && next < size && text.text[next] == '\n') ++next;
    }
    lines.push_back(SubString(text, at, keep_ends ? next : end));
    at = next;
  }
  return lines;
}

Values SplitOnSpace(const String& text, int64_t most) {
  Values parts;
  const size_t size = text.text.size();
  size_t at = 0;
  for (;;) {
    while (at < size && IsSpace(text.text[at])) ++at;
    if (at == size) return parts;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(SubString(text, at, size));
      return parts;
    }
    size_t end = at;
    while (end < size && !IsSpace(text.text[end])) ++end;
    parts.push_back(SubString(text, at, end));
    at = end;
  }
}

namespace {

void AppendFill(const String& fill, int64_t count, StringBuilder& out) {
  if (count <= 0) return;
  const Charged whole(static_cast<size_t>(std::min<int64_t>(count, int64_t{1} << 40)) * 4);
  const bool trusted = fill.trusted();
  out.Append(Text(static_cast<size_t>(count), fill.text[0]), trusted);
}

}  // namespace

Value Pad(const String& text, int64_t width, const String& fill, bool before, bool after) {
  if (fill.text.size() != 1) {
    Raise(ErrorKind::kType, "The fill character must be exactly one character long");
  }
  const int64_t size = static_cast<int64_t>(text.text.size());
  const int64_t pad = std::max<int64_t>(0, width - size);
  // CPython's str.center puts the odd one before where the width is odd.
  const int64_t front = before && after ? pad / 2 + (pad & width & 1) : before ? pad : 0;
  StringBuilder out;
  AppendFill(fill, front, out);
  out.Append(text);
  AppendFill(fill, pad - front, out);
  return out.Finish(text.markup);
}

Value Join(const String& separator, const Value& items, bool convert) {
  StringBuilder out;
  const Ref<Iterator> iterator = Iterate(items);
  Value item;
  for (bool first = true; iterator->Next(item); first = false) {
    if (!first) out.Append(separator);
    if (separator.markup) {
      out.Append(EscapeHtml(item).string());
    } else if (convert) {
      AppendStr(item, out);
    } else {
      out.Append(RequireString(item, "sequence item"));
    }
  }
  return out.Finish(separator.markup);
}

}  // namespace fathom::jinja
