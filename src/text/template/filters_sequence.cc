// Filters over sequences: order, groups, parts, sums.
#include <algorithm>
#include <random>

#include "text/template/arguments.h"
#include "text/template/filters.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"
#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

Value ListFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("list", arguments, 0, 0);
  return NewList(ToValues(input));
}

Value LengthFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("length", arguments, 0, 0);
  return Value::Integer(static_cast<int64_t>(Length(input)));
}

Value FirstFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("first", arguments, 0, 0);
  Value item;
  if (Iterate(input)->Next(item)) return item;
  return UndefinedHint("No first item, sequence was empty.");
}

// reversed(value): kType for what has no order of its own.
class ReverseIterator final : public Iterator {
 public:
  explicit ReverseIterator(Values items) : items_(NewList(std::move(items))) {
    left_ = items_.list().items.size();
  }
  bool Next(Value& item) override {
    if (left_ == 0) return false;
    Heap::Current().Step();
    item = items_.list().items[--left_];
    return true;
  }

 private:
  Value items_;
  size_t left_;
};

bool CanReverse(const Value& value) {
  return value.is_string() || value.is_sequence() || value.is(Kind::kDict) ||
         value.is(Kind::kDictView) || value.is(Kind::kRange) || value.is_undefined();
}

Ref<Iterator> Reversed(const Value& value) {
  if (!CanReverse(value)) {
    Raise(ErrorKind::kType, "'{}' object is not reversible", TypeName(value));
  }
  Values items = ToValues(value);
  // By index, the code points of markup are markup.
  if (value.is_string() && value.string().markup) {
    for (Value& item : items) item = MarkSafe(item);
  }
  return New<ReverseIterator>(std::move(items));
}

Value LastFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("last", arguments, 0, 0);
  Value item;
  if (input.is_sequence() && !input.list().items.empty()) return input.list().items.back();
  if (Reversed(input)->Next(item)) return item;
  return UndefinedHint("No last item, sequence was empty.");
}

Value ReverseFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("reverse", arguments, 0, 0);
  if (input.is_string()) {
    return SliceValue(input, Value::None(), Value::None(), Value::Integer(-1));
  }
  if (CanReverse(input)) return NewIterator(Reversed(input));
  Values items = ToValues(input);
  std::reverse(items.begin(), items.end());
  return NewList(std::move(items));
}

Value RandomFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("random", arguments, 0, 0);
  if (!input.is_string() && !input.is_sequence() && !input.is(Kind::kRange)) Length(input);
  const Values items = ToValues(input);
  if (items.empty()) return UndefinedHint("No random item, sequence was empty.");
  std::random_device device;
  return items[std::uniform_int_distribution<size_t>(0, items.size() - 1)(device)];
}

Value JoinFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("join", arguments, {"d", "attribute"});
  Value items = input;
  if (!bound[1].is_missing() && !bound[1].is_none()) {
    const AttributeGetter getter(bound[1]);
    Values found;
    for (const Value& item : ToValues(input)) found.push_back(getter.Get(interpreter, item));
    items = NewList(std::move(found));
  }
  const Value separator = bound[0].is_missing() ? NewString({}, true) : bound[0];
  if (!interpreter.autoescape()) return Join(Str(separator).string(), items, true);
  const Values values = ToValues(items);
  const bool markup = std::any_of(values.begin(), values.end(), [](const Value& value) {
    return value.is_string() && value.string().markup;
  });
  const bool safe = separator.is_string() && separator.string().markup;
  const Value glue = markup || safe ? EscapeHtml(separator) : Str(separator);
  return Join(glue.string(), NewList(values), true);
}

// Sorts stably by key with Python's <; `reverse` keeps equal items in order, as sorted() does.
struct Keyed {
  Value key, item;
};

Values SortByKey(std::vector<Keyed> items, bool reverse) {
  if (reverse) std::reverse(items.begin(), items.end());
  std::stable_sort(items.begin(), items.end(),
                   [](const Keyed& a, const Keyed& b) { return Less(a.key, b.key); });
  if (reverse) std::reverse(items.begin(), items.end());
  Values out;
  for (Keyed& item : items) out.push_back(std::move(item.item));
  return out;
}

bool Flag(const Value& value) { return !value.is_missing() && Truth(value); }
// sorted() takes an integer for `reverse`.
bool IntegerFlag(const Value& value) {
  return !value.is_missing() && RequireInt(value, "reverse") != 0;
}

Value FoldCase(const Value& value) { return value.is_string() ? Lower(value.string()) : value; }

// "a,b.c": one getter for each attribute.
std::vector<AttributeGetter> GettersOf(const Value& attribute, bool ignore_case) {
  std::vector<AttributeGetter> getters;
  if (attribute.is_string()) {
    const String& text = attribute.string();
    for (size_t at = 0; at <= text.text.size();) {
      const size_t end = std::min(text.text.find(U',', at), text.text.size());
      getters.emplace_back(SubString(text, at, end));
      at = end + 1;
    }
  } else {
    getters.emplace_back(attribute);
  }
  for (AttributeGetter& getter : getters) getter.ignore_case = ignore_case;
  return getters;
}

Value SortFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const auto getters = GettersOf(bound[2], !Flag(bound[1]));
  std::vector<Keyed> items;
  for (const Value& item : ToValues(input)) {
    Values keys;
    for (const AttributeGetter& getter : getters) keys.push_back(getter.Get(interpreter, item));
    items.push_back({NewList(std::move(keys)), item});
  }
  return NewList(SortByKey(std::move(items), IntegerFlag(bound[0])));
}

Value DictSortFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  size_t part = 0;
  if (!bound[1].is_missing()) {
    const bool key = bound[1].is_string() && bound[1].string().text == U"key";
    const bool value = bound[1].is_string() && bound[1].string().text == U"value";
    if (!key && !value) {
      Raise(ErrorKind::kRuntime, "You can only sort by either \"key\" or \"value\"");
    }
    part = value ? 1 : 0;
  }
  if (input.is_undefined()) input.as<Undefined>().Fail();
  if (!input.is(Kind::kDict)) {
    Raise(ErrorKind::kAttribute, "'{}' object has no attribute 'items'", TypeName(input));
  }
  std::vector<Keyed> items;
  for (const auto& [key, value] : input.dict().items) {
    const Value& by = part == 0 ? key : value;
    items.push_back({Flag(bound[0]) ? by : FoldCase(by), NewTuple({key, value})});
  }
  return NewList(SortByKey(std::move(items), IntegerFlag(bound[2])));
}

Value GroupByFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  AttributeGetter getter(bound[0]);
  getter.fallback = bound[1];
  AttributeGetter shown = getter;
  getter.ignore_case = !Flag(bound[2]);
  std::vector<Keyed> keyed;
  for (const Value& item : ToValues(input)) keyed.push_back({getter.Get(interpreter, item), item});
  const Values sorted = SortByKey(std::move(keyed), false);
  Values groups;
  for (size_t begin = 0; begin < sorted.size();) {
    const Value key = getter.Get(interpreter, sorted[begin]);
    size_t end = begin + 1;
    while (end < sorted.size() && Equal(getter.Get(interpreter, sorted[end]), key)) ++end;
    Ref<List> group =
        New<List>(Values{shown.Get(interpreter, sorted[begin]),
                         NewList(Values(sorted.begin() + begin, sorted.begin() + end))});
    group->group = true;
    groups.push_back(Value::Of(Kind::kTuple, std::move(group)));
    begin = end;
  }
  return NewList(std::move(groups));
}

class UniqueItems final : public Iterator {
 public:
  UniqueItems(Interpreter& interpreter, const Value& input, AttributeGetter getter)
      : interpreter_(interpreter), input_(input), getter_(std::move(getter)) {}
  bool Next(Value& item) override {
    const Heap::DepthScope depth;
    if (!items_) items_ = Iterate(input_);
    while (items_->Next(item)) {
      const Value key = getter_.Get(interpreter_, item);
      if (seen_->Find(key) != nullptr) continue;
      seen_->Set(key, Value::None());
      return true;
    }
    return false;
  }

 private:
  Interpreter& interpreter_;
  Value input_;
  AttributeGetter getter_;
  Ref<Iterator> items_;
  Ref<Dict> seen_ = New<Dict>();
};

Value UniqueFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("unique", arguments, {"case_sensitive", "attribute"});
  AttributeGetter getter(bound[1]);
  getter.ignore_case = !Flag(bound[0]);
  return NewIterator(New<UniqueItems>(interpreter, input, std::move(getter)));
}

Value Extreme(Interpreter& interpreter, const Value& input, Arguments& arguments, bool most) {
  const Values bound = Bind(most ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  AttributeGetter getter(bound[1]);
  getter.ignore_case = !Flag(bound[0]);
  const Ref<Iterator> items = Iterate(input);
  Value best, item;
  if (!items->Next(best)) return UndefinedHint("No aggregated item, sequence was empty.");
  Value best_key = getter.Get(interpreter, best);
  while (items->Next(item)) {
    Value key = getter.Get(interpreter, item);
    if (most ? Less(best_key, key, ">") : Less(key, best_key)) {
      best = item;
      best_key = std::move(key);
    }
  }
  return best;
}

Value MinFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  return Extreme(interpreter, input, arguments, false);
}

Value MaxFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  return Extreme(interpreter, input, arguments, true);
}

Value SumFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("sum", arguments, {"attribute", "start"});
  Value sum = ValueOr(bound[1], Value::Integer(0));
  if (sum.is_string()) Raise(ErrorKind::kType, "sum() can't sum strings");
  const AttributeGetter getter(bound[0]);
  const Ref<Iterator> items = Iterate(input);
  Value item;
  while (items->Next(item)) sum = Add(sum, getter.Get(interpreter, item));
  return sum;
}

class Batches final : public Iterator {
 public:
  Batches(const Value& input, Value count, Value fill)
      : input_(input), count_(std::move(count)), fill_(std::move(fill)) {}
  bool Next(Value& batch) override {
    const Heap::DepthScope depth;
    if (!items_) items_ = Iterate(input_);
    if (ended_) return false;
    Values values = std::exchange(held_, {});
    Value item;
    while (items_->Next(item)) {
      if (Equal(Value::Integer(static_cast<int64_t>(values.size())), count_)) {
        held_.push_back(item);
        batch = NewList(std::move(values));
        return true;
      }
      values.push_back(item);
    }
    ended_ = true;
    if (values.empty()) return false;
    Fill(values);
    batch = NewList(std::move(values));
    return true;
  }

 private:
  void Fill(Values& values) {
    if (fill_.is_missing() || fill_.is_none()) return;
    const int64_t count = RequireIndex(count_, "linecount");
    const int64_t missing = count - static_cast<int64_t>(values.size());
    if (missing <= 0) return;
    const Charged whole(static_cast<size_t>(std::min<int64_t>(missing, int64_t{1} << 40)) *
                        sizeof(Value));
    values.resize(static_cast<size_t>(count), fill_);
  }

  Value input_, count_, fill_;
  Ref<Iterator> items_;
  Values held_;
  bool ended_ = false;
};

Value BatchFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("batch", arguments, {"linecount", "fill_with"}, 1);
  return NewIterator(New<Batches>(input, bound[0], bound[1]));
}

class Slices final : public Iterator {
 public:
  Slices(const Value& input, Value slices, Value fill)
      : input_(input), slices_(std::move(slices)), fill_(std::move(fill)) {}
  bool Next(Value& slice) override {
    Heap::Current().Step();
    if (number_ < 0) {
      items_ = NewList(ToValues(input_));
      count_ = RequireIndex(slices_, "slices");
      if (count_ == 0) Raise(ErrorKind::kZeroDivision, "integer division or modulo by zero");
      number_ = 0;
    }
    if (number_ >= count_) return false;
    const Values& all = items_.list().items;
    const int64_t size = static_cast<int64_t>(all.size());
    const int64_t each = size / count_, extra = size % count_;
    const int64_t begin = number_ * each + std::min(number_, extra);
    const int64_t end = begin + each + (number_ < extra ? 1 : 0);
    Values values(all.begin() + begin, all.begin() + end);
    if (!fill_.is_missing() && !fill_.is_none() && number_ >= extra) values.push_back(fill_);
    slice = NewList(std::move(values));
    ++number_;
    return true;
  }

 private:
  Value input_, slices_, fill_, items_;
  int64_t count_ = 0, number_ = -1;
};

Value SliceFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("slice", arguments, {"slices", "fill_with"}, 1);
  return NewIterator(New<Slices>(input, bound[0], bound[1]));
}

class ItemPairs final : public Iterator {
 public:
  explicit ItemPairs(const Value& input) : input_(input) {}
  bool Next(Value& item) override {
    if (input_.is_undefined()) return false;
    if (!input_.is(Kind::kDict)) {
      Raise(ErrorKind::kType, "Can only get item pairs from a mapping.");
    }
    if (!items_) {
      items_ = Iterate(Value::Of(Kind::kDictView, New<DictView>(input_, DictView::Of::kItems)));
    }
    return items_->Next(item);
  }

 private:
  Value input_;
  Ref<Iterator> items_;
};

Value ItemsFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("items", arguments, 0, 0);
  return NewIterator(New<ItemPairs>(input));
}

constexpr FilterEntry kFilters[] = {
    {"batch", BatchFilter},   {"count", LengthFilter},    {"dictsort", DictSortFilter},
    {"first", FirstFilter},   {"groupby", GroupByFilter}, {"items", ItemsFilter},
    {"join", JoinFilter},     {"last", LastFilter},       {"length", LengthFilter},
    {"list", ListFilter},     {"max", MaxFilter},         {"min", MinFilter},
    {"random", RandomFilter}, {"reverse", ReverseFilter}, {"slice", SliceFilter},
    {"sort", SortFilter},     {"sum", SumFilter},         {"unique", UniqueFilter},
};

}  // namespace

FilterTable SequenceFilters() { return {kFilters, std::size(kFilters)}; }

}  // namespace fathom::jinja
