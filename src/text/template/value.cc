#include "text/template/value.h"

#include <algorithm>

#include "text/template/number.h"

namespace fathom::jinja {

size_t String::RunAt(size_t at) const {
  return std::upper_bound(runs.begin(), runs.end(), at,
                          [](size_t offset, const Run& run) { return offset < run.end; }) -
         runs.begin();
}

void StringBuilder::Append(TextView text, bool trusted) {
  if (text.empty()) return;
  charged_.Add(text.size() * sizeof(char32_t));
  Heap::Current().StepText(text.size());
  text_ += text;
  if (!runs_.empty() && runs_.back().trusted == trusted) {
    runs_.back().end = text_.size();
  } else {
    charged_.Add(sizeof(Run));
    runs_.push_back({text_.size(), trusted});
  }
}

void StringBuilder::AppendSlice(const String& text, size_t begin, size_t end) {
  if (begin >= end) return;
  for (size_t run = text.RunAt(begin); begin < end; ++run) {
    const size_t stop = std::min(end, text.runs[run].end);
    Append(text.view().substr(begin, stop - begin), text.runs[run].trusted);
    begin = stop;
  }
}

void StringBuilder::Append(const StringBuilder& other) {
  size_t begin = 0;
  for (const Run& run : other.runs_) {
    Append(TextView(other.text_).substr(begin, run.end - begin), run.trusted);
    begin = run.end;
  }
}

Value StringBuilder::Finish(bool markup) {
  Ref<String> string = New<String>();
  string->text = std::move(text_);
  string->runs = std::move(runs_);
  string->markup = markup;
  string->charged = std::move(charged_);
  return Value::Of(Kind::kString, std::move(string));
}

Value NewString(TextView text, bool trusted, bool markup) {
  StringBuilder builder;
  builder.Append(text, trusted);
  return builder.Finish(markup);
}

Value NewAscii(std::string_view text) { return NewString(FromAscii(text), true); }

Value SubString(const String& text, size_t begin, size_t end) {
  StringBuilder builder;
  builder.AppendSlice(text, begin, end);
  return builder.Finish(text.markup);
}

Value NewDerived(TextView text, const String& source) {
  return NewString(text, source.trusted(), source.markup);
}

Value NewList(Values items) { return Value::Of(Kind::kList, New<List>(std::move(items))); }

Value NewTuple(Values items) { return Value::Of(Kind::kTuple, New<List>(std::move(items))); }

namespace {
constexpr size_t kNoPosition = static_cast<size_t>(-1);
constexpr size_t kSmallDict = 8;

size_t HashText(TextView text) { return std::hash<TextView>()(text); }
}  // namespace

const Value* Dict::Find(TextView key) const {
  if (items.size() <= kSmallDict) {
    for (const auto& [name, value] : items) {
      if (name.is_string() && name.string().view() == key) return &value;
    }
    return nullptr;
  }
  const auto [begin, end] = index_.equal_range(HashText(key));
  for (auto it = begin; it != end; ++it) {
    const Value& name = items[it->second].first;
    if (name.is_string() && name.string().view() == key) return &items[it->second].second;
  }
  return nullptr;
}

size_t Dict::Locate(const Value& key, size_t hash) const {
  if (items.size() <= kSmallDict) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (Equal(items[i].first, key)) return i;
    }
    return kNoPosition;
  }
  const auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (Equal(items[it->second].first, key)) return it->second;
  }
  return kNoPosition;
}

const Value* Dict::Find(const Value& key) const {
  const size_t at = Locate(key, Hash(key));
  return at == kNoPosition ? nullptr : &items[at].second;
}

void Dict::Set(const Value& key, Value value) {
  const size_t hash = Hash(key);
  const size_t at = Locate(key, hash);
  if (at != kNoPosition) {
    items[at].second = std::move(value);
    return;
  }
  charged_.Add(2 * sizeof(Value) + 4 * sizeof(size_t));
  items.emplace_back(key, std::move(value));
  if (items.size() == kSmallDict + 1) {
    for (size_t i = 0; i < items.size(); ++i) index_.emplace(Hash(items[i].first), i);
  } else if (items.size() > kSmallDict) {
    index_.emplace(hash, items.size() - 1);
  }
}

Int Range::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

std::string Undefined::Message() const {
  const auto repr = [](TextView text) {
    StringBuilder builder;
    AppendRepr(NewString(text, true), builder);
    return ToUtf8(builder.text());
  };
  switch (why) {
    case Why::kName:
      return repr(name) + " is undefined";
    case Why::kAttribute:
      return "'" + type + "' has no attribute " + repr(name);
    case Why::kElement:
      return type + " has no element " + ToUtf8(name);
    case Why::kHint:
      return ToUtf8(name);
  }
  return {};
}

namespace {

std::string ObjectTypeForMessage(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      return "None";
    case Kind::kMacro:
      return "jinja2.runtime.Macro object";
    case Kind::kLoop:
      return "jinja2.runtime.LoopContext object";
    case Kind::kCycler:
      return "jinja2.utils.Cycler object";
    case Kind::kJoiner:
      return "jinja2.utils.Joiner object";
    default:
      return std::string(TypeName(value)) + " object";
  }
}

Value MakeUndefined(Undefined::Why why, Text name, std::string type = {}) {
  Ref<Undefined> undefined = New<Undefined>();
  undefined->why = why;
  undefined->name = std::move(name);
  undefined->type = std::move(type);
  return Value::Of(Kind::kUndefined, std::move(undefined));
}

}  // namespace

Value UndefinedName(TextView name) { return MakeUndefined(Undefined::Why::kName, Text(name)); }

Value UndefinedAttribute(const Value& object, const Value& name) {
  if (name.is_string()) {
    return MakeUndefined(Undefined::Why::kAttribute, name.string().text.substr(0, 200),
                         ObjectTypeForMessage(object));
  }
  return MakeUndefined(Undefined::Why::kElement, FromUtf8(DescribeForError(name)),
                       ObjectTypeForMessage(object));
}

Value UndefinedHint(std::string_view hint) {
  return MakeUndefined(Undefined::Why::kHint, FromUtf8(hint));
}

Value NewIterator(Ref<Iterator> iterator) {
  return Value::Of(Kind::kIterator, std::move(iterator));
}

Value Arguments::TakeKeyword(std::string_view name) {
  for (auto it = keyword.begin(); it != keyword.end(); ++it) {
    if (it->first != name) continue;
    Value value = std::move(it->second);
    keyword.erase(it);
    return value;
  }
  return Value::Missing();
}

Value NewFunction(std::string_view name, Value self, Function::Body body) {
  return Value::Of(Kind::kFunction, New<Function>(name, std::move(self), body));
}

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
      return "_MissingType";
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.string().markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kDictView:
      switch (value.as<DictView>().of) {
        case DictView::Of::kKeys:
          return "dict_keys";
        case DictView::Of::kValues:
          return "dict_values";
        case DictView::Of::kItems:
          return "dict_items";
      }
      return "";
    case Kind::kRange:
      return "range";
    case Kind::kSlice:
      return "slice";
    case Kind::kIterator:
      return "generator";
    case Kind::kFunction:
      return "function";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
    case Kind::kBlock:
      return "BlockReference";
    case Kind::kSelf:
      return "TemplateReference";
  }
  return "";
}

const String& RequireString(const Value& value, std::string_view what) {
  if (value.is_undefined()) {
    Raise(ErrorKind::kType, "{} must be str, not Undefined", what);
  }
  if (!value.is_string()) Raise(ErrorKind::kType, "{} must be str, not {}", what, TypeName(value));
  return value.string();
}

Int RequireInt(const Value& value, std::string_view what) {
  if (!value.is_integer()) {
    Raise(ErrorKind::kType, "{} must be an integer, not {}", what, TypeName(value));
  }
  return value.integer();
}

int64_t RequireIndex(const Value& value, std::string_view what) {
  constexpr Int kMost = Int{1} << 62;
  return static_cast<int64_t>(std::clamp(RequireInt(value, what), -kMost, kMost));
}

}  // namespace fathom::jinja
