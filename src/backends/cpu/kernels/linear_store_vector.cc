// The last step of the panel16 linear kernels: sums of a tile -> y, for every target of Highway.
#include <cstring>

#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_store_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

// 16 floats: of the bias, or zeros.
struct PanelBias {
  HWY_ALIGN float values[kPanelRows] = {};

  explicit PanelBias(const LinearPanel& panel) {
    if (panel.bias != nullptr) std::memcpy(values, panel.bias, panel.rows * sizeof(float));
  }
};

// y[row][0, panel.rows) = value(vector index) for each of the panel's vectors.
template <class Function>
HWY_INLINE void StoreRow(const LinearPanel& panel, float* y, Function value) {
  if (panel.rows == kPanelRows) {
    for (size_t i = 0; i < kPanelRows; i += kLanes) hn::StoreU(value(i), F32(), y + i);
    return;
  }
  HWY_ALIGN float padded[kPanelRows];
  for (size_t i = 0; i < kPanelRows; i += kLanes) hn::Store(value(i), F32(), padded + i);
  std::memcpy(y, padded, panel.rows * sizeof(float));
}

template <ActivationFunction kFunction>
void StoreGated(const LinearPanel& gate, const LinearPanel& up, const float* gate_sums,
                const float* up_sums, size_t sums_stride, size_t first_row, size_t rows) {
  const F32 d;
  const PanelBias gate_bias(gate), up_bias(up);
  for (size_t m = 0; m < rows; ++m) {
    const float* g = gate_sums + m * sums_stride;
    const float* u = up_sums + m * sums_stride;
    StoreRow(gate, gate.y + (first_row + m) * gate.y_stride, [&](size_t i) HWY_ATTR {
      const VF gated =
          Activate(kFunction, hn::Add(hn::LoadU(d, g + i), hn::Load(d, gate_bias.values + i)));
      return hn::Mul(gated, hn::Add(hn::LoadU(d, u + i), hn::Load(d, up_bias.values + i)));
    });
  }
}

void StoreGatedBy(ActivationFunction function, const LinearPanel& gate, const LinearPanel& up,
                  const float* g, const float* u, size_t stride, size_t first, size_t rows) {
  using A = ActivationFunction;
  switch (function) {
    case A::kSilu:
      return StoreGated<A::kSilu>(gate, up, g, u, stride, first, rows);
    case A::kGelu:
      return StoreGated<A::kGelu>(gate, up, g, u, stride, first, rows);
    case A::kGeluNew:
    case A::kGeluFast:
    case A::kGeluPytorchTanh:
      return StoreGated<A::kGeluNew>(gate, up, g, u, stride, first, rows);
    case A::kQuickGelu:
      return StoreGated<A::kQuickGelu>(gate, up, g, u, stride, first, rows);
    case A::kRelu:
      return StoreGated<A::kRelu>(gate, up, g, u, stride, first, rows);
    case A::kRelu2:
      return StoreGated<A::kRelu2>(gate, up, g, u, stride, first, rows);
    case A::kTanh:
      return StoreGated<A::kTanh>(gate, up, g, u, stride, first, rows);
    case A::kSigmoid:
      return StoreGated<A::kSigmoid>(gate, up, g, u, stride, first, rows);
    case A::kLinear:
      return StoreGated<A::kLinear>(gate, up, g, u, stride, first, rows);
    case A::kMish:
      return StoreGated<A::kMish>(gate, up, g, u, stride, first, rows);
  }
}

}  // namespace

void StoreLinearTile(const LinearTile& tile, const float* sums, size_t sums_stride,
                     size_t first_row, size_t rows) {
  if (tile.gated) {
    const size_t pairs = tile.panel_count / 2;
    for (size_t p = 0; p < pairs; ++p) {
      StoreGatedBy(tile.activation, tile.panels[p], tile.panels[pairs + p], sums + p * kPanelRows,
                   sums + (pairs + p) * kPanelRows, sums_stride, first_row, rows);
    }
    return;
  }
  const F32 d;
  for (size_t p = 0; p < tile.panel_count; ++p) {
    const LinearPanel& panel = tile.panels[p];
    const PanelBias bias(panel);
    for (size_t m = 0; m < rows; ++m) {
      const float* from = sums + m * sums_stride + p * kPanelRows;
      StoreRow(panel, panel.y + (first_row + m) * panel.y_stride, [&](size_t i) HWY_ATTR {
        return hn::Add(hn::LoadU(d, from + i), hn::Load(d, bias.values + i));
      });
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();
