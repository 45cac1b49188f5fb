#include "backends/cpu/kernels/linear_quantized_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>

#include "backends/cpu/kernels/target_region.h"
#include "tensor/quantized_weight.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_VNNI_SETS)
namespace fathom {
namespace {

constexpr size_t kLineBytes = 64;

inline __m512 LoadBF16(const std::byte* values) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// Each lane's low 16 bits in both its halves.
inline __m512i Twice(__m512i values) {
  const __m512i low = _mm512_and_si512(values, _mm512_set1_epi32(0xFFFF));
  return _mm512_or_si512(low, _mm512_slli_epi32(low, 16));
}

// 1 / scale where it is one.
inline __m512 InverseOf(__m512 scale) {
  const __mmask16 some = _mm512_cmp_ps_mask(scale, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  return _mm512_maskz_div_ps(some, _mm512_set1_ps(1.0f), scale);
}

// Bytes of a line from fixed-point numbers of 8.8 bits: the high bytes of both.
inline __m512i JoinBytes(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAAu, _mm512_srli_epi16(even, 8), odd);
}

// The groups of a panel that a block holds.
struct BlockGroups {
  const LinearPanel& panel;
  size_t group = 0;
  size_t count = 0;
  size_t first = 0;

  BlockGroups(const LinearPanel& of, size_t first_col, size_t cols)
      : panel(of),
        group(static_cast<size_t>(of.weight->group)),
        count((cols + group - 1) / group),
        first(first_col / group) {}
  GroupOffsets At(size_t g) const {
    return OffsetsOf(*panel.weight, static_cast<int64_t>(first + g));
  }
  const std::byte* Lines(size_t g) const { return panel.data + At(g).lines; }
  __m512 Scale(size_t g) const { return LoadBF16(panel.data + At(g).scales); }
  __m512 Zero(size_t g) const {  // in sixteenths
    const auto* from = reinterpret_cast<const __m128i*>(panel.data + At(g).zeros);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from)));
  }
};

// What the fixed-point numbers start from: half a step, and 128 where the bytes are unsigned.
int16_t Offset(PanelBytes bytes) {
  return static_cast<int16_t>(bytes == PanelBytes::kPlus128 ? 0x8080 : 0x0080);
}

// The largest of non-negative numbers; a NaN is larger than all.
inline __m512 LargerOf(__m512 a, __m512 b) {
  return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

// q * (scale of the group / scale of the block).
void UnpackInt8(const BlockGroups& groups, PanelBytes bytes, const PanelBlock& out) {
  __m512 scale = _mm512_setzero_ps();
  for (size_t g = 0; g < groups.count; ++g) scale = LargerOf(scale, groups.Scale(g));
  _mm512_store_ps(out.scales(), scale);
  const __m512 inverse = InverseOf(scale);
  const __m512i offset = _mm512_set1_epi16(Offset(bytes));
  const __m512i high = _mm512_set1_epi16(static_cast<int16_t>(0xFF00));
  std::byte* to = out.lines();
  for (size_t g = 0; g < groups.count; ++g) {
    const __m512 ratio = _mm512_mul_ps(groups.Scale(g), inverse);
    const __m512i fixed = _mm512_cvtps_epi32(_mm512_mul_ps(ratio, _mm512_set1_ps(32768.0f)));
    const __m512i factor = Twice(_mm512_min_epi32(fixed, _mm512_set1_epi32(32767)));
    const std::byte* from = groups.Lines(g);
    for (size_t c = 0; c < groups.group; c += 4, from += kLineBytes, to += kLineBytes) {
      const __m512i q = _mm512_loadu_si512(from);
      const __m512i even = _mm512_mulhrs_epi16(_mm512_slli_epi16(q, 8), factor);
      const __m512i odd = _mm512_mulhrs_epi16(_mm512_and_si512(q, high), factor);
      _mm512_store_si512(to,
                         JoinBytes(_mm512_add_epi16(even, offset), _mm512_add_epi16(odd, offset)));
    }
  }
}

// (q - zero) * (scale of the group / scale of the block), where the block's takes all groups'
// ranges to [-127, 127].
void UnpackInt4(const BlockGroups& groups, PanelBytes bytes, const PanelBlock& out) {
  const auto largest = [&](size_t g) {  // |q - zero| in sixteenths
    const __m512 zero = groups.Zero(g);
    return _mm512_max_ps(zero, _mm512_sub_ps(_mm512_set1_ps(240.0f), zero));
  };
  __m512 range = _mm512_setzero_ps();
  for (size_t g = 0; g < groups.count; ++g) {
    range = LargerOf(range, _mm512_mul_ps(groups.Scale(g), largest(g)));
  }
  const __m512 scale = _mm512_mul_ps(range, _mm512_set1_ps(1.0f / (16 * 127)));
  _mm512_store_ps(out.scales(), scale);
  const __m512 inverse = InverseOf(scale);
  const __m512i low = _mm512_set1_epi8(15), bottom = _mm512_set1_epi16(0xFF);
  std::byte* to = out.lines();
  for (size_t g = 0; g < groups.count; ++g) {
    const __m512 ratio = _mm512_mul_ps(groups.Scale(g), inverse);
    const __m512 of_zero =
        _mm512_mul_ps(_mm512_mul_ps(ratio, groups.Zero(g)), _mm512_set1_ps(16.0f));
    const __m512i factor = Twice(_mm512_cvtps_epi32(_mm512_mul_ps(ratio, _mm512_set1_ps(256.0f))));
    const __m512i start =
        Twice(_mm512_sub_epi32(_mm512_set1_epi32(Offset(bytes)), _mm512_cvtps_epi32(of_zero)));
    const auto scaled = [&](__m512i q) {
      return _mm512_add_epi16(_mm512_mullo_epi16(q, factor), start);
    };
    const std::byte* from = groups.Lines(g);
    for (size_t c = 0; c < groups.group; c += 8, from += kLineBytes, to += 2 * kLineBytes) {
      const __m512i both = _mm512_loadu_si512(from);
      const __m512i q0 = _mm512_and_si512(both, low);
      const __m512i q1 = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
      _mm512_store_si512(
          to, JoinBytes(scaled(_mm512_and_si512(q0, bottom)), scaled(_mm512_srli_epi16(q0, 8))));
      _mm512_store_si512(to + kLineBytes, JoinBytes(scaled(_mm512_and_si512(q1, bottom)),
                                                    scaled(_mm512_srli_epi16(q1, 8))));
    }
  }
}

inline __mmask16 MaskOf(size_t left) {
  return static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1u << left) - 1);
}

}  // namespace

QuantizedBlock QuantizeBlock(const float* x, size_t cols, size_t width, size_t stride,
                             std::byte* q) {
  // As integers, magnitudes order like floats, NaN above all: a NaN reaches the scale.
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  __m512i most = _mm512_setzero_si512();
  for (size_t i = 0; i < cols; i += 16) {
    const __m512 values = _mm512_maskz_loadu_ps(MaskOf(cols - i), x + i);
    most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(values), magnitude));
  }
  const float largest =
      _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32(_mm512_reduce_max_epi32(most))));
  const bool usable = largest >= kSmallestScale && std::isfinite(largest);
  const __m512 inverse = _mm512_set1_ps(usable ? 127.0f / largest : 0.0f);
  __m512i sum = _mm512_setzero_si512();
  for (size_t i = 0; i < (width + 63) / 64 * 64; i += 16) {
    const __mmask16 mask = i < cols ? MaskOf(cols - i) : __mmask16{0};
    const __m512 values = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), inverse);
    // What is not finite stays out of the integers: the scale tells.
    const __m512i rounded = usable ? _mm512_cvtps_epi32(values) : _mm512_setzero_si512();
    sum = _mm512_add_epi32(sum, rounded);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i / 64 * stride + i % 64),
                     _mm512_cvtepi32_epi8(rounded));
  }
  const bool tiny = largest < kSmallestScale;
  return {tiny ? 0.0f : usable ? largest / 127.0f : largest, _mm512_reduce_add_epi32(sum)};
}

template <>
void UnpackBlock<Int8Block>(const LinearPanel& panel, size_t first, size_t cols, PanelBytes bytes,
                            const PanelBlock& out) {
  UnpackInt8(BlockGroups(panel, first, cols), bytes, out);
}

template <>
void UnpackBlock<Int4Block>(const LinearPanel& panel, size_t first, size_t cols, PanelBytes bytes,
                            const PanelBlock& out) {
  UnpackInt4(BlockGroups(panel, first, cols), bytes, out);
}

}  // namespace fathom
FATHOM_END_TARGET

#endif  // __x86_64__
