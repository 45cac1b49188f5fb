// linear over dense row-major weights, wherever they lie in the mapped checkpoint (at any byte):
// the eager arm. Dot products along the rows, float32, for every target of Highway. Workers divide
// the output rows; kM activation rows x kR weight rows of sums stay in registers.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/vector_config.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_dense_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

constexpr size_t kTileRows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 4 : 2;
constexpr size_t kWeightRows = 4;
// From so many activation rows on, 16-bit weight rows are widened once into scratch.
constexpr size_t kWidenFrom = 8;

// sums[m][r] = x[m] . w[r] for kM rows of x (x_stride floats apart) and kR rows of w (w_bytes
// apart).
template <class Element, size_t kM, size_t kR>
void DotRows(const float* x, size_t x_stride, const char* w, size_t w_bytes, size_t cols,
             float sums[kM][kWeightRows]) {
  using T = typename Element::Type;
  const F32 d;
  VF acc[kM][kR];
  for (size_t m = 0; m < kM; ++m) {
    for (size_t r = 0; r < kR; ++r) acc[m][r] = hn::Zero(d);
  }
  size_t k = 0;
  for (; k + kLanes <= cols; k += kLanes) {
    VF xs[kM];
    for (size_t m = 0; m < kM; ++m) xs[m] = hn::LoadU(d, x + m * x_stride + k);
    for (size_t r = 0; r < kR; ++r) {
      const VF ws = LoadElements<Element>(reinterpret_cast<const T*>(w + r * w_bytes) + k);
      for (size_t m = 0; m < kM; ++m) acc[m][r] = hn::MulAdd(xs[m], ws, acc[m][r]);
    }
  }
  if (k < cols) {
    for (size_t r = 0; r < kR; ++r) {
      const VF ws = LoadSome<Element>(reinterpret_cast<const T*>(w + r * w_bytes) + k, cols - k);
      for (size_t m = 0; m < kM; ++m) {
        acc[m][r] = hn::MulAdd(LoadSome<ElementF32>(x + m * x_stride + k, cols - k), ws, acc[m][r]);
      }
    }
  }
  for (size_t m = 0; m < kM; ++m) {
    for (size_t r = 0; r < kR; ++r) sums[m][r] = Sum(acc[m][r]);
  }
}

struct DenseRows {
  const float* x = nullptr;  // [rows, cols]
  size_t rows = 0, cols = 0;
  const char* w = nullptr;  // `count` <= kWeightRows rows
  size_t w_bytes = 0;       // from row to row
  size_t count = 0;
  const float* bias = nullptr;  // of the first of them, or null
  float* y = nullptr;           // y[0, first of them]
  size_t y_stride = 0;
};

template <class Element, size_t kM>
void TileRows(const DenseRows& job, size_t m) {
  float sums[kM][kWeightRows];
  const float* x = job.x + m * job.cols;
  if (job.count == kWeightRows) {
    DotRows<Element, kM, kWeightRows>(x, job.cols, job.w, job.w_bytes, job.cols, sums);
  } else {
    for (size_t r = 0; r < job.count; ++r) {
      float column[kM][kWeightRows];
      DotRows<Element, kM, 1>(x, job.cols, job.w + r * job.w_bytes, 0, job.cols, column);
      for (size_t i = 0; i < kM; ++i) sums[i][r] = column[i][0];
    }
  }
  for (size_t i = 0; i < kM; ++i) {
    for (size_t r = 0; r < job.count; ++r) {
      const float bias = job.bias == nullptr ? 0.0f : job.bias[r];
      job.y[(m + i) * job.y_stride + r] = sums[i][r] + bias;
    }
  }
}

template <class Element>
void AllRows(const DenseRows& job) {
  size_t m = 0;
  for (; m + kTileRows <= job.rows; m += kTileRows) TileRows<Element, kTileRows>(job, m);
  for (; m < job.rows; ++m) TileRows<Element, 1>(job, m);
}

template <class Element>
void WidenRows(const DenseRows& job, float* out) {
  using T = typename Element::Type;
  for (size_t r = 0; r < job.count; ++r) {
    const T* from = reinterpret_cast<const T*>(job.w + r * job.w_bytes);
    float* to = out + r * job.cols;
    size_t k = 0;
    for (; k + kLanes <= job.cols; k += kLanes) {
      hn::StoreU(LoadElements<Element>(from + k), F32(), to + k);
    }
    if (k < job.cols) {
      StoreSome<ElementF32>(LoadSome<Element>(from + k, job.cols - k), to + k, job.cols - k);
    }
  }
}

template <class Element>
void LinearDense(const OpCall& call, const Worker& worker) {
  using T = typename Element::Type;
  const Weight& weight = *call.inputs[1].weight;
  const Tensor& x = call.inputs[0].tensor;
  DenseRows job{.x = x.as<float>(),
                .rows = static_cast<size_t>(x.shape[0]),
                .cols = static_cast<size_t>(x.shape[1]),
                .w_bytes = static_cast<size_t>(weight.stride) * sizeof(T),
                .y_stride = static_cast<size_t>(weight.rows)};
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].tensor.as<float>() : nullptr;
  float* widened = reinterpret_cast<float*>(call.scratch) +
                   static_cast<size_t>(worker.index) * kWeightRows * job.cols;
  const Range mine = Split(static_cast<size_t>(weight.rows), worker, kWeightRows);
  for (size_t row = mine.begin; row < mine.end; row += kWeightRows) {
    job.count = std::min(kWeightRows, mine.end - row);
    job.w = static_cast<const char*>(weight.data) + row * job.w_bytes;
    job.bias = bias == nullptr ? nullptr : bias + row;
    job.y = call.outputs[0].tensor.as<float>() + row;
    if (Element::kDType == DType::kF32 || job.rows < kWidenFrom) {
      AllRows<Element>(job);
      continue;
    }
    WidenRows<Element>(job, widened);
    DenseRows wide = job;
    wide.w = reinterpret_cast<const char*>(widened);
    wide.w_bytes = job.cols * sizeof(float);
    AllRows<ElementF32>(wide);
  }
}

size_t Scratch(const OpCall& call, int workers) {
  const size_t cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * kWeightRows * cols * sizeof(float);
}

FATHOM_BASELINE_BEGIN();
template <class Element>
void AddElement(CpuKernelTable& table, const char* name) {
  CpuKernel& row = table.Add(name, kIsaSuffix, "dot products along rows in place, float32 products",
                             "linear", kIsaFeatures, LinearDense<Element>);
  row.weight_format = WeightFormat::kDense;
  row.weight_dtype = Element::kDType;
  row.scratch_bytes = Scratch;
}

void AddRows(CpuKernelTable& table) {
  AddElement<ElementF32>(table, "linear_f32_dense");
  AddElement<ElementF16>(table, "linear_f16_dense");
  AddElement<ElementBF16>(table, "linear_bf16_dense");
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLinearDenseKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
