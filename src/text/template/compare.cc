// Truth, equality, order, hashes and membership of values: Python's rules.
#include <algorithm>
#include <cmath>

#include "text/template/loop.h"
#include "text/template/number.h"
#include "text/template/search.h"
#include "text/template/value.h"

namespace fathom::jinja {

bool Truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.floating() != 0;
    case Kind::kString:
      return !value.string().text.empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.list().items.empty();
    case Kind::kDict:
      return !value.dict().items.empty();
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kLoop:
      return Length(value) != 0;
    default:
      return true;
  }
}

namespace {

bool EqualNumbers(const Value& a, const Value& b) {
  const bool a_float = a.is(Kind::kFloat), b_float = b.is(Kind::kFloat);
  if (a_float && b_float) return a.floating() == b.floating();
  if (!a_float && !b_float) return a.integer() == b.integer();
  const double floating = a_float ? a.floating() : b.floating();
  if (std::isnan(floating)) return false;
  return CompareIntFloat(a_float ? b.integer() : a.integer(), floating) == 0;
}

bool EqualDicts(const Dict& a, const Dict& b) {
  if (a.items.size() != b.items.size()) return false;
  return std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
    const Value* other = b.Find(item.first);
    return other != nullptr && Equal(item.second, *other);
  });
}

bool EqualRanges(const Range& a, const Range& b) {
  const Int size = a.size();
  if (size != b.size()) return false;
  return size == 0 || (a.start == b.start && (size == 1 || a.step == b.step));
}

bool EqualItems(const Values& a, const Values& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), Equal);
}

bool EqualViews(const DictView& a, const DictView& b) {
  if (a.of != b.of || a.of == DictView::Of::kValues) return &a == &b;
  if (a.of == DictView::Of::kItems) return EqualDicts(a.dict.dict(), b.dict.dict());
  const Dict& other = b.dict.dict();
  return a.dict.dict().items.size() == other.items.size() &&
         std::all_of(a.dict.dict().items.begin(), a.dict.dict().items.end(),
                     [&](const auto& item) { return other.Find(item.first) != nullptr; });
}

}  // namespace

bool Equal(const Value& a, const Value& b) {
  Heap::Current().Step();
  if (a.is_number() && b.is_number()) return EqualNumbers(a, b);
  if (a.kind() != b.kind()) return false;
  if (a.object() == b.object() && a.object() != nullptr) return true;
  const Heap::DepthScope depth;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      Heap::Current().StepText(a.string().text.size());
      return a.string().text == b.string().text;
    case Kind::kList:
    case Kind::kTuple:
      return EqualItems(a.list().items, b.list().items);
    case Kind::kDict:
      return EqualDicts(a.dict(), b.dict());
    case Kind::kDictView:
      return EqualViews(a.as<DictView>(), b.as<DictView>());
    case Kind::kRange:
      return EqualRanges(a.as<Range>(), b.as<Range>());
    case Kind::kFunction: {
      const Function &f = a.as<Function>(), &g = b.as<Function>();
      return f.body == g.body && f.self.object() == g.self.object();
    }
    default:
      return false;
  }
}

bool Less(const Value& a, const Value& b, std::string_view op) {
  Heap::Current().Step();
  const Heap::DepthScope depth;
  if (a.is_undefined()) a.as<Undefined>().Fail();
  if (b.is_undefined()) b.as<Undefined>().Fail();
  if (a.is_number() && b.is_number()) {
    const bool a_float = a.is(Kind::kFloat), b_float = b.is(Kind::kFloat);
    if (!a_float && !b_float) return a.integer() < b.integer();
    if (a_float && b_float) return a.floating() < b.floating();
    if (std::isnan(a_float ? a.floating() : b.floating())) return false;
    return a_float ? CompareIntFloat(b.integer(), a.floating()) > 0
                   : CompareIntFloat(a.integer(), b.floating()) < 0;
  }
  if (a.is_string() && b.is_string()) {
    Heap::Current().StepText(a.string().text.size());
    return a.string().text < b.string().text;
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const Values &left = a.list().items, &right = b.list().items;
    for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
      if (!Equal(left[i], right[i])) return Less(left[i], right[i], op);
    }
    return left.size() < right.size();
  }
  Raise(ErrorKind::kType, "'{}' not supported between instances of '{}' and '{}'", op, TypeName(a),
        TypeName(b));
}

size_t Hash(const Value& value) {
  Heap::Current().Step();
  const Heap::DepthScope depth;
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return std::hash<double>()(ToDouble(value));
    case Kind::kString:
      return std::hash<TextView>()(value.string().view());
    case Kind::kTuple: {
      size_t hash = 0x345678;
      for (const Value& item : value.list().items) hash = hash * 1000003 + Hash(item);
      return hash;
    }
    case Kind::kRange:
      return static_cast<size_t>(value.as<Range>().size());
    case Kind::kFunction:
      return reinterpret_cast<size_t>(value.as<Function>().body);
    case Kind::kList:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kSlice:
      Raise(ErrorKind::kType, "unhashable type: '{}'", TypeName(value));
    case Kind::kMissing:
    case Kind::kNone:
    case Kind::kUndefined:
      return static_cast<size_t>(value.kind());
    default:
      return reinterpret_cast<size_t>(value.object());
  }
}

bool IsIn(const Value& needle, const Value& haystack) {
  switch (haystack.kind()) {
    case Kind::kString:
      if (needle.is_undefined() || !needle.is_string()) {
        Raise(ErrorKind::kType, "'in <string>' requires string as left operand, not {}",
              TypeName(needle));
      }
      return Search(haystack.string().view(), needle.string().view()) != Text::npos;
    case Kind::kDict:
      return haystack.dict().Find(needle) != nullptr;
    case Kind::kDictView:
      if (haystack.as<DictView>().of == DictView::Of::kKeys) {
        return haystack.as<DictView>().dict.dict().Find(needle) != nullptr;
      }
      break;
    case Kind::kRange: {
      if (!needle.is_number()) return false;
      const Range& range = haystack.as<Range>();
      if (needle.is(Kind::kFloat) && needle.floating() != std::floor(needle.floating())) {
        return false;
      }
      const Int value =
          needle.is(Kind::kFloat) ? TruncateToInt(needle.floating()) : needle.integer();
      Int offset = 0;
      if (__builtin_sub_overflow(value, range.start, &offset)) return false;
      return offset % range.step == 0 && offset / range.step >= 0 &&
             offset / range.step < range.size();
    }
    default:
      break;
  }
  Ref<Iterator> items = Iterate(haystack);
  Value item;
  while (items->Next(item)) {
    if (Equal(item, needle)) return true;
  }
  return false;
}

size_t Length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return value.string().text.size();
    case Kind::kList:
    case Kind::kTuple:
      return value.list().items.size();
    case Kind::kDict:
      return value.dict().items.size();
    case Kind::kDictView:
      return value.as<DictView>().dict.dict().items.size();
    case Kind::kRange:
      return static_cast<size_t>(value.as<Range>().size());
    case Kind::kLoop:
      return value.as<Loop>().Size();
    default:
      Raise(ErrorKind::kType, "object of type '{}' has no len()", TypeName(value));
  }
}

}  // namespace fathom::jinja
