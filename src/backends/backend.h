// Backend: a folder that can run plans. The engine, the optimizations and the reports see this file
// and never inside a backend.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/machine.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

// What the autotuner did for this backend's executables so far (row cudnn_benchmark).
struct TuningSummary {
  bool on = false;
  int shapes = 0;      // with more than one candidate
  int timed = 0;       // by this process; the others came from the file
  int changed = 0;     // another than the fixed choice is faster
  int skipped = 0;     // not timed: the time for it was over
  double seconds = 0;  // of timing, when it was done
  std::string date;    // of the newest timing
  std::string file;    // empty: nothing is kept
  std::string notice;  // a file that could not be used
  // Of those shapes, once each: by the choice, and by the fixed choice.
  double microseconds = 0, fixed_microseconds = 0;

  // "11 shapes tuned in 2.4 s on 2026-11-22, cached; 3 differ from the fixed choice"
  std::string ToString() const;
};

struct BackendOptions {
  int threads = 0;           // 0: the machine's usable cores
  std::string isa;           // "": the best; else amx, avx512, avx2, baseline, neon
  bool tune = false;         // time candidate kernels once a shape
  std::string cache_folder;  // where the choices are kept; empty: nowhere
};

struct BackendInfo {
  std::string name;    // "cpu", "reference"
  std::string device;  // "cpu", "cuda:0"
  int threads = 1;
  std::string isa;  // the level that runs
  std::vector<std::string> instruction_sets;
};

// Where a whole tensor of the checkpoint lies: rows of `dtype` elements, mapped, at any byte.
struct WeightSource {
  DType dtype = DType::kF32;
  const void* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;  // elements from row to row
  // May be empty. Said of bytes of `data` that were read and will not be read again, from any
  // thread: their pages may leave memory before the whole weight is in. A backend need not call it.
  std::function<void(const void* bytes, size_t size)> consumed = {};
};

// Weights in a backend's memory, shared by all its executables. Index: that of Graph::weights.
class WeightStore {
 public:
  virtual ~WeightStore() = default;
  virtual const Weight& Get(int index) const = 0;
  virtual int64_t size_bytes() const = 0;  // owned by the store; mapped bytes in place not counted
};

// The caches of all layers of one live timeline (allocated lazily by the system).
class CacheStore {
 public:
  virtual ~CacheStore() = default;
  virtual Tensor Get(int cache) const = 0;  // [num_blocks, num_heads, block_size, head_dim]
  virtual int64_t size_bytes() const = 0;
  // Copies rows [0, rows) of block `from` to block `to` in every cache of the group (fork).
  virtual void CopyBlock(int group, int64_t from, int64_t to, int64_t rows) = 0;
};

// Which kernel runs a node: for reports ("no silent fallback").
struct KernelChoice {
  std::string node;
  std::string op;
  std::string kernel;  // "linear_bf16_panel16_avx512"
  std::string instruction_sets;
  std::string tuning;     // "setting 2, one worker": chosen by timing; empty: the fixed choice
  bool fallback = false;  // the plain reference runs for want of a kernel
};

// A compiled plan with its step buffers. The engine fills inputs, launches, waits, reads logits.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual const StepSizes& capacity() const = 0;
  // The buffer of a step input, as large as the capacity; empty where the graph has no such input.
  // Filled dense at the sizes of the step: the rows of block_table.g are sizes.max_blocks apart.
  virtual std::span<int32_t> Input(std::string_view name) = 0;
  // Runs one step. Asynchronous where the device is: Wait before reading.
  virtual Status Launch(const StepSizes& sizes) = 0;
  virtual Status Wait() = 0;
  // float32 [num_logit_rows, vocab_size] of the last step.
  virtual Tensor Logits() = 0;
  // One of Graph::Results after the last step, float32 at the step's sizes.
  virtual Tensor Kept(ValueId id) = 0;
  virtual std::span<const KernelChoice> kernels() const = 0;
  virtual int64_t arena_bytes() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;
  virtual TuningSummary tuning() const { return {}; }
  // The format and type that this backend wants a weight in. `compiled` false: in place, dense.
  virtual WeightPlan ChooseWeight(const WeightRecipe& recipe, DType dtype, bool compiled) const = 0;
  // Whether Upload makes kInt8Panel16 and kInt4Panel16 and the linear operations multiply by them.
  virtual bool HoldsQuantized() const { return false; }
  // Whether float32 weights can be multiplied as bf16 products: kSplitPanel16 for "high", kPanel16
  // of BF16 for "medium" (row float32_matmul_precision). The cpu backend: avx512_bf16 or amx_bf16.
  virtual bool HasBf16Products() const { return false; }
  virtual std::unique_ptr<WeightStore> CreateWeights(int count) = 0;
  // Brings one weight in, one at a time: sources (joined by rows, transposed where the recipe says)
  // -> plan's format. Used in place where format, type and alignment allow and `in_place` is true.
  virtual Status Upload(WeightStore& store, int index, const WeightRecipe& recipe,
                        const WeightPlan& plan, std::span<const WeightSource> sources,
                        bool in_place) = 0;
  // Whether a weight that Upload made may lie in a mapped file from then on: Adopt puts `weight`,
  // equal to what the store holds at `index` or would hold, in its place. Its data outlives the
  // store.
  virtual bool AdoptsWeights() const { return false; }
  virtual void Adopt(WeightStore&, int /*index*/, const Weight& /*weight*/) {}
  virtual Result<std::unique_ptr<CacheStore>> CreateCaches(const Plan& plan) = 0;
  virtual Result<std::unique_ptr<Executable>> Compile(Plan plan,
                                                      std::shared_ptr<const WeightStore> weights,
                                                      std::shared_ptr<CacheStore> caches) = 0;
};

// One folder of src/backends: how it is named and made.
struct BackendRecord {
  std::string_view name;
  std::string_view description;
  Result<std::unique_ptr<Backend>> (*create)(const Machine& machine, const BackendOptions& options);
  // What its tuner has kept for this machine, over all models; null: none. Times nothing.
  TuningSummary (*remembered)(const Machine& machine, const BackendOptions& options) = nullptr;
  // The records' references on float32 weights and nothing packed: rows that choose kernels, a
  // type, or how weights are kept change nothing.
  bool plain = false;
};
std::span<const BackendRecord* const> AllBackends();
// Null where there is none of this name.
const BackendRecord* FindBackend(std::string_view name);
// Whether there is a backend of this name and it is plain.
bool IsPlainBackend(std::string_view name);
Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name, const Machine& machine,
                                               const BackendOptions& options);

// Of the backend of this name; nothing (on = false) where it has no tuner.
TuningSummary RememberedTuning(std::string_view name, const Machine& machine,
                               const BackendOptions& options);

}  // namespace fathom
