// The variables of a running template.
#pragma once

#include <unordered_map>

#include "text/template/value.h"

namespace fathom::jinja {

// Names that come from outside the template, and what its top level assigned (for its blocks).
struct Context final : CyclicObject {
  Ref<Context> parent;
  std::unordered_map<Text, Value> variables;

  Value Resolve(const Text& name) const {
    for (const Context* at = this; at != nullptr; at = at->parent.get()) {
      const auto it = at->variables.find(name);
      if (it != at->variables.end()) return it->second;
    }
    return Value::Missing();
  }
  void Clear() override {
    parent = Ref<Context>();
    variables.clear();
  }
};

// The slots of one call of a function (ast.h, FunctionScope). What is defined in it keeps it alive.
struct Scope final : CyclicObject {
  Scope(int slot_count, Ref<Scope> outer, Ref<Context> names)
      : slots(slot_count, Value::Missing()),
        parent(std::move(outer)),
        context(std::move(names)),
        charged(slot_count * sizeof(Value)) {}

  Values slots;
  Ref<Scope> parent;
  Ref<Context> context;
  Charged charged;

  void Clear() override {
    slots.clear();
    parent = Ref<Scope>();
    context = Ref<Context>();
  }
};

}  // namespace fathom::jinja
