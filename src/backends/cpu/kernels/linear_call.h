// What the linear kernels share: the operands of linear, linear_group and linear_gated in one form,
// and their output rows cut into panels of 16.
//
// Legend: M activation rows, K in_features, a panel = 16 output rows of one weight
// (tensor/weight.h), a unit = what workers divide: one panel, or for linear_gated a gate panel and
// the up panel beside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernel.h"
#include "ops/activation_function.h"
#include "ops/op.h"

namespace fathom {

enum class LinearOp : uint8_t { kLinear, kGroup, kGated };

inline constexpr size_t kMaxLinearParts = 8;
inline constexpr size_t kMaxTilePanels = 4;
inline constexpr size_t kPanelRows = 16;

struct LinearPart {
  const Weight* weight = nullptr;
  const float* bias = nullptr;  // [weight->rows] or null
  float* y = nullptr;           // [M, weight->rows]; the up part of linear_gated has none
};

struct LinearJob {
  const float* x = nullptr;  // [M, K]
  size_t rows = 0;           // M
  size_t cols = 0;           // K
  bool gated = false;
  ActivationFunction activation = ActivationFunction::kLinear;
  size_t part_count = 0;
  std::array<LinearPart, kMaxLinearParts> parts;
  size_t units = 0;
};

LinearJob MakeLinearJob(LinearOp op, const OpCall& call);

// No more parts than a job holds.
bool AcceptsLinearParts(const OpCall& call);

struct LinearPanel {
  const std::byte* data = nullptr;
  const Weight* weight = nullptr;
  const float* bias = nullptr;  // of the panel's first row, or null
  float* y = nullptr;           // y[0, first row of the panel]
  size_t y_stride = 0;
  size_t rows = 0;  // <= 16
};

// Some panels that one register tile computes. Gated: the gate panels, then their up panels.
struct LinearTile {
  bool gated = false;
  ActivationFunction activation = ActivationFunction::kLinear;
  size_t panel_count = 0;
  std::array<LinearPanel, kMaxTilePanels> panels;
};

// A panel of one part of the job.
LinearPanel PanelOf(const LinearJob& job, size_t part, size_t panel);

// The panels of units [unit, unit + count); panels of a tile <= kMaxTilePanels.
LinearTile MakeLinearTile(const LinearJob& job, size_t unit, size_t count);

// Rows of `base` for all three operations, named NAME of "linear_NAME_SUFFIX",
// "linear_group_NAME...".
struct LinearRow {
  const char* name;    // "bf16_panel16_gemv"
  const char* suffix;  // "avx512"
  const char* description;
  KernelVariant variant = KernelVariant::kAny;
  WeightFormat format = WeightFormat::kPanel16;
  DType dtype = DType::kF32;
  CpuFeatures features;
  int64_t max_rows = 0;
  size_t (*scratch_bytes)(const OpCall& call, int workers) = nullptr;
  double compute_epsilon = 0x1p-23;
  int tunings = 1;
  void (*linear)(const OpCall&, const Worker&) = nullptr;
  void (*group)(const OpCall&, const Worker&) = nullptr;
  void (*gated)(const OpCall&, const Worker&) = nullptr;
};
void AddLinearRows(CpuKernelTable& table, const LinearRow& row);

// The rows of linear_quantized_gemv_vector.cc, which AddLinearQuantizedKernels brings along.
void AddLinearQuantizedGemvKernels(CpuKernelTable& table);

// y of a tile from its sums: + bias, gated: activation(gate) * up. sums [rows, sums_stride], panel
// p at column 16 p; the tile's output rows begin at first_row. One a target of Highway.
#if defined(__x86_64__)
namespace N_EMU128 {
void StoreLinearTile(const LinearTile& tile, const float* sums, size_t sums_stride,
                     size_t first_row, size_t rows);
}
namespace N_AVX2 {
void StoreLinearTile(const LinearTile& tile, const float* sums, size_t sums_stride,
                     size_t first_row, size_t rows);
}
namespace N_AVX3 {
void StoreLinearTile(const LinearTile& tile, const float* sums, size_t sums_stride,
                     size_t first_row, size_t rows);
}
#else
namespace N_NEON {
void StoreLinearTile(const LinearTile& tile, const float* sums, size_t sums_stride,
                     size_t first_row, size_t rows);
}
#endif

}  // namespace fathom
