// iter(value) and list(value).
#include "text/template/loop.h"
#include "text/template/value.h"

namespace fathom::jinja {
namespace {

class SequenceIterator final : public Iterator {
 public:
  explicit SequenceIterator(Value sequence) : sequence_(std::move(sequence)) {}
  bool Next(Value& item) override {
    const Values& items = sequence_.list().items;
    if (at_ == items.size()) return false;
    Heap::Current().Step();
    item = items[at_++];
    return true;
  }

 private:
  Value sequence_;
  size_t at_ = 0;
};

class TextIterator final : public Iterator {
 public:
  explicit TextIterator(Value text) : text_(std::move(text)) {}
  bool Next(Value& item) override {
    const String& text = text_.string();
    if (at_ == text.text.size()) return false;
    // The code points of markup are plain text: Markup has no iterator of its own.
    StringBuilder code_point;
    code_point.AppendSlice(text, at_, at_ + 1);
    item = code_point.Finish();
    ++at_;
    return true;
  }

 private:
  Value text_;
  size_t at_ = 0;
};

class DictIterator final : public Iterator {
 public:
  DictIterator(Value dict, DictView::Of of) : dict_(std::move(dict)), of_(of) {}
  bool Next(Value& item) override {
    const auto& items = dict_.dict().items;
    if (at_ == items.size()) return false;
    Heap::Current().Step();
    const auto& [key, value] = items[at_++];
    switch (of_) {
      case DictView::Of::kKeys:
        item = key;
        break;
      case DictView::Of::kValues:
        item = value;
        break;
      case DictView::Of::kItems:
        item = NewTuple({key, value});
        break;
    }
    return true;
  }

 private:
  Value dict_;
  DictView::Of of_;
  size_t at_ = 0;
};

class RangeIterator final : public Iterator {
 public:
  explicit RangeIterator(Value range)
      : range_(std::move(range)), size_(range_.as<Range>().size()) {}
  bool Next(Value& item) override {
    if (at_ == size_) return false;
    Heap::Current().Step();
    item = range_.as<Range>().at(at_++);
    return true;
  }

 private:
  Value range_;
  Int at_ = 0;
  Int size_;
};

// iter(loop) is the loop itself: each step is an (item, loop) pair.
class LoopIterator final : public Iterator {
 public:
  explicit LoopIterator(Value loop) : loop_(std::move(loop)) {}
  bool Next(Value& item) override {
    Heap::Current().Step();
    Value next;
    if (!loop_.as<Loop>().Next(next)) return false;
    item = NewTuple({next, loop_});
    return true;
  }

 private:
  Value loop_;
};

class NothingIterator final : public Iterator {
 public:
  bool Next(Value&) override { return false; }
};

}  // namespace

Ref<Iterator> Iterate(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return New<NothingIterator>();
    case Kind::kString:
      return New<TextIterator>(value);
    case Kind::kList:
    case Kind::kTuple:
      return New<SequenceIterator>(value);
    case Kind::kDict:
      return New<DictIterator>(value, DictView::Of::kKeys);
    case Kind::kDictView:
      return New<DictIterator>(value.as<DictView>().dict, value.as<DictView>().of);
    case Kind::kRange:
      return New<RangeIterator>(value);
    case Kind::kIterator:
      return Ref<Iterator>(&value.as<Iterator>());
    case Kind::kLoop:
      return New<LoopIterator>(value);
    default:
      Raise(ErrorKind::kType, "'{}' object is not iterable", TypeName(value));
  }
}

Values ToValues(const Value& iterable) {
  if (iterable.is_sequence()) {
    Heap::Current().Step(iterable.list().items.size());
    const Charged copy(iterable.list().items.size() * sizeof(Value));
    return iterable.list().items;
  }
  Values items;
  Charged charged;
  Ref<Iterator> iterator = Iterate(iterable);
  Value item;
  while (iterator->Next(item)) {
    charged.Add(sizeof(Value));
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace fathom::jinja
