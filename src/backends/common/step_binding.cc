#include "backends/common/step_binding.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fathom {
namespace {

bool DependsOnStep(const Value& value) {
  return std::any_of(value.dims.begin(), value.dims.end(),
                     [](const Dim& dim) { return dim.symbol != Symbol::kNone; });
}

Shape ShapeAt(const Value& value, const StepSizes& sizes) {
  Shape shape;
  for (const Dim& dim : value.dims) shape.dims[shape.rank++] = sizes.Evaluate(dim);
  return shape;
}

// Bytes of a value at `sizes`, the product checked.
Result<size_t> BytesAt(const Value& value, const StepSizes& sizes) {
  int64_t bytes = BytesOf(value.dtype);
  for (const Dim& dim : value.dims) {
    if (__builtin_mul_overflow(bytes, sizes.Evaluate(dim), &bytes) || bytes < 0) {
      return Status::RunTime(fmt::format("the buffer of {} has no size that fits", value.name));
    }
  }
  return static_cast<size_t>(bytes);
}

// The first entry of an operand list that needs an address even where the tensor has no elements.
std::byte* EmptyAddress() {
  alignas(kBufferAlignment) static std::byte bytes[kBufferAlignment];
  return bytes;
}

}  // namespace

Result<StepBinding> StepBinding::Create(const Plan& plan, const WeightStore& weights,
                                        const CacheStore& caches) {
  StepBinding binding;
  binding.graph_ = plan.graph;
  binding.capacity_ = plan.capacity;
  const Graph& graph = *plan.graph;
  binding.memory_ =
      plan.memory.offset.empty() ? PlanMemory(graph, plan.capacity, false) : plan.memory;
  FATHOM_CHECK(binding.memory_.offset.size() == graph.values.size());
  FATHOM_CHECK(binding.memory_.arena_bytes >= 0);
  FATHOM_ASSIGN(binding.arena_,
                AlignedBuffer::Allocate(static_cast<size_t>(binding.memory_.arena_bytes)));
  binding.arena_bytes_ = binding.memory_.arena_bytes;
  binding.values_.resize(graph.values.size());
  binding.inputs_.resize(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    FATHOM_TRY(binding.BindValue(static_cast<ValueId>(i), plan, weights, caches));
  }
  binding.MakeCalls();
  binding.FindMapped(plan, weights);
  FATHOM_TRY(binding.Bind(plan.capacity));
  return binding;
}

Status StepBinding::BindValue(ValueId id, const Plan& plan, const WeightStore& weights,
                              const CacheStore& caches) {
  const Value& value = graph_->values[id];
  Operand& operand = values_[id];
  if (DependsOnStep(value)) sized_values_.push_back(id);
  switch (value.kind) {
    case ValueKind::kInput:
      return AllocateInput(id);
    case ValueKind::kCache:
      operand.tensor = caches.Get(value.cache);
      return Status::Ok();
    case ValueKind::kWeight: {
      const Weight& weight = weights.Get(value.weight);
      FATHOM_CHECK(weight.data != nullptr);
      if (graph_->weights[value.weight].role != WeightRole::kVector) {
        operand.weight = &weight;
        return Status::Ok();
      }
      FATHOM_CHECK(weight.format == WeightFormat::kDense && weight.dtype == DType::kF32);
      operand.tensor =
          Tensor::Dense(DType::kF32, {weight.rows * weight.cols}, const_cast<void*>(weight.data));
      return Status::Ok();
    }
    case ValueKind::kActivation:
      break;
  }
  const int64_t offset = memory_.offset[id];
  if (offset < 0) return Status::Ok();  // no node writes it
  FATHOM_ASSIGN(const size_t bytes, BytesAt(value, capacity_));
  FATHOM_CHECK(static_cast<size_t>(offset) <= arena_.size() && bytes <= arena_.size() - offset);
  operand.tensor = Tensor::Dense(value.dtype, ShapeAt(value, capacity_),
                                 bytes == 0 ? EmptyAddress() : arena_.data() + offset);
  return Status::Ok();
}

Status StepBinding::AllocateInput(ValueId id) {
  const Value& value = graph_->values[id];
  FATHOM_CHECK(value.dtype == DType::kI32);
  FATHOM_ASSIGN(const size_t bytes, BytesAt(value, capacity_));
  FATHOM_ASSIGN(inputs_[id], AlignedBuffer::Allocate(bytes));
  arena_bytes_ += static_cast<int64_t>(bytes);
  values_[id].tensor = Tensor::Dense(value.dtype, ShapeAt(value, capacity_),
                                     bytes == 0 ? EmptyAddress() : inputs_[id].data());
  return Status::Ok();
}

void StepBinding::MakeCalls() {
  size_t total = 0;
  for (const OpNode& node : graph_->nodes) total += node.inputs.size() + node.outputs.size();
  operands_.reserve(total);  // the calls point into it
  const auto add = [&](ValueId id) {
    if (id != kAbsent && values_[id].weight == nullptr && DependsOnStep(graph_->values[id])) {
      sized_operands_.push_back({id, operands_.size()});
    }
    operands_.push_back(id == kAbsent ? Operand{} : values_[id]);
  };
  for (const OpNode& node : graph_->nodes) {
    const Operand* inputs = operands_.data() + operands_.size();
    for (const ValueId id : node.inputs) add(id);
    Operand* outputs = operands_.data() + operands_.size();
    for (const ValueId id : node.outputs) add(id);
    calls_.push_back({.attributes = &node.attributes,
                      .inputs = {inputs, node.inputs.size()},
                      .outputs = {outputs, node.outputs.size()}});
  }
}

void StepBinding::FindMapped(const Plan& plan, const WeightStore& weights) {
  const bool any = std::any_of(plan.weights.begin(), plan.weights.end(),
                               [](const WeightPlan& weight) { return weight.mapped; });
  if (!any) return;
  for (const OpNode& node : graph_->nodes) {
    std::vector<const Weight*>& mine = mapped_.emplace_back();
    // Some rows are looked up: the rest was never there.
    if (node.op->name == "embedding") continue;
    for (const ValueId id : node.inputs) {
      if (id == kAbsent || graph_->values[id].kind != ValueKind::kWeight) continue;
      const int32_t weight = graph_->values[id].weight;
      const Weight& held = weights.Get(weight);
      if (plan.weights[weight].mapped && held.in_file) mine.push_back(&held);
    }
  }
}

namespace {

void Advise(const std::vector<const Weight*>& weights, int advice) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const Weight* weight : weights) {
    const auto begin = (reinterpret_cast<uintptr_t>(weight->data) + page - 1) / page * page;
    const auto end =
        (reinterpret_cast<uintptr_t>(weight->data) + static_cast<uintptr_t>(weight->size_bytes)) /
        page * page;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, advice);
  }
}

}  // namespace

void StepBinding::PrefetchMapped(size_t node) const {
  if (node < mapped_.size()) Advise(mapped_[node], MADV_WILLNEED);
}

void StepBinding::DropMapped(size_t node) const {
  if (node < mapped_.size()) Advise(mapped_[node], MADV_DONTNEED);
}

std::span<int32_t> StepBinding::Input(std::string_view name) {
  for (size_t i = 0; i < graph_->values.size(); ++i) {
    const Value& value = graph_->values[i];
    if (value.kind == ValueKind::kInput && value.name == name) {
      return {inputs_[i].as<int32_t>(), inputs_[i].size() / sizeof(int32_t)};
    }
  }
  return {};
}

Status StepBinding::Bind(const StepSizes& sizes) {
  const auto fits = [](int64_t size, int64_t capacity) { return size >= 0 && size <= capacity; };
  if (!fits(sizes.num_tokens, capacity_.num_tokens) ||
      !fits(sizes.num_sequences, capacity_.num_sequences) ||
      !fits(sizes.num_logit_rows, capacity_.num_logit_rows) ||
      !fits(sizes.max_blocks, capacity_.max_blocks)) {
    return Status::RunTime(
        fmt::format("a step of {} tokens, {} sequences, {} logit rows, {} blocks is beyond the "
                    "plan's {}, {}, {}, {}",
                    sizes.num_tokens, sizes.num_sequences, sizes.num_logit_rows, sizes.max_blocks,
                    capacity_.num_tokens, capacity_.num_sequences, capacity_.num_logit_rows,
                    capacity_.max_blocks));
  }
  sizes_ = sizes;
  for (const ValueId id : sized_values_) {
    Tensor& tensor = values_[id].tensor;
    tensor = Tensor::Dense(tensor.dtype, ShapeAt(graph_->values[id], sizes), tensor.data);
  }
  for (const Sized& sized : sized_operands_) {
    operands_[sized.operand].tensor = values_[sized.value].tensor;
  }
  return Status::Ok();
}

Shape StepBinding::CapacityShape(ValueId value) const {
  return ShapeAt(graph_->values[value], capacity_);
}

}  // namespace fathom
