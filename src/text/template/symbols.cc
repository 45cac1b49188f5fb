#include "text/template/symbols.h"

#include <algorithm>

#include "base/check.h"

namespace fathom::jinja {
namespace {

VariableRef FromScope(const Identifier& identifier, const ScopeBuilder* from) {
  VariableRef reference{0, identifier.slot};
  while (from != identifier.scope) {
    FATHOM_CHECK(from != nullptr);
    from = from->parent;
    ++reference.hops;
  }
  return reference;
}

}  // namespace

int ScopeBuilder::Slot(int level, const Text& name) {
  const auto [it, fresh] = slots.emplace(std::pair(level, name), scope->slots);
  if (fresh) ++scope->slots;
  return it->second;
}

int Symbols::Define(const Text& name, Origin origin) {
  const int slot = scope_->Slot(level_, name);
  slots_[name] = slot;
  origins_[slot] = std::move(origin);
  return slot;
}

std::optional<Identifier> Symbols::Find(const Text& name) const {
  for (const Symbols* at = this; at != nullptr; at = at->parent_) {
    const auto it = at->slots_.find(name);
    if (it != at->slots_.end()) return Identifier{at->scope_, it->second};
  }
  return std::nullopt;
}

void Symbols::Store(const Text& name) {
  stores_.insert(name);
  if (slots_.count(name) != 0) return;
  const auto outer = parent_ == nullptr ? std::nullopt : parent_->Find(name);
  if (outer) {
    Define(name, {Load::Action::kAlias, {}, *outer});
  } else {
    Define(name, {Load::Action::kUnset, {}, {}});
  }
}

int Symbols::DeclareParameter(const Text& name) {
  stores_.insert(name);
  return Define(name, {Load::Action::kParameter, {}, {}});
}

void Symbols::Use(const Text& name) {
  if (!Find(name)) Define(name, {Load::Action::kResolve, name, {}});
}

void Symbols::MergeBranches(const std::vector<Symbols>& branches) {
  std::set<Text> stored;
  for (const Symbols& branch : branches) {
    for (const Text& name : branch.stores_) {
      if (stores_.count(name) == 0) stored.insert(name);
    }
  }
  for (const Symbols& branch : branches) {
    for (const auto& [name, slot] : branch.slots_) slots_[name] = slot;
    for (const auto& [slot, origin] : branch.origins_) origins_[slot] = origin;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  // A name that only some branches assign has, elsewhere, the value from outside.
  for (const Text& name : stored) {
    const auto outer = parent_ == nullptr ? std::nullopt : parent_->Find(name);
    origins_[slots_.at(name)] =
        outer ? Origin{Load::Action::kAlias, {}, *outer} : Origin{Load::Action::kResolve, name, {}};
  }
}

VariableRef Symbols::Reference(const Text& name, const ScopeBuilder* from) const {
  const auto identifier = Find(name);
  FATHOM_CHECK(identifier.has_value());
  return FromScope(*identifier, from);
}

FrameLoads Symbols::Loads() const {
  FrameLoads loads;
  for (const auto& [slot, origin] : origins_) {
    Load load{origin.action, slot, origin.name, {}};
    if (origin.action == Load::Action::kAlias) load.from = FromScope(origin.from, scope_);
    loads.push_back(std::move(load));
  }
  return loads;
}

std::vector<Text> Symbols::StoredNames() const {
  std::vector<Text> names;
  for (const Symbols* at = this; at != nullptr; at = at->parent_) {
    for (const Text& name : at->stores_) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

}  // namespace fathom::jinja
