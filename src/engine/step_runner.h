// StepRunner: turns scheduled tokens into one launch of the smallest executable that holds them.
//
// A bucket is an executable compiled for so many tokens; all of them share the weights and the
// caches.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "engine/kv_cache.h"
#include "engine/scheduler.h"
#include "fathom/model.h"
#include "fathom/status.h"

namespace fathom {

class StepRunner {
 public:
  // Compiles a bucket for each of `token_counts` (ascending; the last one is the largest step).
  static Result<std::unique_ptr<StepRunner>> Create(const Model& model, KvCache& cache,
                                                    std::shared_ptr<CacheStore> store,
                                                    std::span<const int64_t> token_counts,
                                                    int64_t max_sequences, int64_t max_blocks);

  // Makes room in the cache, runs the tokens, and frees what lies behind every window. Logits: one
  // row for each entry that wants_logits, in their order; all_rows gives a row for every token
  // instead. The span is valid until the next step.
  Result<std::span<float>> Run(std::span<const ScheduledTokens> step, bool all_rows = false);

  // One of Graph::Results of the last Run, at its sizes; the entries' tokens lie one after another.
  Tensor Kept(ValueId id) const { return last_->Kept(id); }
  // Tokens of entry i that the cache held before the last Run.
  int64_t offset(size_t i) const { return offsets_[i]; }

  // Most tokens of a step that asks for the logits of each; the bucket for it is compiled when it
  // is first needed.
  int64_t scoring_tokens() const { return scoring_tokens_; }

  std::span<const KernelChoice> kernels() const;
  int64_t arena_bytes() const;

 private:
  struct Bucket {
    std::unique_ptr<Executable> executable;
    // Step inputs; empty spans where the graph has none.
    std::span<int32_t> token_ids, positions, rope_lengths, sequence_start, cache_offset, logit_rows;
    std::vector<std::span<int32_t>> block_tables, slots;  // per group
  };

  StepRunner(const Model& model, KvCache& cache, std::shared_ptr<CacheStore> store)
      : model_(model), cache_(cache), store_(std::move(store)) {}

  Result<Bucket> Compile(const StepSizes& capacity);
  // Writes the step inputs; the cache has room already.
  StepSizes Fill(Bucket& bucket, std::span<const ScheduledTokens> step, bool all_rows);
  void FillSequence(Bucket& bucket, const ScheduledTokens& tokens, int64_t offset, int64_t first);
  Result<Bucket*> Choose(int64_t num_tokens, bool all_rows);

  const Model& model_;
  KvCache& cache_;
  std::shared_ptr<CacheStore> store_;
  std::vector<Bucket> buckets_;  // ascending
  std::vector<Bucket> scoring_;  // none or one
  int64_t scoring_tokens_ = 0;
  int64_t max_sequences_ = 0;
  int64_t max_blocks_ = 0;
  Executable* last_ = nullptr;    // of the last Run
  std::vector<int64_t> offsets_;  // cache length of each entry before the step
};

}  // namespace fathom
