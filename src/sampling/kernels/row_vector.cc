// The passes of row_kernels.h for every target of Highway.
#include <cstring>
#include <limits>

#include "machine/vector_config.h"
#include "sampling/kernels/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "sampling/kernels/row_vector.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fathom {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using F64 = hn::ScalableTag<double>;
using F32Half = hn::Rebind<float, F64>;  // as many lanes as F64
using VF = hn::Vec<F32>;
using VD = hn::Vec<F64>;

constexpr size_t kLanes = HWY_LANES(float);
constexpr size_t kVectors = kColumns / kLanes;  // of a line of 16
constexpr size_t kHalves = 2 * kVectors;        // of a line, in double
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// --- exp(x), x <= 0: the same operations in the same order as ExpNegative (score_row.cc) ---
struct Reduced {
  VF shifted, p;
};

HWY_INLINE Reduced Reduce(VF clamped) {
  const F32 d;
  const auto c = [&](float value) HWY_ATTR { return hn::Set(d, value); };
  const VF shifted = hn::Add(hn::Mul(clamped, c(1.44269504f)), c(12582912.0f));
  const VF n = hn::Sub(shifted, c(12582912.0f));
  const VF r =
      hn::Add(hn::Sub(clamped, hn::Mul(n, c(0.693359375f))), hn::Mul(n, c(2.12194440e-4f)));
  VF p = c(1.0f / 5040);
  p = hn::Add(hn::Mul(p, r), c(1.0f / 720));
  p = hn::Add(hn::Mul(p, r), c(1.0f / 120));
  p = hn::Add(hn::Mul(p, r), c(1.0f / 24));
  p = hn::Add(hn::Mul(p, r), c(1.0f / 6));
  p = hn::Add(hn::Mul(p, r), c(0.5f));
  p = hn::Add(hn::Add(hn::Mul(hn::Mul(p, r), r), r), c(1.0f));
  return {shifted, p};
}

// Results that may be denormal: the power of two in two factors.
HWY_INLINE VF ExpFull(VF x) {
  const F32 d;
  const I32 di;
  const VF clamped = hn::IfThenElse(hn::Lt(x, hn::Set(d, -104.0f)), hn::Set(d, -104.0f), x);
  const Reduced reduced = Reduce(clamped);
  const auto power = hn::Sub(hn::BitCast(di, reduced.shifted), hn::Set(di, 0x4B400000));
  // Rounds towards zero, as int division does.
  const auto half = hn::ShiftRight<1>(hn::Sub(power, hn::ShiftRight<31>(power)));
  const auto bias = hn::Set(di, 127);
  const VF first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const VF second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(power, half), bias)));
  const VF result = hn::Mul(hn::Mul(reduced.p, first), second);
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, -103.9f)), hn::Zero(d), result);
}

// Where every lane's result is a normal number, one product is exact and gives the same bits.
HWY_INLINE VF Exp(VF x) {
  const F32 d;
  const I32 di;
  if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Ge(x, hn::Set(d, -86.0f))))) return ExpFull(x);
  const Reduced reduced = Reduce(x);
  // 1.5 * 2^23 ends in 22 zero bits: shifting leaves the integer alone.
  return hn::BitCast(
      d, hn::Add(hn::BitCast(di, reduced.p), hn::ShiftLeft<23>(hn::BitCast(di, reduced.shifted))));
}

float ExpOne(float x) {
  alignas(64) float lanes[kLanes];
  hn::Store(Exp(hn::Set(F32(), x)), F32(), lanes);
  return lanes[0];
}

// --- sums of columns ---
struct Columns {
  VD sums[kHalves];
};

HWY_INLINE void AddLine(size_t vector, VF values, Columns& columns) {
  const F64 d;
  const F32Half half;
  VD& low = columns.sums[2 * vector];
  VD& high = columns.sums[2 * vector + 1];
  low = hn::Add(low, hn::PromoteTo(d, hn::LowerHalf(half, values)));
  high = hn::Add(high, hn::PromoteTo(d, hn::UpperHalf(half, values)));
}

HWY_INLINE void StoreColumns(const Columns& columns, double* out) {
  for (size_t i = 0; i < kHalves; ++i)
    hn::StoreU(columns.sums[i], F64(), out + i * hn::Lanes(F64()));
}

HWY_INLINE Columns ZeroColumns() {
  Columns columns;
  for (VD& sum : columns.sums) sum = hn::Zero(F64());
  return columns;
}

// --- the passes ---
HWY_INLINE bool IsFinite(float x) { return x - x == 0; }

#undef FATHOM_LOADED_ONCE
// Keeps a loaded value from being loaded once for each of its uses: the pass is bound by loads.
#if HWY_ARCH_X86 && HWY_COMPILER_GCC && HWY_TARGET != HWY_EMU128
#define FATHOM_LOADED_ONCE(v) asm("" : "+v"((v).raw))
#else
#define FATHOM_LOADED_ONCE(v)
#endif

bool Scan(const float* x, size_t n, float* maxima, float* max) {
  const F32 d;
  constexpr size_t kLines = kBlockEntries / kColumns;
  constexpr size_t kChains = 4;  // as many lines at once: a maximum waits for the one before it
  VF poison[kChains];            // x * 0 is 0 for a number and NaN else
  for (VF& chain : poison) chain = hn::Zero(d);
  const VF zero = hn::Zero(d);
  VF greatest = hn::Set(d, kMinusInfinity);
  size_t i = 0;
  for (; i + kBlockEntries <= n; i += kBlockEntries) {
    for (size_t v = 0; v < kVectors; ++v) {
      const float* column = x + i + v * kLanes;
      VF best[kChains];
      for (VF& chain : best) chain = hn::Set(d, kMinusInfinity);
      for (size_t line = 0; line < kLines; line += kChains) {
        for (size_t c = 0; c < kChains; ++c) {
          VF value = hn::LoadU(d, column + (line + c) * kColumns);
          FATHOM_LOADED_ONCE(value);
          best[c] = hn::Max(best[c], value);
          poison[c] = hn::MulAdd(value, zero, poison[c]);
        }
      }
      const VF all = hn::Max(hn::Max(best[0], best[1]), hn::Max(best[2], best[3]));
      greatest = hn::Max(greatest, all);
      hn::StoreU(all, d, maxima + i / kBlockEntries * kColumns + v * kLanes);
    }
  }
  const VF sum = hn::Add(hn::Add(poison[0], poison[1]), hn::Add(poison[2], poison[3]));
  bool finite = hn::AllTrue(d, hn::Eq(sum, zero));
  *max = hn::GetLane(hn::MaxOfLanes(d, greatest));
  if (i == n) return finite;
  float* last = maxima + i / kBlockEntries * kColumns;
  for (size_t c = 0; c < kColumns; ++c) last[c] = kMinusInfinity;
  for (; i < n; ++i) {
    float& best = last[i % kColumns];
    best = x[i] > best ? x[i] : best;
    *max = x[i] > *max ? x[i] : *max;
    finite &= IsFinite(x[i]);
  }
  return finite;
}

size_t CountAtLeast(const float* x, size_t n, float threshold) {
  const F32 d;
  const VF limit = hn::Set(d, threshold);
  size_t count = 0;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    count += hn::CountTrue(d, hn::Ge(hn::LoadU(d, x + i), limit));
  }
  for (; i < n; ++i) count += x[i] >= threshold;
  return count;
}

// Appends the entries of the mask: compressed in a register, for a masked store to memory is slow
// on some CPUs.
HWY_INLINE size_t Append(hn::Mask<F32> mask, VF values, size_t first_id, int32_t* ids, float* out) {
  const F32 d;
  const I32 di;
  // Of a constant: with a variable, GCC writes the lanes one by one.
  const auto index = hn::Add(hn::Iota(di, 0), hn::Set(di, static_cast<int32_t>(first_id)));
  hn::StoreU(hn::Compress(index, hn::RebindMask(di, mask)), di, ids);
  if (out != nullptr) hn::StoreU(hn::Compress(values, mask), d, out);
  return hn::CountTrue(d, mask);
}

size_t Collect(const float* x, size_t n, const float* maxima, float threshold, int32_t* ids,
               float* values) {
  const F32 d;
  const VF limit = hn::Set(d, threshold);
  size_t found = 0;
  size_t i = 0;
  for (; i + kBlockEntries <= n; i += kBlockEntries) {
    const float* best = maxima + i / kBlockEntries * kColumns;
    bool any = false;
    for (size_t v = 0; v < kVectors; ++v) {
      any |= !hn::AllFalse(d, hn::Ge(hn::LoadU(d, best + v * kLanes), limit));
    }
    if (!any) continue;
    for (size_t k = i; k < i + kBlockEntries; k += kLanes) {
      const VF value = hn::LoadU(d, x + k);
      const auto mask = hn::Ge(value, limit);
      if (hn::AllFalse(d, mask)) continue;
      found += Append(mask, value, k, ids + found, values + found);
    }
  }
  for (; i < n; ++i) {
    if (!(x[i] >= threshold)) continue;
    ids[found] = static_cast<int32_t>(i);
    values[found++] = x[i];
  }
  return found;
}

template <bool kDivide, bool kStore>
HWY_INLINE void ExponentialsOf(const float* x, size_t n, float divisor, float max, float* e,
                               double* columns) {
  const F32 d;
  const VF divisors = hn::Set(d, divisor);
  const VF greatest = hn::Set(d, max);
  Columns sums = ZeroColumns();
  size_t i = 0;
  for (; i + kColumns <= n; i += kColumns) {
    for (size_t v = 0; v < kVectors; ++v) {
      VF value = hn::LoadU(d, x + i + v * kLanes);
      if (kDivide) value = hn::Div(value, divisors);
      const VF result = Exp(hn::Sub(value, greatest));
      if (kStore) hn::StoreU(result, d, e + i + v * kLanes);
      AddLine(v, result, sums);
    }
  }
  StoreColumns(sums, columns);
  for (; i < n; ++i) {
    const float result = ExpOne((kDivide ? x[i] / divisor : x[i]) - max);
    if (kStore) e[i] = result;
    columns[i % kColumns] += result;
  }
}

void Exponentials(const float* x, size_t n, float divisor, float max, float* e, double* columns) {
  if (divisor == 1.0f && e == nullptr) {
    ExponentialsOf<false, false>(x, n, divisor, max, e, columns);
  } else if (divisor == 1.0f) {
    ExponentialsOf<false, true>(x, n, divisor, max, e, columns);
  } else if (e == nullptr) {
    ExponentialsOf<true, false>(x, n, divisor, max, e, columns);
  } else {
    ExponentialsOf<true, true>(x, n, divisor, max, e, columns);
  }
}

HWY_INLINE VF EntropyTerm(VF x, VF normalizer) {
  const F32 d;
  const VF log_p = hn::Sub(x, normalizer);
  const VF term = hn::Mul(hn::Neg(log_p), Exp(hn::Min(log_p, hn::Zero(d))));
  return hn::IfThenElse(hn::Eq(x, hn::Set(d, kMinusInfinity)), hn::Zero(d), term);
}

void Entropy(const float* x, size_t n, float normalizer, double* columns) {
  const F32 d;
  const VF normal = hn::Set(d, normalizer);
  Columns sums = ZeroColumns();
  size_t i = 0;
  for (; i + kColumns <= n; i += kColumns) {
    for (size_t v = 0; v < kVectors; ++v) {
      AddLine(v, EntropyTerm(hn::LoadU(d, x + i + v * kLanes), normal), sums);
    }
  }
  StoreColumns(sums, columns);
  for (; i < n; ++i) {
    alignas(64) float lanes[kLanes];
    hn::Store(EntropyTerm(hn::Set(d, x[i]), normal), d, lanes);
    columns[i % kColumns] += lanes[0];
  }
}

size_t SplitRow(const float* x, size_t n, float divisor, float max, float low, float high,
                int32_t* ids, double* columns) {
  const F32 d;
  const VF lower = hn::Set(d, low);
  const VF upper = hn::Set(d, high);
  const VF divisors = hn::Set(d, divisor);
  const VF greatest = hn::Set(d, max);
  Columns sums = ZeroColumns();
  size_t found = 0;
  size_t i = 0;
  for (; i + kColumns <= n; i += kColumns) {
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t at = i + v * kLanes;
      const VF value = hn::LoadU(d, x + at);
      const auto reached = hn::Ge(value, lower);
      if (hn::AllFalse(d, reached)) continue;
      const auto above = hn::Ge(value, upper);
      if (!hn::AllFalse(d, above)) {
        const VF result = Exp(hn::Sub(hn::Div(value, divisors), greatest));
        AddLine(v, hn::IfThenElseZero(above, result), sums);
      }
      const auto between = hn::AndNot(above, reached);
      if (!hn::AllFalse(d, between)) found += Append(between, value, at, ids + found, nullptr);
    }
  }
  StoreColumns(sums, columns);
  for (; i < n; ++i) {
    if (x[i] >= high) {
      columns[i % kColumns] += ExpOne(x[i] / divisor - max);
    } else if (x[i] >= low) {
      ids[found++] = static_cast<int32_t>(i);
    }
  }
  return found;
}

// --- estimates ---
// exp(t), t <= 0, by a polynomial of degree 5 that is off by 7.5e-8 at most; multiply-adds are
// fused where the CPU has them.
HWY_INLINE VF EstimateExp(VF t) {
  const F32 d;
  const I32 di;
  const auto c = [&](float value) HWY_ATTR { return hn::Set(d, value); };
  const VF clamped = hn::Max(t, c(-86.0f));
  const VF shifted = hn::MulAdd(clamped, c(1.44269504f), c(12582912.0f));
  const VF n = hn::Sub(shifted, c(12582912.0f));
  const VF r = hn::MulAdd(n, c(2.12194440e-4f), hn::NegMulAdd(n, c(0.693359375f), clamped));
  VF p = c(0.008297648280858994f);
  p = hn::MulAdd(p, r, c(0.04191543161869049f));
  p = hn::MulAdd(p, r, c(0.16667574644088745f));
  p = hn::MulAdd(p, r, c(0.49998894333839417f));
  p = hn::MulAdd(p, r, c(0.9999997019767761f));
  p = hn::MulAdd(p, r, c(1.0000001192092896f));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

HWY_INLINE VD PromotedSum(VF values) {
  const F64 d;
  const F32Half half;
  return hn::Add(hn::PromoteTo(d, hn::LowerHalf(half, values)),
                 hn::PromoteTo(d, hn::UpperHalf(half, values)));
}

// Four vectors at a time: their sum is promoted to double after two roundings.
constexpr size_t kGroup = 4;

HWY_INLINE VD SumOfGroup(const VF* values) {
  return PromotedSum(hn::Add(hn::Add(values[0], values[1]), hn::Add(values[2], values[3])));
}

struct WeighLimits {
  VF divisor, max, low, high;
};

template <bool kDivide>
HWY_INLINE void WeighGroup(const float* x, const WeighLimits& limits, bool any_band, size_t id,
                           int32_t* ids, size_t& found, VD& below, VD& above) {
  const F32 d;
  VF value[kGroup], kept[kGroup], rest[kGroup];
  for (size_t v = 0; v < kGroup; ++v) {
    value[v] = hn::LoadU(d, x + v * kLanes);
    const VF score = kDivide ? hn::Div(value[v], limits.divisor) : value[v];
    const VF e = EstimateExp(hn::Sub(score, limits.max));
    const auto is_above = hn::Ge(value[v], limits.high);
    kept[v] = hn::IfThenElseZero(is_above, e);
    rest[v] = hn::IfThenZeroElse(is_above, e);
  }
  below = hn::Add(below, SumOfGroup(rest));
  above = hn::Add(above, SumOfGroup(kept));
  if (!any_band) return;
  for (size_t v = 0; v < kGroup; ++v) {  // no test for an empty one: that is hard to foretell
    const auto band = hn::AndNot(hn::Ge(value[v], limits.high), hn::Ge(value[v], limits.low));
    found += Append(band, value[v], id + v * kLanes, ids + found, nullptr);
  }
}

float EstimateOne(float t) {
  alignas(64) float lanes[kLanes];
  hn::Store(EstimateExp(hn::Set(F32(), t)), F32(), lanes);
  return lanes[0];
}

template <bool kDivide>
HWY_INLINE double WeighRow(const float* x, size_t n, float divisor, float max, float low,
                           float high, int32_t* ids, uint32_t* block_ends, double* block_weights) {
  const F32 d;
  const F64 d64;
  const WeighLimits limits{hn::Set(d, divisor), hn::Set(d, max), hn::Set(d, low), hn::Set(d, high)};
  const bool any_band = low < high;
  double total_below = 0;
  size_t found = 0;
  for (size_t block = 0, i = 0; i < n; ++block) {
    const size_t end = i + kBlockEntries < n ? i + kBlockEntries : n;
    VD below = hn::Zero(d64), above = hn::Zero(d64);
    for (; i + kGroup * kLanes <= end; i += kGroup * kLanes) {
      WeighGroup<kDivide>(x + i, limits, any_band, i, ids, found, below, above);
    }
    double rest = 0, rest_above = 0;
    for (; i < end; ++i) {
      const float e = EstimateOne((kDivide ? x[i] / divisor : x[i]) - max);
      (x[i] >= high ? rest_above : rest) += e;
      if (x[i] >= low && x[i] < high) ids[found++] = static_cast<int32_t>(i);
    }
    total_below += hn::GetLane(hn::SumOfLanes(d64, below)) + rest;
    block_weights[block] = hn::GetLane(hn::SumOfLanes(d64, above)) + rest_above;
    block_ends[block] = static_cast<uint32_t>(found);
  }
  return total_below;
}

double Weigh(const float* x, size_t n, float divisor, float max, float low, float high,
             int32_t* ids, uint32_t* block_ends, double* block_weights) {
  if (divisor == 1.0f) {
    return WeighRow<false>(x, n, divisor, max, low, high, ids, block_ends, block_weights);
  }
  return WeighRow<true>(x, n, divisor, max, low, high, ids, block_ends, block_weights);
}

void Estimate(const float* x, size_t n, float divisor, float max, float* e) {
  const F32 d;
  const VF divisors = hn::Set(d, divisor);
  const VF greatest = hn::Set(d, max);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    hn::StoreU(EstimateExp(hn::Sub(hn::Div(hn::LoadU(d, x + i), divisors), greatest)), d, e + i);
  }
  for (; i < n; ++i) e[i] = EstimateOne(x[i] / divisor - max);
}

double SumAtLeast(const float* x, const float* e, size_t n, float threshold) {
  const F32 d;
  const F64 d64;
  const VF limit = hn::Set(d, threshold);
  VD sum = hn::Zero(d64);
  size_t i = 0;
  for (; i + kGroup * kLanes <= n; i += kGroup * kLanes) {
    VF kept[kGroup];
    for (size_t v = 0; v < kGroup; ++v) {
      const size_t at = i + v * kLanes;
      kept[v] = hn::IfThenElseZero(hn::Ge(hn::LoadU(d, x + at), limit), hn::LoadU(d, e + at));
    }
    sum = hn::Add(sum, SumOfGroup(kept));
  }
  for (; i < n; i += kLanes) {
    // A copy: MaskedLoad reads a whole vector where the CPU has no masks.
    const size_t count = n - i < kLanes ? n - i : kLanes;
    float rest[2][kLanes] = {};
    for (size_t j = 0; j < count; ++j) {
      rest[0][j] = x[i + j];
      rest[1][j] = e[i + j];
    }
    const VF score = hn::LoadU(d, rest[0]), exponential = hn::LoadU(d, rest[1]);
    const auto reached = hn::And(hn::FirstN(d, count), hn::Ge(score, limit));
    sum = hn::Add(sum, PromotedSum(hn::IfThenElseZero(reached, exponential)));
  }
  return hn::GetLane(hn::SumOfLanes(d64, sum));
}

size_t Between(const float* x, size_t n, float low, float high, int32_t* places) {
  const F32 d;
  const VF lower = hn::Set(d, low), upper = hn::Set(d, high);
  size_t found = 0;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const VF value = hn::LoadU(d, x + i);
    const auto mask = hn::AndNot(hn::Ge(value, upper), hn::Ge(value, lower));
    if (hn::AllFalse(d, mask)) continue;
    found += Append(mask, value, i, places + found, nullptr);
  }
  for (; i < n; ++i) {
    if (x[i] >= low && x[i] < high) places[found++] = static_cast<int32_t>(i);
  }
  return found;
}

#if HWY_TARGET == HWY_AVX3
constexpr const char* kIsa = "avx512";
constexpr CpuFeatures kFeatures = kVectorAvx512Features;
#elif HWY_TARGET == HWY_AVX2
constexpr const char* kIsa = "avx2";
constexpr CpuFeatures kFeatures = kVectorAvx2Features;
#elif HWY_TARGET == HWY_NEON
constexpr const char* kIsa = "neon";
constexpr CpuFeatures kFeatures = {CpuFeature::kNeon};
#else
constexpr const char* kIsa = "baseline";
constexpr CpuFeatures kFeatures = {};
#endif

}  // namespace

extern const RowKernels kRowKernels;
constinit const RowKernels kRowKernels = {kIsa,    kFeatures,    Scan,       CountAtLeast,
                                          Collect, Exponentials, Entropy,    SplitRow,
                                          Weigh,   Estimate,     SumAtLeast, Between};

}  // namespace HWY_NAMESPACE
}  // namespace fathom
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom {

const RowKernels& RowKernelsFor(CpuFeatures features) {
#if defined(__x86_64__)
  for (const RowKernels* kernels : {&N_AVX3::kRowKernels, &N_AVX2::kRowKernels}) {
    if (features.HasAll(kernels->features)) return *kernels;
  }
  return N_EMU128::kRowKernels;
#else
  return N_NEON::kRowKernels;
#endif
}

const RowKernels& BestRowKernels() {
  static const RowKernels& best = RowKernelsFor(HostCpuFeatures());
  return best;
}

}  // namespace fathom
#endif
