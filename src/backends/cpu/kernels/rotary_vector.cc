// rotary, rotary_cache_write and cache_write for every target of Highway, and rotary_table. Workers
// divide the tokens. Legend: H heads, D head_dim, R rotary_dim.
#include <array>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/vector_config.h"
#include "base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/rotary_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

// x[0, count) -> y, converted.
template <class Out>
HWY_INLINE void ConvertSpan(const float* x, size_t count, typename Out::Type* y) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) StoreElements<Out>(hn::LoadU(F32(), x + i), y + i);
  if (i < count) StoreSome<Out>(LoadSome<ElementF32>(x + i, count - i), y + i, count - i);
}

// One head: dims [0, R) turned by the token's table row (cos [R/2], sin [R/2]), the rest converted.
template <class Out>
HWY_INLINE void RotateHalves(const float* x, const float* table, size_t half, size_t head_dim,
                             typename Out::Type* y) {
  const auto turn = [&](size_t i, size_t count) HWY_ATTR {
    const bool whole = count == kLanes;
    const auto load = [&](const float* from) HWY_ATTR {
      return whole ? hn::LoadU(F32(), from) : LoadSome<ElementF32>(from, count);
    };
    const VF cos = load(table + i), sin = load(table + half + i);
    const VF low = load(x + i), high = load(x + half + i);
    const VF first = hn::Sub(hn::Mul(low, cos), hn::Mul(high, sin));
    const VF second = hn::Add(hn::Mul(high, cos), hn::Mul(low, sin));
    if (whole) {
      StoreElements<Out>(first, y + i);
      StoreElements<Out>(second, y + half + i);
    } else {
      StoreSome<Out>(first, y + i, count);
      StoreSome<Out>(second, y + half + i, count);
    }
  };
  size_t i = 0;
  for (; i + kLanes <= half; i += kLanes) turn(i, kLanes);
  if (i < half) turn(i, half - i);
  ConvertSpan<Out>(x + 2 * half, head_dim - 2 * half, y + 2 * half);
}

template <class Out>
HWY_INLINE void RotatePairs(const float* x, const float* table, size_t half, size_t head_dim,
                            typename Out::Type* y) {
  float turned[2 * kLanes];
  for (size_t i = 0; i < half; i += kLanes) {
    const size_t count = half - i < kLanes ? half - i : kLanes;
    for (size_t j = 0; j < count; ++j) {
      const float cos = table[i + j], sin = table[half + i + j];
      const float a = x[2 * (i + j)], b = x[2 * (i + j) + 1];
      turned[2 * j] = a * cos - b * sin;
      turned[2 * j + 1] = b * cos + a * sin;
    }
    ConvertSpan<Out>(turned, 2 * count, y + 2 * i);
  }
  ConvertSpan<Out>(x + 2 * half, head_dim - 2 * half, y + 2 * half);
}

template <class Out>
HWY_INLINE void RotateHead(const float* x, const float* table, size_t half, size_t head_dim,
                           bool interleaved, typename Out::Type* y) {
  if (interleaved) {
    RotatePairs<Out>(x, table, half, head_dim, y);
  } else {
    RotateHalves<Out>(x, table, half, head_dim, y);
  }
}

// y[t, h] = rotated x[t, h] for the worker's tokens.
void RotateAll(const Tensor& x, const Tensor& table, const Attributes& attributes, const Tensor& y,
               Range tokens) {
  const size_t head_dim = static_cast<size_t>(attributes.Int("head_dim"));
  const bool interleaved = attributes.Int("interleaved", 0) != 0;
  const size_t heads = static_cast<size_t>(x.shape[1]) / head_dim;
  const size_t half = static_cast<size_t>(table.shape[1]) / 2;
  for (size_t t = tokens.begin; t < tokens.end; ++t) {
    for (size_t h = 0; h < heads; ++h) {
      RotateHead<ElementF32>(x.row<float>(t) + h * head_dim, table.row<float>(t), half, head_dim,
                             interleaved, y.row<float>(t) + h * head_dim);
    }
  }
}

void Rotary(const OpCall& call, const Worker& worker) {
  const Tensor& x = call.inputs[0].tensor;
  RotateAll(x, call.inputs[1].tensor, *call.attributes, call.outputs[0].tensor,
            Split(static_cast<size_t>(x.shape[0]), worker));
}

// Row of head 0 of the slot; heads are strides[1] apart.
template <class Out>
typename Out::Type* SlotRow(const Tensor& cache, int32_t slot) {
  const int64_t block_size = cache.shape[2];
  FATHOM_CHECK(slot >= 0 && slot < cache.shape[0] * block_size);
  return cache.as<typename Out::Type>() + slot / block_size * cache.strides[0] +
         slot % block_size * cache.strides[2];
}

template <class Out>
void WriteRows(const Tensor& x, const int32_t* slots, const Tensor& cache, Range tokens) {
  const size_t dim = static_cast<size_t>(cache.shape[3]);
  for (size_t t = tokens.begin; t < tokens.end; ++t) {
    auto* to = SlotRow<Out>(cache, slots[t]);
    for (int64_t h = 0; h < cache.shape[1]; ++h) {
      ConvertSpan<Out>(x.row<float>(t) + h * dim, dim, to + h * cache.strides[1]);
    }
  }
}

template <class Out>
void CacheWrite(const OpCall& call, const Worker& worker) {
  const Range tokens = Split(static_cast<size_t>(call.inputs[0].tensor.shape[0]), worker);
  const auto* slots = call.inputs[2].tensor.as<int32_t>();
  WriteRows<Out>(call.inputs[0].tensor, slots, call.inputs[3].tensor, tokens);
  WriteRows<Out>(call.inputs[1].tensor, slots, call.inputs[4].tensor, tokens);
}

template <class Out>
void RotaryCacheWrite(const OpCall& call, const Worker& worker) {
  const Tensor& k = call.inputs[1].tensor;
  const Tensor& table = call.inputs[3].tensor;
  const Tensor& key_cache = call.inputs[5].tensor;
  const auto* slots = call.inputs[4].tensor.as<int32_t>();
  const Range tokens = Split(static_cast<size_t>(k.shape[0]), worker);
  RotateAll(call.inputs[0].tensor, table, *call.attributes, call.outputs[0].tensor, tokens);
  const size_t dim = static_cast<size_t>(key_cache.shape[3]);
  const size_t half = static_cast<size_t>(table.shape[1]) / 2;
  const bool interleaved = call.attributes->Int("interleaved", 0) != 0;
  for (size_t t = tokens.begin; t < tokens.end; ++t) {
    auto* to = SlotRow<Out>(key_cache, slots[t]);
    for (int64_t h = 0; h < key_cache.shape[1]; ++h) {
      RotateHead<Out>(k.row<float>(t) + h * dim, table.row<float>(t), half, dim, interleaved,
                      to + h * key_cache.strides[1]);
    }
  }
  WriteRows<Out>(call.inputs[2].tensor, slots, call.inputs[6].tensor, tokens);
}

FATHOM_BASELINE_BEGIN();
template <class Out>
void AddCacheRows(CpuKernelTable& table, const char* write_name, const char* rotary_name) {
  table
      .Add(write_name, kIsaSuffix, "keys and values into their slots", "cache_write", kIsaFeatures,
           CacheWrite<Out>)
      .cache_dtype = Out::kDType;
  table
      .Add(rotary_name, kIsaSuffix, "queries rotated, keys rotated into their slots, values",
           "rotary_cache_write", kIsaFeatures, RotaryCacheWrite<Out>)
      .cache_dtype = Out::kDType;
}

void AddRows(CpuKernelTable& table) {
  table.Add("rotary_f32", kIsaSuffix, "a token a worker", "rotary", kIsaFeatures, Rotary);
  AddCacheRows<ElementF32>(table, "cache_write_f32", "rotary_cache_write_f32");
  AddCacheRows<ElementF16>(table, "cache_write_f16", "rotary_cache_write_f16");
  AddCacheRows<ElementBF16>(table, "cache_write_bf16", "rotary_cache_write_bf16");
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {
namespace {

// The reference on each worker's tokens: once a step, and the C library's sine is what torch's is.
void RotaryTable(const OpCall& call, const Worker& worker) {
  static const OpRecord& record = GetOp("rotary_table");
  const Tensor& table = call.outputs[0].tensor;
  const Range tokens = Split(static_cast<size_t>(table.shape[0]), worker, 16);
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0) return;
  std::array<Operand, 2> inputs;
  for (size_t i = 0; i < call.inputs.size() && i < inputs.size(); ++i) {
    if (!call.inputs[i].present()) continue;
    inputs[i].tensor =
        Tensor::Dense(DType::kI32, {count}, call.inputs[i].tensor.as<int32_t>() + tokens.begin);
  }
  std::array<Operand, 1> outputs;
  outputs[0].tensor =
      Tensor::Dense(DType::kF32, {count, table.shape[1]}, table.row<float>(tokens.begin));
  record.reference({.attributes = call.attributes,
                    .inputs = std::span<const Operand>(inputs).first(call.inputs.size()),
                    .outputs = outputs});
}

}  // namespace

void AddRotaryKernels(CpuKernelTable& table) {
  FATHOM_ADD_ROWS(table);
  table.Add("rotary_table_f32", "scalar", "cosines and sines, tokens divided", "rotary_table", {},
            RotaryTable);
}

}  // namespace fathom
#endif
