// linear, linear_group and linear_gated of a few rows over kInt8Panel16 and kInt4Panel16 weights
// (tensor/quantized_weight.h) with vpdpbusd: linear_quantized_gemv_vector.cc's arithmetic, written
// for the fewest instructions a line. A core whose neighbour computes too has half of them.
//
//   int8   w ^ 128 as unsigned bytes; what that adds is in the sum from the start
//   int4   all in sixteenths, as the zero is: the high halves of the bytes are that where they lie
//          (w & 0xF0), and zero * -(sum of x) is one more product, vpdpwssd. One row: the low
//          halves are summed beside them and shifted once a group.
//
// Up to kTileRows rows of x have their sums in registers; more are two tiles, which take turns over
// a stretch of the panel that stays in L1.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/linear_call.h"
#include "backends/cpu/kernels/linear_stream.h"
#include "backends/cpu/kernels/target_region.h"
#include "tensor/quantized_weight.h"

FATHOM_BEGIN_TARGET(FATHOM_AVX512_VNNI_SETS)
namespace fathom {
namespace {

struct Int8 {
  static constexpr WeightFormat kFormat = WeightFormat::kInt8Panel16;
  static constexpr DType kDType = DType::kI8;
  static constexpr size_t kLineCols = 4;
  static constexpr size_t kGroup = 64;  // the usual one
  static constexpr bool kHasZero = false;
};
struct Int4 {
  static constexpr WeightFormat kFormat = WeightFormat::kInt4Panel16;
  static constexpr DType kDType = DType::kU8;
  static constexpr size_t kLineCols = 8;
  static constexpr size_t kGroup = 32;
  static constexpr bool kHasZero = true;
};

constexpr size_t kMaxRows = 16;
constexpr size_t kTileRows = 12;
constexpr size_t kStretchBytes = 8192;  // of a panel, between tiles
constexpr size_t kBatch = 16;           // groups whose scales are made at once

struct Shape {
  size_t group = 0;
  size_t groups = 0;
  size_t padded_cols() const { return group * groups; }
};
template <class Format>
Shape ShapeOf(size_t cols) {
  Shape shape;
  shape.group = static_cast<size_t>(QuantizationGroup(Format::kFormat, static_cast<int64_t>(cols)));
  shape.groups = (cols + shape.group - 1) / shape.group;
  return shape;
}

// Rows of x that pass over a panel together, `count` of them:
//   four         int32 [columns / 4][count]: the int8 of four columns
//   scales       float [groups][count]; int4: a sixteenth
//   corrections  int32 [groups][count], of the sum of a group's int8: int8 -128 times, int4 -1
//   times
struct TileRows {
  size_t count = 0;
  int32_t* four = nullptr;
  float* scales = nullptr;
  int32_t* corrections = nullptr;

  static size_t Bytes(const Shape& shape, size_t count) {
    return (count * (shape.padded_cols() + 8 * shape.groups) + 63) / 64 * 64;
  }
  TileRows(const Shape& shape, size_t rows, std::byte* data) : count(rows) {
    four = reinterpret_cast<int32_t*>(data);
    scales = reinterpret_cast<float*>(four + shape.padded_cols() / 4 * count);
    corrections = reinterpret_cast<int32_t*>(scales + shape.groups * count);
  }
};

// --- Activations

// The larger of two, or their sum.
template <bool kMax>
inline __m512i Both(__m512i x, __m512i y) {
  return kMax ? _mm512_max_epi32(x, y) : _mm512_add_epi32(x, y);
}
template <bool kMax>
inline __m512i BothOfQuarters(__m512i x, __m512i y) {
  return Both<kMax>(_mm512_shuffle_i32x4(x, y, 0x88), _mm512_shuffle_i32x4(x, y, 0xDD));
}

// Lane i: the largest (sum) of the lanes of a[i].
template <bool kMax>
inline __m512i ReduceLanes(const __m512i a[16]) {
  __m512i v[4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    const __m512i* b = a + 4 * g;
    const __m512i low =
        Both<kMax>(_mm512_unpacklo_epi32(b[0], b[1]), _mm512_unpackhi_epi32(b[0], b[1]));
    const __m512i high =
        Both<kMax>(_mm512_unpacklo_epi32(b[2], b[3]), _mm512_unpackhi_epi32(b[2], b[3]));
    v[g] = Both<kMax>(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
  }
  return BothOfQuarters<kMax>(BothOfQuarters<kMax>(v[0], v[1]), BothOfQuarters<kMax>(v[2], v[3]));
}

// The first `count` of 16.
inline __mmask16 FirstLanes(size_t count) {
  return count >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << count) - 1);
}

// Columns [first, first + 16) of a row; those beyond it are 0.
inline __m512 Columns(const float* x, size_t first, size_t cols) {
  if (first + 16 <= cols) return _mm512_loadu_ps(x + first);
  return _mm512_maskz_loadu_ps(FirstLanes(first < cols ? cols - first : 0), x + first);
}

// 127 / largest, and the scale: largest / 127. NaN and infinity go into the scale, so that an
// answer shows them; what is tiny has a scale of 0.
struct BatchScales {
  __m512 inverse, scale;

  explicit BatchScales(__m512i largest_bits) {
    const __m512 largest = _mm512_castsi512_ps(largest_bits);
    const __m512 most = _mm512_set1_ps(127.0f);
    // As integers, magnitudes order like floats, NaN above all.
    const __mmask16 finite = _mm512_cmplt_epi32_mask(largest_bits, _mm512_set1_epi32(0x7F800000));
    const __mmask16 tiny = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(kSmallestScale), _CMP_LT_OQ);
    const auto usable = static_cast<__mmask16>(finite & ~tiny);
    inverse = _mm512_maskz_div_ps(usable, most, largest);
    scale = _mm512_mask_div_ps(largest, usable, largest, most);
    scale = _mm512_mask_mov_ps(scale, tiny, _mm512_setzero_ps());
  }
};

// Row `m` of the tile from `cols` floats.
template <class Format>
void QuantizeRow(const TileRows& tile, const Shape& shape, const float* x, size_t cols, size_t m) {
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  alignas(64) int32_t q[4];
  alignas(64) float inverses[kBatch];
  for (size_t g = 0; g < shape.groups; g += kBatch) {
    const size_t count = std::min(kBatch, shape.groups - g);
    __m512i of_group[kBatch];
    for (size_t i = 0; i < kBatch; ++i) {
      of_group[i] = _mm512_setzero_si512();
      for (size_t k = 0; i < count && k < shape.group; k += 16) {
        const __m512 values = Columns(x, (g + i) * shape.group + k, cols);
        of_group[i] =
            _mm512_max_epi32(of_group[i], _mm512_and_si512(_mm512_castps_si512(values), magnitude));
      }
    }
    const BatchScales scales(ReduceLanes<true>(of_group));
    _mm512_store_ps(inverses, scales.inverse);
    for (size_t i = 0; i < count; ++i) {
      const __m512 inverse = _mm512_set1_ps(inverses[i]);
      of_group[i] = _mm512_setzero_si512();
      for (size_t k = 0; k < shape.group; k += 16) {
        const size_t first = (g + i) * shape.group + k;
        const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(Columns(x, first, cols), inverse));
        of_group[i] = _mm512_add_epi32(of_group[i], rounded);
        const __m128i bytes = _mm512_cvtsepi32_epi8(rounded);
        int32_t* to = tile.four + first / 4 * tile.count + m;
        if (tile.count == 1) {
          _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
          continue;
        }
        _mm_store_si128(reinterpret_cast<__m128i*>(q), bytes);
        for (size_t j = 0; j < 4; ++j) to[j * tile.count] = q[j];
      }
    }
    alignas(64) float out[kBatch];
    alignas(64) int32_t sums[kBatch];
    const __m512 scale =
        Format::kHasZero ? _mm512_mul_ps(scales.scale, _mm512_set1_ps(0.0625f)) : scales.scale;
    _mm512_store_ps(out, scale);
    _mm512_store_si512(sums, _mm512_mullo_epi32(ReduceLanes<false>(of_group),
                                                _mm512_set1_epi32(Format::kHasZero ? -1 : -128)));
    for (size_t i = 0; i < count; ++i) {
      tile.scales[(g + i) * tile.count + m] = out[i];
      tile.corrections[(g + i) * tile.count + m] = sums[i];
    }
  }
}

// --- Products

// As text: around the intrinsics GCC 12 copies and spills the sums.
inline __m512i DotFour(__m512i sum, __m512i bytes, const int32_t* signed_bytes) {
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(bytes), "m"(*signed_bytes));
  return sum;
}
inline __m512i DotTwo(__m512i sum, __m512i words, const int32_t* signed_words) {
  asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(words), "m"(*signed_words));
  return sum;
}
// One load, where the compiler would make a memory operand of each use.
inline __m512i LoadLine(const std::byte* line) {
  __m512i w = _mm512_load_si512(line);
  asm("" : "+v"(w));
  return w;
}

// A few rows alone would wait for their own sums in each line.
template <size_t kM>
constexpr size_t kChains = kM <= 3 ? 2 : 1;

// acc += the products of line i of a group, which lies at `line`.
template <class Format, size_t kM>
inline void DotLine(const std::byte* line, size_t i, const int32_t* four,
                    __m512i (&acc)[kM][kChains<kM>]) {
  constexpr size_t kOther = kChains<kM> - 1;
  const __m512i w = LoadLine(line);
  if constexpr (Format::kHasZero) {
    const __m512i high_half = _mm512_set1_epi32(static_cast<int32_t>(0xF0F0F0F0u));
    const __m512i high = _mm512_and_si512(w, high_half);
    const __m512i low = kM == 1 ? _mm512_andnot_si512(high_half, w)
                                : _mm512_and_si512(_mm512_slli_epi32(w, 4), high_half);
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
      acc[m][0] = DotFour(acc[m][0], high, four + (2 * i + 1) * kM + m);
      acc[m][kOther] = DotFour(acc[m][kOther], low, four + 2 * i * kM + m);
    }
  } else {
    const __m512i bytes = _mm512_xor_si512(w, _mm512_set1_epi32(static_cast<int>(0x80808080u)));
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
      __m512i& sum = acc[m][i % kChains<kM>];
      sum = DotFour(sum, bytes, four + i * kM + m);
    }
  }
}

// sums [kM] = the integer sums of one group of `count` lines. `zero`: int4, of each row.
template <class Format, size_t kM>
inline void SumGroup(const std::byte* lines, size_t count, const int32_t* four,
                     const int32_t* corrections, __m512i zero, __m512i (&sums)[kM]) {
  constexpr size_t kOther = kChains<kM> - 1;
  __m512i acc[kM][kChains<kM>];
#pragma GCC unroll 16
  for (size_t m = 0; m < kM; ++m) {
    acc[m][kOther] = _mm512_setzero_si512();
    acc[m][0] = Format::kHasZero ? DotTwo(_mm512_setzero_si512(), zero, corrections + m)
                                 : _mm512_set1_epi32(corrections[m]);
  }
  if constexpr (kM <= 3) {
#pragma GCC unroll 16
    for (size_t i = 0; i < count; ++i) DotLine<Format, kM>(lines + i * 64, i, four, acc);
  } else {
#pragma GCC unroll 2
    for (size_t i = 0; i < count; ++i) DotLine<Format, kM>(lines + i * 64, i, four, acc);
  }
#pragma GCC unroll 16
  for (size_t m = 0; m < kM; ++m) {
    __m512i other = acc[m][kOther];
    if (Format::kHasZero && kM == 1) other = _mm512_slli_epi32(other, 4);
    sums[m] = kOther > 0 ? _mm512_add_epi32(acc[m][0], other) : acc[m][0];
  }
}

// Of two groups' scales the one of `odd`, as floats.
inline __m512 ScalesOf(__m512i two_groups, bool odd) {
  // Word r of the group becomes the high half of lane r.
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i even_words = _mm512_slli_epi32(lanes, 16);
  const __m512i from = odd ? _mm512_add_epi32(even_words, _mm512_set1_epi32(16 << 16)) : even_words;
  return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xAAAAAAAA, from, two_groups));
}

// totals += the products of one block of `groups` groups, the first of them group g of the panel.
template <class Format, size_t kM, size_t kGroup>
inline const std::byte* SumBlock(const std::byte* block, size_t groups, const Shape& shape,
                                 const PanelStream& stream, const TileRows& x, size_t g,
                                 __m512 (&totals)[kM]) {
  const size_t group = kGroup != 0 ? kGroup : shape.group;
  const auto head = static_cast<size_t>(HeadBytes(Format::kFormat, static_cast<int64_t>(groups)));
  const size_t line_bytes = group * 64 / Format::kLineCols;
  const std::byte* zeros = block + groups * 32;
  __m512i two_groups = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (size_t i = 0; i < groups; ++i, ++g) {
    const std::byte* lines = block + head + i * line_bytes;
    __m512i zero = _mm512_setzero_si512();
    if constexpr (Format::kHasZero) {
      zero =
          _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(zeros + i * 16)));
    }
    __m512i sums[kM];
    stream.Ask(lines, line_bytes);
    SumGroup<Format, kM>(lines, group / Format::kLineCols, x.four + g * (group / 4) * kM,
                         x.corrections + g * kM, zero, sums);
    if (i % 2 == 0) two_groups = _mm512_load_si512(block + i * 32);
    const __m512 scale = ScalesOf(two_groups, i % 2 != 0);
    const float* of_x = x.scales + g * kM;
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
      const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(of_x[m]));
      totals[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[m]), both, totals[m]);
    }
  }
  return block + head + groups * line_bytes;
}

// sums [kM, stride] (+)= the tile's rows times the panel's groups [first, last), `first` the first
// of a block, which lies at `block`; returns where the next one lies. kGroup: the group where it is
// the usual one, so that its loops unroll; else 0.
template <class Format, size_t kM, size_t kGroup>
const std::byte* SumStretch(const std::byte* block, size_t first, size_t last, const Shape& shape,
                            const PanelStream& stream_of_panel, const TileRows& x, float* sums,
                            size_t stride) {
  constexpr auto kGroups = static_cast<size_t>(GroupsOfBlock(Format::kFormat));
  const PanelStream stream = stream_of_panel;
  __m512 totals[kM];
#pragma GCC unroll 16
  for (size_t m = 0; m < kM; ++m) {
    totals[m] = first == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + m * stride);
  }
  size_t g = first;
  for (; g + kGroups <= last; g += kGroups) {
    block = SumBlock<Format, kM, kGroup>(block, kGroups, shape, stream, x, g, totals);
  }
  if (g < last) {
    block = SumBlock<Format, kM, kGroup>(block, last - g, shape, stream, x, g, totals);
  }
#pragma GCC unroll 16
  for (size_t m = 0; m < kM; ++m) _mm512_storeu_ps(sums + m * stride, totals[m]);
  return block;
}

using StretchSum = const std::byte* (*)(const std::byte* block, size_t first, size_t last,
                                        const Shape& shape, const PanelStream& stream,
                                        const TileRows& x, float* sums, size_t stride);

// SumStretch for so many rows.
template <class Format, size_t kM = kTileRows>
StretchSum StretchSumOf(size_t rows, bool usual_group) {
  if constexpr (kM > 1) {
    if (rows < kM) return StretchSumOf<Format, kM - 1>(rows, usual_group);
  }
  return usual_group ? SumStretch<Format, kM, Format::kGroup> : SumStretch<Format, kM, 0>;
}

// --- Calls

// The rows of a call in one or two tiles, quantized by all workers together or each for itself.
template <class Format>
struct CallRows {
  Shape shape;
  size_t rows;
  std::byte* data;

  static constexpr size_t kShareFrom = 4;  // rows that are worth a barrier

  size_t tiles() const { return rows > kTileRows ? 2 : 1; }
  size_t tile_rows() const { return (rows + tiles() - 1) / tiles(); }
  TileRows Tile(size_t tile) const {
    const size_t first = tile * tile_rows();
    return TileRows(shape, std::min(tile_rows(), rows - first),
                    data + tile * TileRows::Bytes(shape, tile_rows()));
  }
  void Quantize(const LinearJob& job, Range mine) const {
    for (size_t m = mine.begin; m < mine.end; ++m) {
      QuantizeRow<Format>(Tile(m / tile_rows()), shape, job.x + m * job.cols, job.cols,
                          m % tile_rows());
    }
  }
};

template <class Format>
size_t BytesOfRows(const Shape& shape) {
  return 2 * TileRows::Bytes(shape, kTileRows);
}

// What runs over a panel: all tiles, stretch by stretch.
template <class Format>
struct PanelSum {
  static constexpr auto kGroups = static_cast<size_t>(GroupsOfBlock(Format::kFormat));
  const CallRows<Format>& rows;
  StretchSum sum[2];
  size_t groups_at_once;

  explicit PanelSum(const CallRows<Format>& call_rows) : rows(call_rows) {
    const bool usual_group = rows.shape.group == Format::kGroup;
    for (size_t t = 0; t < rows.tiles(); ++t) {
      sum[t] = StretchSumOf<Format>(rows.Tile(t).count, usual_group);
    }
    const size_t group_bytes = rows.shape.group * 64 / Format::kLineCols;
    groups_at_once = std::max<size_t>(1, kStretchBytes / group_bytes / kGroups) * kGroups;
    if (rows.tiles() == 1) groups_at_once = rows.shape.groups;
  }

  void operator()(const LinearPanel& panel, const PanelStream& stream, float* sums,
                  size_t stride) const {
    const std::byte* block = panel.data;
    for (size_t g = 0; g < rows.shape.groups; g += groups_at_once) {
      const size_t last = std::min(g + groups_at_once, rows.shape.groups);
      const std::byte* next = block;
      for (size_t t = 0; t < rows.tiles(); ++t) {
        next = sum[t](block, g, last, rows.shape, stream, rows.Tile(t),
                      sums + t * rows.tile_rows() * stride, stride);
      }
      block = next;
    }
  }
};

template <class Format, LinearOp kOp>
void Gemv(const OpCall& call, const Worker& worker) {
  const LinearJob job = MakeLinearJob(kOp, call);
  if (job.rows == 0) return;
  const Shape shape = ShapeOf<Format>(job.cols);
  const bool share = job.rows >= CallRows<Format>::kShareFrom;
  const size_t own = share ? 0 : static_cast<size_t>(worker.index) * BytesOfRows<Format>(shape);
  const CallRows<Format> rows{shape, job.rows, call.scratch + own};
  rows.Quantize(job, share ? Split(job.rows, worker) : Range{0, job.rows});
  if (share) worker.Barrier();
  static_assert(kMaxRows <= kStreamRows);
  alignas(64) float sums[kStreamSums];
  const PanelSum<Format> sum(rows);
  StreamUnits(job, Split(job.units, worker), static_cast<StreamAsk>(call.tuning), sums, sum,
              [&](const LinearTile& tile, const float* from, size_t stride) {
                N_AVX3::StoreLinearTile(tile, from, stride, 0, job.rows);
              });
}

template <class Format>
size_t GemvScratch(const OpCall& call, int workers) {
  const auto cols = static_cast<size_t>(call.inputs[0].tensor.shape[1]);
  return static_cast<size_t>(workers) * BytesOfRows<Format>(ShapeOf<Format>(cols));
}

}  // namespace
}  // namespace fathom
FATHOM_END_TARGET

namespace fathom {
namespace {

template <class Format>
void AddRows(CpuKernelTable& table, const char* name, double epsilon) {
  LinearRow row{.suffix = "avx512", .format = Format::kFormat, .dtype = Format::kDType};
  row.features = kAvx512VnniFeatures;
  row.compute_epsilon = epsilon;
  row.name = name;
  row.description = "panels streamed, int8 activations, integer sums a group";
  row.variant = KernelVariant::kGemv;
  row.max_rows = kMaxRows;
  row.tunings = kStreamTunings;
  row.scratch_bytes = GemvScratch<Format>;
  row.linear = Gemv<Format, LinearOp::kLinear>;
  row.group = Gemv<Format, LinearOp::kGroup>;
  row.gated = Gemv<Format, LinearOp::kGated>;
  AddLinearRows(table, row);
}

}  // namespace

void AddLinearQuantizedGemvAvx512Kernels(CpuKernelTable& table) {
  // sqrt(64) / 254, sqrt(32) / 254, rounded up.
  AddRows<Int8>(table, "int8_panel16_dot_gemv", 0.0315);
  AddRows<Int4>(table, "int4_panel16_dot_gemv", 0.0223);
}

}  // namespace fathom

#endif  // __x86_64__
