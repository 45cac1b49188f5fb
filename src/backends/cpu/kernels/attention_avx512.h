// What the attention kernels of AVX-512 share: the exponential and the soft cap of their scores,
// which are in units of log(2).
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

#include "backends/cpu/kernels/target_region.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_BF16_SETS)
namespace fathom {
namespace {

constexpr float kLowest = -1e30f;  // below every score, yet finite
constexpr float kLog2E = 1.44269504f;

inline __mmask16 FirstLanes(int64_t count) {
  return count >= 16 ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// 2^x for x <= 0, within 2e-5 of itself: it is rounded to bf16 or summed with such.
// tools/fit_polynomials.py
inline __m512 Exp2(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(0.00965748726f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.055845017f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.240225252f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693136309f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

// tanh(score / softcap) * softcap * log2(e)
inline __m512 SoftCap(__m512 score, float softcap) {
  const __m512 two_u = _mm512_mul_ps(score, _mm512_set1_ps(2.0f * kLog2E / softcap));
  const __m512 bounded =
      _mm512_min_ps(_mm512_max_ps(two_u, _mm512_set1_ps(-60.0f)), _mm512_set1_ps(60.0f));
  const __m512 e = Exp2(bounded);  // good for both signs
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 tanh = _mm512_div_ps(_mm512_sub_ps(e, one), _mm512_add_ps(e, one));
  return _mm512_mul_ps(tanh, _mm512_set1_ps(softcap * kLog2E));
}

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

#endif  // __x86_64__
