// Every choice between kernels and every tuned size of the cpu backend. Kernels never decide; the
// figures behind them come from bench/kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/kernel.h"

namespace fathom {

// Activations that a float32 GEMM keeps in L2 while the weights pass by.
inline constexpr size_t kGemmActivationBytes = size_t{1} << 20;
// The settings of that GEMM, the fixed one first. by_rows: workers divide the rows of the
// activations, and each streams all weights.
struct GemmTuning {
  size_t activation_bytes = kGemmActivationBytes;
  bool by_rows = false;
};
inline constexpr GemmTuning kGemmTunings[] = {{},
                                              {.activation_bytes = size_t{1} << 18},
                                              {.activation_bytes = size_t{1} << 19},
                                              {.by_rows = true}};
inline constexpr int kGemmTuningCount = 4;
// The same for the bf16 GEMMs.
inline constexpr size_t kBf16GemmActivationBytes = size_t{1} << 20;
// Blocked GEMMs (kernels/linear_gemm.h): rows of a chunk at most, and tiles of two panels that read
// a block of activations while it is in L2.
inline constexpr size_t kGemmChunkRows = 576;
inline constexpr size_t kGemmSetTiles = 4;
// Keys of one sequence that one work item of decode attention takes at least, and the chunks into
// which a long sequence is cut at most: each costs a partial result that is written and merged.
inline constexpr int64_t kAttentionChunkKeys = 256;
inline constexpr int64_t kAttentionMaxChunks = 64;
// How far ahead decode attention asks for the cache, in each of its two streams.
inline constexpr size_t kAttentionPrefetchBytes = 8192;
// Steps of fewer tokens run their small operations on the last worker that arrives at the barrier
// instead of dividing them.
inline constexpr int64_t kSerialTokens = 4;

// Who runs a node: as RunsOnOneWorker says, or as was timed.
enum class NodeWorkers : uint8_t { kFixed, kOne, kAll };

// What a node runs for a number of rows of its first input.
struct KernelStage {
  int64_t max_rows = 0;               // up to and including
  const CpuKernel* kernel = nullptr;  // null: the operation's reference on one worker
  int tuning = 0;                     // OpCall::tuning
  NodeWorkers workers = NodeWorkers::kFixed;
};

// The kernels of a call whose shapes are the plan's largest, for features that are allowed: stages
// of growing max_rows, the last one reaching the call's rows. attn_implementation: Plan's.
std::vector<KernelStage> ChooseKernels(std::span<const CpuKernel> kernels, CpuFeatures allowed,
                                       const OpRecord& op, const OpCall& call,
                                       std::string_view attn_implementation);

// Everything that could run a call instead of `fixed`, which stands first: rows of the table that
// round operands alike and are no plain baseline, each with its settings, on one worker or all. One
// entry where the operation is never timed.
std::vector<KernelStage> StageCandidates(std::span<const CpuKernel> kernels, CpuFeatures allowed,
                                         const OpRecord& op, const OpCall& call,
                                         const KernelStage& fixed, int workers);

// "setting 2, one worker"; empty for what the fixed choice runs.
std::string DescribeTuning(const KernelStage& stage);

// Is the operation small for this many tokens: run by one worker inside the barrier?
bool RunsOnOneWorker(std::string_view op, int64_t num_tokens);

}  // namespace fathom
