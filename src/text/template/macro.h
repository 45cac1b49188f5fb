// A macro, or the body of a call block, with the scope in which it was defined.
#pragma once

#include "text/template/ast.h"
#include "text/template/scope.h"

namespace fathom::jinja {

struct Macro final : Object {
  Macro(const MacroBody& macro_body, Text macro_name, Ref<Scope> defined_in)
      : body(macro_body), name_(std::move(macro_name)), scope(std::move(defined_in)) {}

  TextView name() const { return name_; }  // empty: a call block

  const MacroBody& body;
  const Text name_;
  const Ref<Scope> scope;
};

// `self.name`, a block of the template that is called like a function.
struct BlockReference final : Object {
  BlockReference(const BlockStatement& statement, Ref<Context> names)
      : block(statement), context(std::move(names)) {}
  const BlockStatement& block;
  const Ref<Context> context;
};

// `self`
struct SelfReference final : Object {
  explicit SelfReference(Ref<Context> names) : context(std::move(names)) {}
  const Ref<Context> context;
};

}  // namespace fathom::jinja
