// embedding and gather_rows for every target of Highway. Workers divide the tokens.
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/vector_config.h"
#include "base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/lookup_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

// Copies the elements of row r that kPanel16 keeps 16 rows apart into a run (tensor/weight.h), so
// that they convert in whole vectors.
template <class Element>
void EmbeddingRow(const Weight& table, int64_t row, float scale, float* out) {
  using T = typename Element::Type;
  const size_t cols = static_cast<size_t>(table.cols);
  const bool dense = table.format == WeightFormat::kDense;
  const char* bytes = static_cast<const char*>(table.data);
  const char* from = dense ? bytes + row * table.stride * sizeof(T)
                           : bytes + (row / 16 * table.stride) * sizeof(T) + row % 16 * 4;
  HWY_ALIGN T run[kLanes];
  for (size_t c = 0; c < cols; c += kLanes) {
    const size_t count = cols - c < kLanes ? cols - c : kLanes;
    if (dense) {
      std::memcpy(run, from + c * sizeof(T), count * sizeof(T));
    } else if constexpr (sizeof(T) == 4) {
      for (size_t i = 0; i < count; ++i) std::memcpy(run + i, from + (c + i) * 64, 4);
    } else {
      // Pairs of columns; the padding of an odd last one is there to be read.
      for (size_t i = 0; i < count; i += 2) std::memcpy(run + i, from + (c + i) * 32, 4);
    }
    const VF value = hn::Mul(LoadElements<Element>(run), Splat(scale));
    if (count == kLanes) {
      hn::StoreU(value, F32(), out + c);
    } else {
      StoreSome<ElementF32>(value, out + c, count);
    }
  }
}

template <class Element>
void Embedding(const OpCall& call, const Worker& worker) {
  const Weight& table = *call.inputs[1].weight;
  const auto* ids = call.inputs[0].tensor.as<int32_t>();
  const Tensor& x = call.outputs[0].tensor;
  const float scale = static_cast<float>(call.attributes->Double("scale", 1.0));
  const Range tokens = Split(static_cast<size_t>(x.shape[0]), worker);
  for (size_t t = tokens.begin; t < tokens.end; ++t) {
    FATHOM_CHECK(ids[t] >= 0 && ids[t] < table.rows);
    EmbeddingRow<Element>(table, ids[t], scale, x.row<float>(t));
  }
}

void GatherRows(const OpCall& call, const Worker& worker) {
  const Tensor& x = call.inputs[0].tensor;
  const Tensor& y = call.outputs[0].tensor;
  const auto* rows = call.inputs[1].tensor.as<int32_t>();
  const Range mine = Split(static_cast<size_t>(y.shape[0]), worker);
  for (size_t i = mine.begin; i < mine.end; ++i) {
    FATHOM_CHECK(rows[i] >= 0 && rows[i] < x.shape[0]);
    std::memcpy(y.row<float>(i), x.row<float>(rows[i]),
                static_cast<size_t>(x.shape[1]) * sizeof(float));
  }
}

FATHOM_BASELINE_BEGIN();
template <class Element>
void AddEmbedding(CpuKernelTable& table, const char* name) {
  table
      .Add(name, kIsaSuffix, "rows of a dense or panel16 table", "embedding", kIsaFeatures,
           Embedding<Element>)
      .weight_dtype = Element::kDType;
}

void AddRows(CpuKernelTable& table) {
  AddEmbedding<ElementF32>(table, "embedding_f32");
  AddEmbedding<ElementF16>(table, "embedding_f16");
  AddEmbedding<ElementBF16>(table, "embedding_bf16");
  table.Add("gather_rows_f32", kIsaSuffix, "copies of rows", "gather_rows", kIsaFeatures,
            GatherRows);
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddLookupKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
