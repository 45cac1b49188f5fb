#include "linear_calls.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/check.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

AlignedBuffer Allocated(size_t size) {
  auto buffer = AlignedBuffer::Allocate(size);
  FATHOM_CHECK(buffer.ok());
  return *std::move(buffer);
}

// Random numbers of a type: one block repeated, so that filling is quick.
void Fill(std::byte* data, size_t size, DType dtype) {
  std::mt19937 random(1);
  std::vector<float> block(1 << 16);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (float& value : block) value = normal(random);
  std::vector<std::byte> bytes(block.size() * static_cast<size_t>(BytesOf(dtype)));
  ConvertFromFloat(dtype, block.data(), static_cast<int64_t>(block.size()), bytes.data());
  for (size_t i = 0; i < size; i += bytes.size()) {
    std::memcpy(data + i, bytes.data(), std::min(bytes.size(), size - i));
  }
}

// The same of integer weights: random panels of 16 rows, over again.
void FillQuantized(const Weight& weight, std::byte* data) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  const int64_t panels = std::min<int64_t>(weight.panels(), 4);
  std::vector<float> block(static_cast<size_t>(panels * 16 * weight.cols));
  for (float& value : block) value = normal(random);
  Weight some = weight;
  some.rows = panels * 16;
  PackWeightRows(some, DType::kF32, block.data(), weight.cols, 0, some.rows, data);
  for (int64_t p = panels; p < weight.panels(); ++p) {
    std::memcpy(data + p * weight.stride, data + p % panels * weight.stride,
                static_cast<size_t>(weight.stride));
  }
}

}  // namespace

LinearCalls::LinearCalls(const CpuKernel& kernel, const LayerShape& shape, int64_t rows,
                         double bytes, int workers, int tuning)
    : kernel_(kernel) {
  attributes_ = {{"activation", std::string("silu")}};
  const int64_t widest = std::max(shape.ffn, shape.hidden);
  x_ = Allocated(static_cast<size_t>(rows * widest * 4));
  y_ = Allocated(static_cast<size_t>(rows * widest * 3 * 4));
  Fill(x_.data(), x_.size(), DType::kF32);
  while (weight_bytes_ < bytes) {
    if (kernel.op == "linear_group") {
      Add(rows, shape.hidden, {shape.heads_dim, shape.kv_dim, shape.kv_dim});
    } else if (kernel.op == "linear_gated") {
      Add(rows, shape.hidden, {shape.ffn, shape.ffn});
    } else {
      Add(rows, shape.heads_dim, {shape.hidden});
      Add(rows, shape.ffn, {shape.hidden});
    }
  }
  size_t scratch = 64;
  for (const auto& call : calls_) {
    if (kernel.scratch_bytes == nullptr) continue;
    scratch = std::max(scratch, kernel.scratch_bytes(call->call, workers));
  }
  scratch_ = Allocated(scratch);
  for (const auto& call : calls_) {
    call->call.scratch = scratch_.data();
    call->call.tuning = tuning;
  }
}

void LinearCalls::Add(int64_t rows, int64_t in, const std::vector<int64_t>& outs) {
  auto call = std::make_unique<Call>();
  const WeightFormat format = kernel_.weight_format.value_or(WeightFormat::kDense);
  const DType dtype = kernel_.weight_dtype.value_or(DType::kF32);
  size_t size = 0;
  for (const int64_t out : outs) {
    Weight weight{.dtype = dtype, .rows = out, .cols = in, .stride = in};
    weight.size_bytes = out * in * BytesOf(dtype);
    if (format != WeightFormat::kDense) weight = PlanPacked(format, dtype, out, in);
    call->weights.push_back(weight);
    size += static_cast<size_t>(weight.size_bytes);
  }
  auto room = arena_.Allocate(size);
  FATHOM_CHECK(room.ok());
  if (!IsQuantized(format)) Fill(room->data(), size, dtype);
  call->inputs.push_back({.tensor = Tensor::Dense(DType::kF32, {rows, in}, x_.data())});
  std::byte* at = room->data();
  float* y = y_.as<float>();
  for (Weight& weight : call->weights) {
    weight.data = at;
    if (IsQuantized(format)) FillQuantized(weight, at);
    at += weight.size_bytes;
    call->inputs.push_back({.weight = &weight});
    call->inputs.push_back({});
    call->outputs.push_back({.tensor = Tensor::Dense(DType::kF32, {rows, weight.rows}, y)});
    y += rows * weight.rows;
    flops_ += 2.0 * static_cast<double>(rows * weight.rows * in);
    weight_bytes_ += static_cast<double>(weight.payload_bytes());
  }
  if (kernel_.op == "linear_gated") call->outputs.resize(1);
  call->call = {.attributes = &attributes_, .inputs = call->inputs, .outputs = call->outputs};
  calls_.push_back(std::move(call));
}

void LinearCalls::Run(const Worker& worker) const {
  for (const auto& call : calls_) {
    kernel_.run(call->call, worker);
    worker.Barrier();
  }
}

void LinearCalls::Load(const Worker& worker) const {
  // A volatile read of a word a line: the line comes in, and nothing is left out.
  uint64_t sum = 0;
  for (const auto& call : calls_) {
    for (const Weight& weight : call->weights) {
      const auto* data = static_cast<const std::byte*>(weight.data);
      const Range lines = Split(static_cast<size_t>(weight.size_bytes) / 64, worker);
      for (size_t i = lines.begin; i < lines.end; ++i) {
        __builtin_prefetch(data + i * 64 + 4096, 0, 2);
        sum ^= *reinterpret_cast<const volatile uint64_t*>(data + i * 64);
      }
    }
    worker.Barrier();
  }
  [[maybe_unused]] static volatile uint64_t sink;
  if (worker.index == 0) sink = sum;
}

}  // namespace fathom
