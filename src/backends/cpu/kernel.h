// The kernel table of the cpu backend: one row a kernel. Backends resolve it once, in Compile; what
// is chosen among the rows that fit is written in heuristics.cc alone.
//
// A kernel is called by all workers of the pool at once and divides the work itself. It may call
// Worker::Barrier, on every worker alike. When it returns on one worker the others may still run:
// the caller puts a barrier before the next reader.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "fathom/machine.h"
#include "ops/op.h"
#include "tensor/dtype.h"
#include "tensor/weight.h"

namespace fathom {

enum class KernelVariant : uint8_t {
  kAny,    // the one way to do it
  kGemv,   // linear: a few activation rows (CpuKernel::max_rows), the weight streamed once
  kGemm,   // linear: many rows
  kFlash,  // attention: online softmax, the cache read once a group of query heads
  kEager,  // attention: all scores of a head in memory, then their softmax, then the sums
};

struct CpuKernel {
  std::string name;  // "linear_bf16_panel16_avx512"
  std::string description;
  std::string_view op;  // OpRecord::name
  KernelVariant variant = KernelVariant::kAny;
  // What the weights and caches of the call must be; none: no matter, or the op has none.
  std::optional<WeightFormat> weight_format;
  std::optional<DType> weight_dtype;
  std::optional<DType> cache_dtype;
  CpuFeatures features;  // what the code needs of the CPU
  int64_t max_rows = 0;  // of the first input; 0: any number
  // Further conditions, over a call with the plan's largest shapes; null: none.
  bool (*accepts)(const OpCall& call) = nullptr;
  // Bytes of OpCall::scratch for calls of up to these shapes; null: none.
  size_t (*scratch_bytes)(const OpCall& call, int workers) = nullptr;
  void (*run)(const OpCall& call, const Worker& worker) = nullptr;
  // Relative error by which the kernel rounds operands before it multiplies (ops/op_testing.h).
  double compute_epsilon = 0x1p-23;
  // Settings that OpCall::tuning may choose: 0 .. tunings - 1. All compute the same to within
  // float32 rounding.
  int tunings = 1;
};

// The rows while they are collected. Its members are compiled once, for the plain CPU: the kernel
// files call them from code that is compiled for more.
class CpuKernelTable {
 public:
  void Add(const CpuKernel& kernel) { rows_.push_back(kernel); }
  // The same for code that must not instantiate containers: a row named `base` + "_" + `suffix`.
  CpuKernel& Add(const char* base, const char* suffix, const char* description, const char* op,
                 CpuFeatures features, void (*run)(const OpCall&, const Worker&));
  const std::vector<CpuKernel>& rows() const { return rows_; }

 private:
  std::vector<CpuKernel> rows_;
};

// All rows of this build, whatever the CPU at hand can run.
std::span<const CpuKernel> CpuKernels();

// Each file of kernels/ brings its rows.
void AddElementwiseKernels(CpuKernelTable& table);
void AddNormKernels(CpuKernelTable& table);
void AddRotaryKernels(CpuKernelTable& table);
void AddLookupKernels(CpuKernelTable& table);
void AddLinearDenseKernels(CpuKernelTable& table);
void AddLinearPanel16Kernels(CpuKernelTable& table);
void AddLinearQuantizedKernels(CpuKernelTable& table);
void AddLinearQuantizedGemmAvx512Kernels(CpuKernelTable& table);
void AddLinearQuantizedGemvAvx512Kernels(CpuKernelTable& table);
void AddLinearBf16Panel16Avx512Kernels(CpuKernelTable& table);
void AddLinearGemmAmxKernels(CpuKernelTable& table);
void AddAttentionKernels(CpuKernelTable& table);
void AddAttentionEagerKernels(CpuKernelTable& table);
void AddAttentionBf16Kernels(CpuKernelTable& table);

// Does the call's weights and caches, and the row's own condition, allow the row?
bool KernelAccepts(const CpuKernel& kernel, const OpRecord& op, const OpCall& call);

}  // namespace fathom
