// Calls of the linear operations over the matrices of a model's layer, with random weights in any
// format: what the families of linear kernels run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"
#include "base/arena.h"
#include "base/block_arena.h"
#include "ops/op.h"

namespace fathom {

struct LayerShape {
  const char* name;
  int64_t hidden, heads_dim, kv_dim, ffn, vocab;
};
inline constexpr LayerShape kLayerShapes[] = {{"135m", 576, 576, 192, 1536, 49152},
                                              {"1b", 2048, 2048, 512, 8192, 128256}};

// The layer's calls of one kernel's operation, over again until the weights are `bytes`.
class LinearCalls {
 public:
  LinearCalls(const CpuKernel& kernel, const LayerShape& shape, int64_t rows, double bytes,
              int workers, int tuning);

  double weight_bytes() const { return weight_bytes_; }
  double flops() const { return flops_; }
  // All calls, a barrier behind each.
  void Run(const Worker& worker) const;
  // Only loads: every byte of the weights, in the order of the panels and divided like their rows.
  void Load(const Worker& worker) const;

 private:
  struct Call {
    std::vector<Weight> weights;
    std::vector<Operand> inputs, outputs;
    OpCall call;
  };
  void Add(int64_t rows, int64_t in, const std::vector<int64_t>& outs);

  const CpuKernel& kernel_;
  Attributes attributes_;
  AlignedBuffer x_, y_, scratch_;
  BlockArena arena_;  // of the weights, as the backend holds them
  std::vector<std::unique_ptr<Call>> calls_;
  double weight_bytes_ = 0, flops_ = 0;
};

}  // namespace fathom
