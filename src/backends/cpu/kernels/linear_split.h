// linear, linear_group and linear_gated over kSplitPanel16 weights (tensor/split_weight.h): three
// bf16 products for one of float32.
//
// A row over bf16 kPanel16 weights does the work: a split panel is such a panel of 3 * cols_padded
// columns, [high | low | high], and its activations become [x_high | x_high | x_low] first. What is
// left out, x_low * w_low, and the bits that both low parts drop are at most 3 * 2^-16 of |x| |w|.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/cpu/kernels/linear_call.h"
#include "tensor/convert.h"
#include "tensor/split_weight.h"

namespace fathom {

using LinearRun = void (*)(const OpCall&, const Worker&);
using LinearScratch = size_t (*)(const OpCall&, int workers);

inline constexpr double kSplitEpsilon = 3 * 0x1p-16;

// x as its three parts.
struct SplitActivations {
  static size_t PartCols(const OpCall& call) {
    return static_cast<size_t>(SplitPartCols(call.inputs[0].tensor.shape[1]));
  }
  static size_t Bytes(const OpCall& call) {
    return static_cast<size_t>(call.inputs[0].tensor.shape[0]) * 3 * PartCols(call) * sizeof(float);
  }

  static void Expand(const float* x, size_t cols, size_t part_cols, float* out) {
    for (size_t part = 0; part < 3; ++part) {
      std::memset(out + part * part_cols + cols, 0, (part_cols - cols) * sizeof(float));
    }
    for (size_t k = 0; k < cols; ++k) {
      const float high = BF16ToFloat(FloatToBF16(x[k]));
      out[k] = high;
      out[part_cols + k] = high;
      out[2 * part_cols + k] = BF16ToFloat(FloatToBF16(x[k] - high));
    }
  }

  // The call on expanded rows, which lie in front of the inner row's own scratch.
  struct Call {
    std::array<Operand, 1 + 2 * kMaxLinearParts> inputs;
    OpCall call;

    explicit Call(const OpCall& outer) : call(outer) {
      const size_t count = std::min(outer.inputs.size(), inputs.size());
      for (size_t i = 0; i < count; ++i) inputs[i] = outer.inputs[i];
      const auto cols = static_cast<int64_t>(3 * PartCols(outer));
      inputs[0].tensor =
          Tensor::Dense(DType::kF32, {outer.inputs[0].tensor.shape[0], cols}, outer.scratch);
      call.inputs = std::span<const Operand>(inputs).first(count);
      if (outer.scratch != nullptr) call.scratch = outer.scratch + Bytes(outer);
    }
    Call(const Call&) = delete;
  };
};

template <LinearRun kRun>
void SplitLinear(const OpCall& call, const Worker& worker) {
  const Tensor& x = call.inputs[0].tensor;
  const auto cols = static_cast<size_t>(x.shape[1]);
  const size_t part_cols = SplitActivations::PartCols(call);
  auto* out = reinterpret_cast<float*>(call.scratch);
  const Range rows = Split(static_cast<size_t>(x.shape[0]), worker);
  for (size_t m = rows.begin; m < rows.end; ++m) {
    SplitActivations::Expand(x.row<float>(static_cast<int64_t>(m)), cols, part_cols,
                             out + m * 3 * part_cols);
  }
  worker.Barrier();
  const SplitActivations::Call inner(call);
  kRun(inner.call, worker);
}

template <LinearScratch kScratch>
size_t SplitScratch(const OpCall& call, int workers) {
  const SplitActivations::Call inner(call);
  return SplitActivations::Bytes(call) + kScratch(inner.call, workers);
}

// The twin over kSplitPanel16 of a row over bf16 kPanel16.
template <LinearScratch kScratch, LinearRun kLinear, LinearRun kGroup, LinearRun kGated>
void AddSplitRows(CpuKernelTable& table, LinearRow row, const char* name) {
  row.name = name;
  row.description = "three bf16 products for one of float32";
  row.format = WeightFormat::kSplitPanel16;
  row.compute_epsilon = kSplitEpsilon;
  row.scratch_bytes = SplitScratch<kScratch>;
  row.linear = SplitLinear<kLinear>;
  row.group = SplitLinear<kGroup>;
  row.gated = SplitLinear<kGated>;
  AddLinearRows(table, row);
}

}  // namespace fathom
