#include "ops/op.h"

#include "base/check.h"

namespace fathom {

const Attributes::Value* Attributes::Find(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Attributes::Set(std::string_view name, Value value) {
  for (auto& [key, old] : items_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  items_.emplace_back(std::string(name), std::move(value));
}

int64_t Attributes::Int(std::string_view name) const {
  const Value* value = Find(name);
  FATHOM_CHECK(value != nullptr);
  return std::get<int64_t>(*value);
}

int64_t Attributes::Int(std::string_view name, int64_t otherwise) const {
  const Value* value = Find(name);
  return value == nullptr ? otherwise : std::get<int64_t>(*value);
}

double Attributes::Double(std::string_view name) const {
  const Value* value = Find(name);
  FATHOM_CHECK(value != nullptr);
  return std::get<double>(*value);
}

double Attributes::Double(std::string_view name, double otherwise) const {
  const Value* value = Find(name);
  return value == nullptr ? otherwise : std::get<double>(*value);
}

const std::string& Attributes::String(std::string_view name) const {
  const Value* value = Find(name);
  FATHOM_CHECK(value != nullptr);
  return std::get<std::string>(*value);
}

const std::vector<float>& Attributes::Floats(std::string_view name) const {
  const Value* value = Find(name);
  FATHOM_CHECK(value != nullptr);
  return std::get<std::vector<float>>(*value);
}

const OpRecord* FindOp(std::string_view name) {
  for (const OpRecord* op : AllOps()) {
    if (op->name == name) return op;
  }
  return nullptr;
}

const OpRecord& GetOp(std::string_view name) {
  const OpRecord* op = FindOp(name);
  FATHOM_CHECK(op != nullptr);
  return *op;
}

const Port* FindPort(std::span<const Port> ports, size_t index) {
  if (index < ports.size()) return &ports[index];
  size_t first = ports.size();
  while (first > 0 && ports[first - 1].repeated) --first;
  if (first == ports.size()) return nullptr;
  return &ports[first + (index - first) % (ports.size() - first)];
}

}  // namespace fathom
