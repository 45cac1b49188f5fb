// rms_norm and add_rms_norm, float32, for every target of Highway. Workers divide the tokens, or
// their heads.
#include <cmath>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/norm_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

struct Norm {
  const float* weight = nullptr;  // [n]
  size_t n = 0;
  double eps = 0;
  float offset = 0;
};

// y = x * scale * (offset + weight)
HWY_INLINE void ScaleRow(const Norm& norm, const float* x, float sum_of_squares, float* y) {
  const F32 d;
  const double mean = static_cast<double>(sum_of_squares) / static_cast<double>(norm.n);
  const float scale = static_cast<float>(1.0 / std::sqrt(mean + norm.eps));
  const VF offset = Splat(norm.offset);
  const VF factor = Splat(scale);
  size_t i = 0;
  for (; i + kLanes <= norm.n; i += kLanes) {
    const VF weight = hn::Add(offset, hn::LoadU(d, norm.weight + i));
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), factor), weight), d, y + i);
  }
  for (; i < norm.n; ++i) y[i] = x[i] * scale * (norm.offset + norm.weight[i]);
}

// sum = a + b (b may be null: sum is not written then); returns the sum of squares.
HWY_INLINE float SumOfSquares(const float* a, const float* b, float* sum, size_t n) {
  const F32 d;
  VF s0 = hn::Zero(d), s1 = hn::Zero(d);
  size_t i = 0;
  const auto take = [&](size_t at, VF total) HWY_ATTR {
    VF v = hn::LoadU(d, a + at);
    if (b != nullptr) {
      v = hn::Add(v, hn::LoadU(d, b + at));
      hn::StoreU(v, d, sum + at);
    }
    return hn::MulAdd(v, v, total);
  };
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    s0 = take(i, s0);
    s1 = take(i + kLanes, s1);
  }
  float total = Sum(hn::Add(s0, s1));
  for (; i < n; ++i) {
    float v = a[i];
    if (b != nullptr) sum[i] = v = v + b[i];
    total += v * v;
  }
  return total;
}

Norm NormOf(const OpCall& call, size_t weight_input) {
  const Tensor& weight = call.inputs[weight_input].tensor;
  return {weight.as<float>(), static_cast<size_t>(weight.shape[0]), call.attributes->Double("eps"),
          static_cast<float>(call.attributes->Double("weight_offset", 0.0))};
}

void RmsNorm(const OpCall& call, const Worker& worker) {
  const Tensor& x = call.inputs[0].tensor;
  const Norm norm = NormOf(call, 1);
  // With head_dim a token holds several runs of n, each normalized by itself.
  const Range rows = Split(
      static_cast<size_t>(x.shape[0] * (x.shape[1] / call.inputs[1].tensor.shape[0])), worker);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const float* from = x.as<float>() + row * norm.n;
    ScaleRow(norm, from, SumOfSquares(from, nullptr, nullptr, norm.n),
             call.outputs[0].tensor.as<float>() + row * norm.n);
  }
}

void AddRmsNorm(const OpCall& call, const Worker& worker) {
  const Tensor& a = call.inputs[0].tensor;
  const Norm norm = NormOf(call, 2);
  const Range rows = Split(static_cast<size_t>(a.shape[0]), worker);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const size_t at = row * norm.n;
    float* sum = call.outputs[0].tensor.as<float>() + at;
    const float squares =
        SumOfSquares(a.as<float>() + at, call.inputs[1].tensor.as<float>() + at, sum, norm.n);
    ScaleRow(norm, sum, squares, call.outputs[1].tensor.as<float>() + at);
  }
}

FATHOM_BASELINE_BEGIN();
void AddRows(CpuKernelTable& table) {
  table.Add("rms_norm_f32", kIsaSuffix, "a token or head a worker", "rms_norm", kIsaFeatures,
            RmsNorm);
  table.Add("add_rms_norm_f32", kIsaSuffix, "sum and norm in one pass", "add_rms_norm",
            kIsaFeatures, AddRmsNorm);
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddNormKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
