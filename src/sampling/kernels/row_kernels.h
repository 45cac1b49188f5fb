// The passes over a row of scores, in the instruction sets that Highway compiles them for.
//
// All of them compute the same bits: products and sums are rounded one by one (no fused
// multiply-add), and sums go by column. An entry belongs to the column id % 16, whatever the
// register's width; each column is added up in double in ascending order, then the 16 in order. A
// removed entry adds an exact zero, so a row of which only the entries that are left are kept gives
// the same sum (score_row.h).
//
//   row      | id 0 .. 15 | 16 .. 31 | ... | 496 .. 511 | 512 ..        32 lines of 16: a block
//   maxima   | the greatest of each of the 16 columns of block 0 | of block 1 | ...
#pragma once

#include <cstddef>
#include <cstdint>

#include "fathom/machine.h"

namespace fathom {

inline constexpr size_t kColumns = 16;
inline constexpr size_t kBlockEntries = 512;
// Collect may write this many entries beyond those that it found.
inline constexpr size_t kCollectSlack = 16;

inline size_t BlocksOf(size_t entries) { return (entries + kBlockEntries - 1) / kBlockEntries; }
inline size_t MaximaOf(size_t entries) { return BlocksOf(entries) * kColumns; }

struct RowKernels {
  const char* isa;
  CpuFeatures features;  // what the code needs of the CPU
  // Fills maxima [MaximaOf(n)] (-inf where a column is empty) and gives the greatest of them; true
  // where every entry is finite. With a NaN among the entries the maxima mean nothing.
  bool (*scan)(const float* x, size_t n, float* maxima, float* max);
  size_t (*count_at_least)(const float* x, size_t n, float threshold);
  // Entries >= threshold, ids ascending; returns their number. The arrays hold n + kCollectSlack.
  size_t (*collect)(const float* x, size_t n, const float* maxima, float threshold, int32_t* ids,
                    float* values);
  // e[i] = exp(x[i] / divisor - max), and the 16 sums of columns. max: the greatest x / divisor.
  // e may be null: the sums alone.
  void (*exponentials)(const float* x, size_t n, float divisor, float max, float* e,
                       double* columns);
  // The columns of -log p * p, log p = x[i] - normalizer; removed entries add nothing.
  void (*entropy)(const float* x, size_t n, float normalizer, double* columns);
  // The sums of `exponentials` over x[i] >= high alone; the ids with low <= x[i] < high, ascending,
  // into ids [n + kCollectSlack]; returns how many.
  size_t (*split)(const float* x, size_t n, float divisor, float max, float low, float high,
                  int32_t* ids, double* columns);

  // The three below are faster and need not give the same bits on every CPU: what they tell holds
  // within kWeightError, and who asks takes the passes above where that decides nothing.
  //
  // Returns the sum of exp(x[i] / divisor - max) over x[i] < high. block_weights [BlocksOf(n)]: the
  // same over the entries of a block with x[i] >= high. ids [n + kCollectSlack]: those with low <=
  // x[i] < high, ascending; those of block b end at block_ends[b].
  double (*weigh)(const float* x, size_t n, float divisor, float max, float low, float high,
                  int32_t* ids, uint32_t* block_ends, double* block_weights);
  // e[i], about exp(x[i] / divisor - max).
  void (*estimate)(const float* x, size_t n, float divisor, float max, float* e);
  // The sum of e[i] where x[i] >= threshold.
  double (*sum_at_least)(const float* x, const float* e, size_t n, float threshold);
  // The places i with low <= x[i] < high, ascending, into places [n + kCollectSlack].
  size_t (*between)(const float* x, size_t n, float low, float high, int32_t* places);
};

// A sum of estimates is the sum of the exact e[i] (of `exponentials`) times 1 +- kWeightError:
// 2.5e-7 an entry (seen over all floats), 1.2e-7 for what is added up in float32. Entries below
// exp(-86) come out as that.
inline constexpr double kWeightError = 3.7e-7;

// The fastest whose features are all among `features`; there always is one.
const RowKernels& RowKernelsFor(CpuFeatures features);
// RowKernelsFor this CPU.
const RowKernels& BestRowKernels();

}  // namespace fathom
