// The `loop` variable (jinja2/runtime.py, LoopContext): looks one item ahead only where it is asked
// to.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

struct ForStatement;
struct Scope;

class Loop final : public CyclicObject {
 public:
  Loop(Value iterable, int depth0);
  void Clear() override;

  bool Next(Value& item);
  size_t Size();  // loop.length: runs a generator to its end
  // loop.index0, loop.last ...: false where the loop has no such attribute.
  bool Attribute(TextView name, Value& result);
  bool Changed(Values values);
  int64_t index0() const { return index0_; }
  int depth0() const { return depth0_; }

  // Of a recursive loop: what a call of `loop` renders, in the scope around it.
  const ForStatement* recursion = nullptr;
  Ref<Scope> recursion_scope;

 private:
  bool Peek();  // fills after_; false at the end

  Value iterable_;
  Ref<Iterator> iterator_;
  int depth0_;
  int64_t index0_ = -1;
  int64_t length_ = -1;
  Value after_ = Value::Missing();
  bool at_end_ = false;
  Value current_ = Value::Missing();
  Value before_ = Value::Missing();
  Value last_changed_ = Value::Missing();
};

}  // namespace fathom::jinja
