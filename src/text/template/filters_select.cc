// map, select, reject and their kin: lazy, as Jinja's generators are. And default and attr.
#include "text/template/arguments.h"
#include "text/template/filters.h"
#include "text/template/interpreter.h"

namespace fathom::jinja {
namespace {

class MappedItems final : public Iterator {
 public:
  MappedItems(Interpreter& interpreter, const Value& input, Arguments arguments)
      : interpreter_(interpreter), input_(input), arguments_(std::move(arguments)) {}

  bool Next(Value& item) override {
    const Heap::DepthScope depth;
    if (!items_ && !Begin()) return false;
    if (!items_->Next(item)) return false;
    item = by_attribute_ ? getter_.Get(interpreter_, item)
                         : interpreter_.CallFilter(filter_, item, arguments_);
    return true;
  }

 private:
  bool Begin() {
    if (ended_ || !Truth(input_)) {
      ended_ = true;
      return false;
    }
    if (arguments_.positional.empty()) {
      const Value attribute = arguments_.TakeKeyword("attribute");
      if (attribute.is_missing()) Raise(ErrorKind::kRuntime, "map requires a filter argument");
      getter_ = AttributeGetter(attribute);
      getter_.fallback = arguments_.TakeKeyword("default");
      if (!arguments_.keyword.empty()) {
        Raise(ErrorKind::kRuntime, "Unexpected keyword argument '{}'",
              arguments_.keyword.front().first);
      }
      by_attribute_ = true;
    } else {
      filter_ = arguments_.positional.front();
      arguments_.positional.erase(arguments_.positional.begin());
    }
    items_ = Iterate(input_);
    return true;
  }

  Interpreter& interpreter_;
  Value input_;
  Arguments arguments_;
  Ref<Iterator> items_;
  AttributeGetter getter_{Value::None()};
  Value filter_;
  bool by_attribute_ = false;
  bool ended_ = false;
};

Value MapFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  return NewIterator(New<MappedItems>(interpreter, input, std::move(arguments)));
}

class SelectedItems final : public Iterator {
 public:
  SelectedItems(Interpreter& interpreter, const Value& input, Arguments arguments, bool keep,
                bool by_attribute)
      : interpreter_(interpreter),
        input_(input),
        arguments_(std::move(arguments)),
        keep_(keep),
        by_attribute_(by_attribute) {}

  bool Next(Value& item) override {
    const Heap::DepthScope depth;
    if (!items_ && !Begin()) return false;
    while (items_->Next(item)) {
      const Value asked = by_attribute_ ? getter_.Get(interpreter_, item) : item;
      const bool passes =
          test_.is_missing() ? Truth(asked) : interpreter_.CallTest(test_, asked, arguments_);
      if (passes == keep_) return true;
    }
    return false;
  }

 private:
  bool Begin() {
    if (ended_ || !Truth(input_)) {
      ended_ = true;
      return false;
    }
    Values& given = arguments_.positional;
    if (by_attribute_) {
      if (given.empty()) Raise(ErrorKind::kRuntime, "Missing parameter for attribute name");
      getter_ = AttributeGetter(given.front());
      given.erase(given.begin());
    }
    if (!given.empty()) {
      test_ = given.front();
      given.erase(given.begin());
    }
    items_ = Iterate(input_);
    return true;
  }

  Interpreter& interpreter_;
  Value input_;
  Arguments arguments_;
  const bool keep_, by_attribute_;
  Ref<Iterator> items_;
  AttributeGetter getter_{Value::None()};
  Value test_ = Value::Missing();
  bool ended_ = false;
};

template <bool kKeep, bool kByAttribute>
Value SelectFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  return NewIterator(
      New<SelectedItems>(interpreter, input, std::move(arguments), kKeep, kByAttribute));
}

Value DefaultFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("default", arguments, {"default_value", "boolean"});
  const bool boolean = !bound[1].is_missing() && Truth(bound[1]);
  if (input.is_undefined() || (boolean && !Truth(input))) {
    return bound[0].is_missing() ? NewString({}, true) : bound[0];
  }
  return input;
}

Value AttrFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound = Bind("attr", arguments, {"name"}, 1);
  const String& name = RequireString(bound[0], "the name of an attribute");
  if (name.view().substr(0, 2) == U"__") return interpreter.GetAttribute(input, bound[0]);
  Value result;
  if (interpreter.FindAttribute(input, name.view(), result)) return result;
  return UndefinedAttribute(input, bound[0]);
}

constexpr FilterEntry kFilters[] = {
    {"attr", AttrFilter},
    {"d", DefaultFilter},
    {"default", DefaultFilter},
    {"map", MapFilter},
    {"reject", SelectFilter<false, false>},
    {"rejectattr", SelectFilter<false, true>},
    {"select", SelectFilter<true, false>},
    {"selectattr", SelectFilter<true, true>},
};

}  // namespace

FilterTable SelectFilters() { return {kFilters, std::size(kFilters)}; }

}  // namespace fathom::jinja
