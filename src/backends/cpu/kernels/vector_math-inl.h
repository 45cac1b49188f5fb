// What the *_vector.cc files share, once a target: loads of every element type as float, and the
// functions of the activations. Polynomials: tools/fit_polynomials.py.
#include <cstdint>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "ops/activation_function.h"
#include "ops/op.h"
#include "tensor/convert.h"

#if defined(FATHOM_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_VECTOR_MATH_INL_H_
#undef FATHOM_VECTOR_MATH_INL_H_
#else
#define FATHOM_VECTOR_MATH_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using U32 = hn::ScalableTag<uint32_t>;
using U16Half = hn::Rebind<uint16_t, F32>;  // as many lanes as F32
using F16Half = hn::Rebind<hwy::float16_t, F32>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<I32>;

inline constexpr size_t kLanes = HWY_LANES(float);

// The features that this target's code needs, and how its rows are called.
#if HWY_TARGET == HWY_AVX3
inline constexpr const char* kIsaSuffix = "avx512";
inline constexpr CpuFeatures kIsaFeatures = {
    CpuFeature::kAvx,      CpuFeature::kAvx2,    CpuFeature::kFma,     CpuFeature::kF16c,
    CpuFeature::kBmi1,     CpuFeature::kBmi2,    CpuFeature::kAvx512f, CpuFeature::kAvx512bw,
    CpuFeature::kAvx512dq, CpuFeature::kAvx512vl};
#elif HWY_TARGET == HWY_AVX2
inline constexpr const char* kIsaSuffix = "avx2";
inline constexpr CpuFeatures kIsaFeatures = {CpuFeature::kAvx,  CpuFeature::kAvx2,
                                             CpuFeature::kFma,  CpuFeature::kF16c,
                                             CpuFeature::kBmi1, CpuFeature::kBmi2};
#elif HWY_TARGET == HWY_NEON
inline constexpr const char* kIsaSuffix = "neon";
inline constexpr CpuFeatures kIsaFeatures = {CpuFeature::kNeon};
#else
inline constexpr const char* kIsaSuffix = "baseline";
inline constexpr CpuFeatures kIsaFeatures = {};
#endif

// --- loads and stores of an element type as float
// -------------------------------------------------
struct ElementF32 {
  using Type = float;
  static constexpr DType kDType = DType::kF32;
  static constexpr const char* kName = "f32";
};
struct ElementF16 {
  using Type = uint16_t;
  static constexpr DType kDType = DType::kF16;
  static constexpr const char* kName = "f16";
};
struct ElementBF16 {
  using Type = uint16_t;
  static constexpr DType kDType = DType::kBF16;
  static constexpr const char* kName = "bf16";
};

HWY_INLINE VF FromBF16(hn::Vec<U16Half> bits) {
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), bits)));
}
HWY_INLINE VF FromF16(hn::Vec<U16Half> bits) {
  return hn::PromoteTo(F32(), hn::BitCast(F16Half(), bits));
}

// kLanes elements at any byte address.
template <class Element>
HWY_INLINE VF LoadElements(const typename Element::Type* from) {
  if constexpr (Element::kDType == DType::kF32) {
    return hn::LoadU(F32(), from);
  } else if constexpr (Element::kDType == DType::kF16) {
    return FromF16(hn::LoadU(U16Half(), from));
  } else {
    return FromBF16(hn::LoadU(U16Half(), from));
  }
}

// Round to nearest even; NaN stays NaN.
HWY_INLINE hn::Vec<U16Half> ToBF16(VF value) {
  const U32 du;
  const auto bits = hn::BitCast(du, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
  const auto nan = hn::Or(bits, hn::Set(du, 0x400000));
  const auto is_nan = hn::RebindMask(du, hn::IsNaN(value));
  return hn::TruncateTo(U16Half(), hn::ShiftRight<16>(hn::IfThenElse(is_nan, nan, rounded)));
}

template <class Element>
HWY_INLINE void StoreElements(VF value, typename Element::Type* to) {
  if constexpr (Element::kDType == DType::kF32) {
    hn::StoreU(value, F32(), to);
  } else if constexpr (Element::kDType == DType::kF16) {
#if HWY_TARGET == HWY_EMU128  // Highway's own cuts the last bit off
    HWY_ALIGN float values[kLanes];
    hn::Store(value, F32(), values);
    for (size_t i = 0; i < kLanes; ++i) to[i] = FloatToF16(values[i]);
#else
    hn::StoreU(hn::BitCast(U16Half(), hn::DemoteTo(F16Half(), value)), U16Half(), to);
#endif
  } else {
    hn::StoreU(ToBF16(value), U16Half(), to);
  }
}

// The first `count` < kLanes elements; zeros behind them.
template <class Element>
HWY_INLINE VF LoadSome(const typename Element::Type* from, size_t count) {
  HWY_ALIGN typename Element::Type padded[kLanes] = {};
  std::memcpy(padded, from, count * sizeof(typename Element::Type));
  return LoadElements<Element>(padded);
}
template <class Element>
HWY_INLINE void StoreSome(VF value, typename Element::Type* to, size_t count) {
  HWY_ALIGN typename Element::Type padded[kLanes];
  StoreElements<Element>(value, padded);
  std::memcpy(to, padded, count * sizeof(typename Element::Type));
}

HWY_INLINE float Sum(VF value) { return hn::GetLane(hn::SumOfLanes(F32(), value)); }
HWY_INLINE float Max(VF value) { return hn::GetLane(hn::MaxOfLanes(F32(), value)); }

// --- functions
// ------------------------------------------------------------------------------------

HWY_INLINE VF Splat(float value) { return hn::Set(F32(), value); }

// e^r for |r| <= ln(2) / 2, where x = n * ln(2) + r.
HWY_INLINE VF ExpOfRest(VF x, VF n) {
  VF r = hn::NegMulAdd(n, Splat(0.693145751953125f), x);  // ln 2 in two parts
  r = hn::NegMulAdd(n, Splat(1.42860677e-6f), r);
  VF p = Splat(0.000198919813f);
  p = hn::MulAdd(p, r, Splat(0.00139345419f));
  p = hn::MulAdd(p, r, Splat(0.00833331002f));
  p = hn::MulAdd(p, r, Splat(0.0416664568f));
  p = hn::MulAdd(p, r, Splat(0.166666667f));
  p = hn::MulAdd(p, r, Splat(0.5f));
  return hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), Splat(1.0f));
}

// p * 2^n for whole n of either sign, |n| <= 126.
HWY_INLINE VF TimesPowerOfTwo(VF p, VF n) {
#if HWY_TARGET == HWY_AVX3
  return VF{_mm512_scalef_ps(p.raw, n.raw)};
#else
  const I32 di;
  const VI power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  return hn::Mul(p, hn::BitCast(F32(), power));
#endif
}

// e^x within 2 ulp; 0 below -87.3 (no denormals), infinity above 88.7; NaN stays.
HWY_INLINE VF Exp(VF x) {
  const VF bounded = hn::Min(hn::Max(x, Splat(-88.0f)), Splat(89.0f));
  const VF n = hn::Round(hn::Mul(bounded, Splat(1.44269504f)));
  // 2^n in two factors: n = 128 has no float.
  const VF one = hn::Clamp(n, Splat(-1.0f), Splat(1.0f));
  const VF value = TimesPowerOfTwo(TimesPowerOfTwo(ExpOfRest(bounded, n), hn::Sub(n, one)), one);
  const VF positive = hn::IfThenZeroElse(hn::Lt(x, Splat(-87.3f)), value);
  return hn::IfThenElse(hn::IsNaN(x), x, positive);
}

// The same for softmax: x <= 0 or -infinity, no NaN.
HWY_INLINE VF ExpOfNonPositive(VF x) {
  const VF bounded = hn::Max(x, Splat(-87.3f));
  const VF n = hn::Round(hn::Mul(bounded, Splat(1.44269504f)));
  const VF value = TimesPowerOfTwo(ExpOfRest(bounded, n), n);
  return hn::IfThenZeroElse(hn::Lt(x, Splat(-87.3f)), value);
}

// a / b for b in [1, 2^126] and any a. AVX-512 divides at half the speed of this: an estimate of 14
// bits and one step of Newton's, within 2 ulp.
HWY_INLINE VF DivideBySum(VF a, VF b) {
#if HWY_TARGET == HWY_AVX3
  const VF estimate{_mm512_rcp14_ps(b.raw)};
  return hn::Mul(a, hn::Mul(estimate, hn::NegMulAdd(estimate, b, Splat(2.0f))));
#else
  return hn::Div(a, b);
#endif
}

// x / (1 + e^(slope * u)), slope and u of any sign; NaN of u stays. Cheaper than Exp: as 2^(n + f)
// with one rounding of slope * log2(e), which costs 1 ulp for every 8 of the exponent, and no bound
// below.
HWY_INLINE VF DivideByOnePlusExp(VF x, VF u, float slope) {
  const VF scale = Splat(slope * 1.44269504f);
  const VF bounded = hn::Min(Splat(125.0f), hn::Mul(u, scale));
#if HWY_TARGET == HWY_AVX3
  const VF power = bounded;  // a scale of 2^-1000 gives 0 there
#else
  const VF power = hn::Max(Splat(-125.0f), bounded);
#endif
  const VF n = hn::Round(power);
  const VF f = hn::Sub(power, n);
  VF p = Splat(0.000154541621f);
  p = hn::MulAdd(p, f, Splat(0.00133920174f));
  p = hn::MulAdd(p, f, Splat(0.00961808067f));
  p = hn::MulAdd(p, f, Splat(0.0555035493f));
  p = hn::MulAdd(p, f, Splat(0.240226508f));
  p = hn::MulAdd(p, f, Splat(0.693147188f));
  p = hn::MulAdd(p, f, Splat(1.0f));
  return DivideBySum(x, hn::Add(Splat(1.0f), TimesPowerOfTwo(p, n)));
}

HWY_INLINE VF Sigmoid(VF x) {
  return hn::IfThenElse(hn::IsNaN(x), x, DivideByOnePlusExp(Splat(1.0f), x, -1.0f));
}

HWY_INLINE VF Tanh(VF x) {
  const VF square = hn::Mul(x, x);
  VF p = Splat(-0.00592372621f);
  p = hn::MulAdd(p, square, Splat(0.0208734606f));
  p = hn::MulAdd(p, square, Splat(-0.0538237589f));
  p = hn::MulAdd(p, square, Splat(0.133325837f));
  p = hn::MulAdd(p, square, Splat(-0.33333327f));
  const VF small = hn::MulAdd(hn::Mul(p, square), x, x);
  const VF e = Exp(hn::Mul(hn::Abs(x), Splat(-2.0f)));
  const VF large = hn::Div(hn::Sub(Splat(1.0f), e), hn::Add(Splat(1.0f), e));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), Splat(0.65f)), small, hn::CopySign(large, x));
}

HWY_INLINE VF Erf(VF x) {
  const VF square = hn::Mul(x, x);
  VF p = Splat(7.87587506e-5f);
  p = hn::MulAdd(p, square, Splat(-0.000801686429f));
  p = hn::MulAdd(p, square, Splat(0.00518908742f));
  p = hn::MulAdd(p, square, Splat(-0.026854212f));
  p = hn::MulAdd(p, square, Splat(0.112835947f));
  p = hn::MulAdd(p, square, Splat(-0.376126267f));
  p = hn::MulAdd(p, square, Splat(1.12837917f));
  const VF small = hn::Mul(p, x);
  const VF t = hn::Sub(hn::Min(hn::Abs(x), Splat(4.0f)), Splat(2.5f));
  VF q = Splat(1.63715141e-6f);
  q = hn::MulAdd(q, t, Splat(-1.33150144e-5f));
  q = hn::MulAdd(q, t, Splat(7.72913762e-5f));
  q = hn::MulAdd(q, t, Splat(-0.000420122524f));
  q = hn::MulAdd(q, t, Splat(0.00216530355f));
  q = hn::MulAdd(q, t, Splat(-0.0108585416f));
  q = hn::MulAdd(q, t, Splat(-0.943893704f));
  q = hn::MulAdd(q, t, Splat(-5.35268067f));
  q = hn::MulAdd(q, t, Splat(-7.80681527f));
  const VF large = hn::CopySign(hn::Sub(Splat(1.0f), Exp(q)), x);
  const VF value = hn::IfThenElse(hn::Lt(hn::Abs(x), Splat(1.0f)), small, large);
  return hn::IfThenElse(hn::IsNaN(x), x, value);
}

// x * sigmoid(slope * x)
HWY_INLINE VF Swish(VF x, float slope) { return DivideByOnePlusExp(x, x, -slope); }

// x / 2 * (1 + tanh(u)) = x * sigmoid(2 u), u = sqrt(2 / pi) * (x + 0.044715 x^3)
HWY_INLINE VF GeluTanh(VF x) {
  const VF inner = hn::MulAdd(hn::Mul(hn::Mul(x, x), Splat(0.044715f)), x, x);
  return DivideByOnePlusExp(x, inner, -1.5957691216f);
}

// x * tanh(log(1 + e^x)) = x * (e^2 + 2 e) / (e^2 + 2 e + 2)
HWY_INLINE VF Mish(VF x) {
  const VF e = Exp(hn::Min(x, Splat(30.0f)));
  const VF n = hn::Mul(e, hn::Add(e, Splat(2.0f)));
  return hn::Mul(x, hn::Div(n, hn::Add(n, Splat(2.0f))));
}

HWY_INLINE VF Activate(ActivationFunction function, VF x) {
  switch (function) {
    case ActivationFunction::kLinear:
      return x;
    case ActivationFunction::kSilu:
      return Swish(x, 1.0f);
    case ActivationFunction::kGelu: {
      const VF erf = Erf(hn::Mul(x, Splat(0.70710678f)));
      return hn::Mul(hn::Mul(x, Splat(0.5f)), hn::Add(Splat(1.0f), erf));
    }
    case ActivationFunction::kGeluNew:
    case ActivationFunction::kGeluFast:
    case ActivationFunction::kGeluPytorchTanh:
      return GeluTanh(x);
    case ActivationFunction::kQuickGelu:
      return Swish(x, 1.702f);
    case ActivationFunction::kRelu:
      return hn::IfThenElse(hn::Lt(x, Splat(0.0f)), Splat(0.0f), x);
    case ActivationFunction::kRelu2: {
      const VF positive = hn::IfThenElse(hn::Lt(x, Splat(0.0f)), Splat(0.0f), x);
      return hn::Mul(positive, positive);
    }
    case ActivationFunction::kTanh:
      return Tanh(x);
    case ActivationFunction::kSigmoid:
      return Sigmoid(x);
    case ActivationFunction::kMish:
      return Mish(x);
  }
  return x;
}

}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

// Inside a namespace fathom function of the HWY_ONCE part: the rows of every target.
#undef FATHOM_ADD_ROWS
#if defined(__x86_64__)
#define FATHOM_ADD_ROWS(table) \
  N_AVX3::AddRows(table);      \
  N_AVX2::AddRows(table);      \
  N_EMU128::AddRows(table)
#else
#define FATHOM_ADD_ROWS(table) N_NEON::AddRows(table)
#endif

#endif  // FATHOM_VECTOR_MATH_INL_H_
