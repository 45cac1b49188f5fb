// WeightRecipe: how a weight comes out of the checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

enum class WeightRole : uint8_t {
  kMatrix,     // of a linear layer: [out_features, in_features], in the plan's format
  kEmbedding,  // looked up by row; with a tied head also multiplied by: one weight for both
  kVector,     // norm weight or bias: held in float32, which loses nothing
};

// Which part of the weight a rank holds (tensor parallelism); kNone: all of it.
enum class WeightSplit : uint8_t { kNone, kRows, kCols };

struct WeightRecipe {
  std::string name;  // "layers.3.self_attn.q_proj.weight"
  WeightRole role = WeightRole::kMatrix;
  std::vector<std::string> sources;       // names in the checkpoint; several are joined by rows
  std::vector<int64_t> source_rows;       // rows taken of each source, in order (empty: all)
  std::vector<int64_t> source_first_row;  // first row of each (empty: 0)
  bool transpose = false;                 // the checkpoint holds [in_features, out_features] (gpt2)
  int64_t rows = 0;                       // logical shape after the transform; kVector: its length
  int64_t cols = 0;                       // kVector: 0
  WeightSplit split = WeightSplit::kNone;
  // The tensor of another weight, in a second format: no parameters of its own.
  bool repeats = false;
};

}  // namespace fathom
