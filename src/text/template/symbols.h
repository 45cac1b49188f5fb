// The names of one frame while a template is resolved (jinja2/idtracking.py, Symbols).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "text/template/ast.h"

namespace fathom::jinja {

// A function scope while its slots are handed out.
struct ScopeBuilder {
  FunctionScope* scope = nullptr;
  ScopeBuilder* parent = nullptr;
  std::map<std::pair<int, Text>, int> slots;  // (frame level, name) -> slot: siblings share slots

  int Slot(int level, const Text& name);
};

// A slot of some function scope.
struct Identifier {
  ScopeBuilder* scope = nullptr;
  int slot = -1;
};

class Symbols {
 public:
  Symbols(const Symbols* parent, ScopeBuilder* scope, int level)
      : parent_(parent), scope_(scope), level_(level) {}

  int level() const { return level_; }
  ScopeBuilder* scope() const { return scope_; }

  void Store(const Text& name);
  int DeclareParameter(const Text& name);  // its slot
  void Use(const Text& name);
  void MergeBranches(const std::vector<Symbols>& branches);

  std::optional<Identifier> Find(const Text& name) const;
  // The name as seen from `from`, a function scope at or inside the one that has it.
  VariableRef Reference(const Text& name, const ScopeBuilder* from) const;
  // What the frame does when it is entered.
  FrameLoads Loads() const;
  // Every name stored here or outside, the nearest first.
  std::vector<Text> StoredNames() const;
  const std::set<Text>& stores() const { return stores_; }

 private:
  struct Origin {
    Load::Action action;
    Text name;
    Identifier from;
  };
  int Define(const Text& name, Origin origin);

  const Symbols* parent_;
  ScopeBuilder* scope_;
  int level_;
  std::map<Text, int> slots_;
  std::map<int, Origin> origins_;  // by slot
  std::set<Text> stores_;
};

}  // namespace fathom::jinja
