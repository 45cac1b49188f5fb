// Scheduler: which tokens the next step runs.
//
// Texts being written come first, one token each, so that a long prompt never makes them wait
// longer than one chunk; prompts share what is left of the step's tokens, oldest first. A request
// starts when all the blocks that its sequences can ever need are free: nothing has to be thrown
// out again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/sequence.h"

namespace fathom {

// Tokens [length in the cache, length in the cache + count) of a sequence.
struct ScheduledTokens {
  Sequence* sequence = nullptr;
  int64_t count = 0;
  bool wants_logits = false;  // the last of them has no successor yet
};

struct SchedulerLimits {
  int64_t max_tokens = 0;     // of a step
  int64_t max_sequences = 0;  // running at once
  int64_t max_blocks = 0;     // of every cache group
};

class Scheduler {
 public:
  // on_start sees each sequence with its empty cache before its first step, and may fill it.
  Scheduler(const SchedulerLimits& limits, KvCache& cache,
            std::function<void(const Sequence&)> on_start)
      : limits_(limits), cache_(cache), on_start_(std::move(on_start)) {}

  void Add(std::shared_ptr<RequestState> request) { waiting_.push_back(std::move(request)); }
  bool has_work() const { return !waiting_.empty() || !running_.empty(); }

  // Starts what fits, then fills `step`. Empty only where there is no work.
  void Schedule(const Tokenizer* tokenizer, std::vector<ScheduledTokens>& step);

  // A further sequence of the same request, with the tokens and the cache of `source`.
  Sequence& Fork(const Sequence& source, int index, const Tokenizer* tokenizer);
  // Removes a sequence and frees its cache.
  void Remove(Sequence& sequence);
  // Removes a request, waiting or running.
  void Cancel(RequestId id);

  int64_t reserved_blocks() const { return reserved_blocks_; }

 private:
  void StartWaiting(const Tokenizer* tokenizer);
  void Release(RequestState& request);
  void FreeCache(const Sequence& sequence);

  SchedulerLimits limits_;
  KvCache& cache_;
  std::function<void(const Sequence&)> on_start_;
  std::deque<std::shared_ptr<RequestState>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // oldest first
  int64_t running_sequences_ = 0;                   // planned ones of started requests included
  int64_t reserved_blocks_ = 0;
};

}  // namespace fathom
