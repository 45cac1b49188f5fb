#include "text/template/loop.h"

#include "text/template/scope.h"

namespace fathom::jinja {
namespace {

class ListIterator final : public Iterator {
 public:
  explicit ListIterator(Values items) : items_(NewList(std::move(items))) {}
  bool Next(Value& item) override {
    if (at_ == items_.list().items.size()) return false;
    item = items_.list().items[at_++];
    return true;
  }

 private:
  Value items_;
  size_t at_ = 0;
};

}  // namespace

Loop::Loop(Value iterable, int depth0)
    : iterable_(std::move(iterable)), iterator_(Iterate(iterable_)), depth0_(depth0) {}

void Loop::Clear() {
  recursion_scope = Ref<Scope>();
  iterator_ = Ref<Iterator>();
  iterable_ = after_ = current_ = before_ = last_changed_ = Value();
}

bool Loop::Peek() {
  if (!after_.is_missing()) return true;
  if (at_end_) return false;
  const Heap::DepthScope depth;
  if (iterator_->Next(after_)) return true;
  after_ = Value::Missing();
  at_end_ = true;
  return false;
}

bool Loop::Next(Value& item) {
  if (!Peek()) return false;
  ++index0_;
  before_ = std::move(current_);
  current_ = std::exchange(after_, Value::Missing());
  item = current_;
  return true;
}

size_t Loop::Size() {
  if (length_ >= 0) return static_cast<size_t>(length_);
  if (!iterable_.is(Kind::kIterator)) {
    length_ = static_cast<int64_t>(Length(iterable_));
  } else {
    Values rest;
    Value item;
    while (iterator_->Next(item)) rest.push_back(item);
    length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + (after_.is_missing() ? 0 : 1);
    iterator_ = New<ListIterator>(std::move(rest));
  }
  return static_cast<size_t>(length_);
}

bool Loop::Changed(Values values) {
  Value now = NewTuple(std::move(values));
  if (!last_changed_.is_missing() && Equal(last_changed_, now)) return false;
  last_changed_ = std::move(now);
  return true;
}

bool Loop::Attribute(TextView name, Value& result) {
  const auto number = [&](int64_t value) {
    result = Value::Integer(value);
    return true;
  };
  const auto length = [&] { return static_cast<int64_t>(Size()); };
  if (name == U"index") return number(index0_ + 1);
  if (name == U"index0") return number(index0_);
  if (name == U"revindex") return number(length() - index0_);
  if (name == U"revindex0") return number(length() - index0_ - 1);
  if (name == U"length") return number(length());
  if (name == U"depth") return number(depth0_ + 1);
  if (name == U"depth0") return number(depth0_);
  if (name == U"first") {
    result = Value::Bool(index0_ == 0);
    return true;
  }
  if (name == U"last") {
    result = Value::Bool(!Peek());
    return true;
  }
  if (name == U"previtem") {
    result = index0_ == 0 ? UndefinedHint("there is no previous item") : before_;
    return true;
  }
  if (name == U"nextitem") {
    result = Peek() ? after_ : UndefinedHint("there is no next item");
    return true;
  }
  return false;
}

}  // namespace fathom::jinja
