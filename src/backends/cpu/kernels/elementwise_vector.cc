// add, activation, gated_activation and the identities (all_reduce, all_gather, copy at size 1),
// float32, for every target of Highway.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/vector_config.h"
#include "ops/activation_function.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/elementwise_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

// Elements below which one worker does it alone.
constexpr size_t kGrain = 4096;

Range MyElements(const OpCall& call, const Worker& worker) {
  return Split(static_cast<size_t>(call.inputs[0].tensor.shape.elements()), worker, kGrain);
}

// out[i] = function(a[i], b[i]) over a range; b may be a.
template <class Function>
HWY_INLINE void Map(const float* a, const float* b, float* out, Range range, Function function) {
  const F32 d;
  size_t i = range.begin;
  for (; i + kLanes <= range.end; i += kLanes) {
    hn::StoreU(function(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  }
  if (i < range.end) {
    const size_t count = range.end - i;
    StoreSome<ElementF32>(
        function(LoadSome<ElementF32>(a + i, count), LoadSome<ElementF32>(b + i, count)), out + i,
        count);
  }
}

void Add(const OpCall& call, const Worker& worker) {
  Map(call.inputs[0].tensor.as<float>(), call.inputs[1].tensor.as<float>(),
      call.outputs[0].tensor.as<float>(), MyElements(call, worker),
      [](VF a, VF b) HWY_ATTR { return hn::Add(a, b); });
}

// One copy of the loop a function: the switch stays outside it.
template <ActivationFunction kFunction>
void ActivationOf(const OpCall& call, Range range, bool gated) {
  const float* x = call.inputs[0].tensor.as<float>();
  float* y = call.outputs[0].tensor.as<float>();
  if (gated) {
    Map(x, call.inputs[1].tensor.as<float>(), y, range,
        [](VF gate, VF up) HWY_ATTR { return hn::Mul(Activate(kFunction, gate), up); });
  } else {
    Map(x, x, y, range, [](VF a, VF) HWY_ATTR { return Activate(kFunction, a); });
  }
}

void ActivationBy(const OpCall& call, const Worker& worker, bool gated) {
  const Range range = MyElements(call, worker);
  if (range.empty()) return;
  using A = ActivationFunction;
  switch (GetActivationFunction(call.attributes->String("activation"))) {
    case A::kSilu:
      return ActivationOf<A::kSilu>(call, range, gated);
    case A::kGelu:
      return ActivationOf<A::kGelu>(call, range, gated);
    case A::kGeluNew:
    case A::kGeluFast:
    case A::kGeluPytorchTanh:
      return ActivationOf<A::kGeluNew>(call, range, gated);
    case A::kQuickGelu:
      return ActivationOf<A::kQuickGelu>(call, range, gated);
    case A::kRelu:
      return ActivationOf<A::kRelu>(call, range, gated);
    case A::kRelu2:
      return ActivationOf<A::kRelu2>(call, range, gated);
    case A::kTanh:
      return ActivationOf<A::kTanh>(call, range, gated);
    case A::kSigmoid:
      return ActivationOf<A::kSigmoid>(call, range, gated);
    case A::kLinear:
      return ActivationOf<A::kLinear>(call, range, gated);
    case A::kMish:
      return ActivationOf<A::kMish>(call, range, gated);
  }
}

void Activation(const OpCall& call, const Worker& worker) { ActivationBy(call, worker, false); }
void GatedActivation(const OpCall& call, const Worker& worker) { ActivationBy(call, worker, true); }

void Identity(const OpCall& call, const Worker& worker) {
  const Range range = MyElements(call, worker);
  std::memcpy(call.outputs[0].tensor.as<float>() + range.begin,
              call.inputs[0].tensor.as<float>() + range.begin, range.size() * sizeof(float));
}

FATHOM_BASELINE_BEGIN();
void AddRows(CpuKernelTable& table) {
  table.Add("add_f32", kIsaSuffix, "sum of two tensors", "add", kIsaFeatures, Add);
  table.Add("activation_f32", kIsaSuffix, "activation function", "activation", kIsaFeatures,
            Activation);
  table.Add("gated_activation_f32", kIsaSuffix, "activation of the gate times up",
            "gated_activation", kIsaFeatures, GatedActivation);
  table.Add("all_reduce_f32", kIsaSuffix, "the identity at size 1", "all_reduce", kIsaFeatures,
            Identity);
  table.Add("all_gather_f32", kIsaSuffix, "the identity at size 1", "all_gather", kIsaFeatures,
            Identity);
  table.Add("copy_f32", kIsaSuffix, "a copy", "copy", kIsaFeatures, Identity);
}
FATHOM_BASELINE_END();

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

void AddElementwiseKernels(CpuKernelTable& table) { FATHOM_ADD_ROWS(table); }

}  // namespace fathom
#endif
