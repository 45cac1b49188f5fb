// How weights leave the checkpoint: the rows that a recipe asks for, joined, cut and transposed, in
// the element type that is wanted.
//
// A source is the whole mapped tensor [rows, cols]; a kVector's is flat. Where the recipe
// transposes, "rows" of source_rows and source_first_row are rows after the transposition (columns
// of the source): gpt2's c_attn [in, 3 * out] gives q, k, v as rows 0, out and 2 * out of its
// transpose. The data may lie at any byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "base/arena.h"
#include "fathom/status.h"
#include "graph/plan.h"
#include "graph/weight_recipe.h"
#include "tensor/weight.h"

namespace fathom {

class SourceRows {
 public:
  // kBadFile where the sources do not make up the recipe's shape, or their type has no float form.
  static Result<SourceRows> Create(const WeightRecipe& recipe,
                                   std::span<const WeightSource> sources);

  // Logical shape: [rows, cols]; a vector is [1, length].
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  // The type of all sources; F32 where they differ.
  DType dtype() const { return dtype_; }

  // Rows as they lie in the file, or null where they are joined, transposed, or not aligned to
  // `alignment` bytes. *stride: elements from row to row.
  const void* InPlace(int64_t alignment, int64_t* stride) const;

  // Logical rows [first, first + count) as `dtype` (F32, F16, BF16) into `out`, row-major, `stride`
  // elements a row. Const and without shared state: several threads may read different rows.
  void Read(int64_t first, int64_t count, DType dtype, void* out, int64_t stride) const;

 private:
  struct Piece {
    WeightSource source;
    int64_t first = 0;  // row of the source (column, if transposed)
    int64_t rows = 0;
  };
  void ReadPiece(const Piece& piece, int64_t first, int64_t count, DType dtype, void* out,
                 int64_t stride) const;

  std::vector<Piece> pieces_;
  bool vector_ = false;  // flat sources
  bool transpose_ = false;
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  DType dtype_ = DType::kF32;
};

// A weight and, unless it is used in place, the bytes it owns.
struct HeldWeight {
  Weight weight;
  AlignedBuffer buffer;            // empty: in place, or in `room`
  std::span<std::byte> room = {};  // HostWeights::Room
};

// One weight in the plan's format, on this thread. kVector: dense F32 [1, length] whatever the
// plan. `in_place` allows the checkpoint's own bytes where the plan's format is dense, the types
// agree and the data is aligned to `alignment` bytes.
Result<HeldWeight> ImportWeight(const WeightRecipe& recipe, const WeightPlan& plan,
                                std::span<const WeightSource> sources, bool in_place,
                                int64_t alignment);

}  // namespace fathom
