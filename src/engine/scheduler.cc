#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace fathom {

void Scheduler::StartWaiting(const Tokenizer* tokenizer) {
  while (!waiting_.empty()) {
    RequestState& next = *waiting_.front();
    const int sequences = next.num_sequences;
    if (running_sequences_ + sequences > limits_.max_sequences) return;
    if (reserved_blocks_ + next.reserved_blocks > limits_.max_blocks) return;
    running_sequences_ += sequences;
    reserved_blocks_ += next.reserved_blocks;
    next.alive = sequences;
    auto sequence = std::make_unique<Sequence>(waiting_.front(), 0, tokenizer);
    sequence->cache = cache_.Create();
    sequence->started = Clock::now();
    on_start_(*sequence);
    running_.push_back(std::move(sequence));
    waiting_.pop_front();
  }
}

void Scheduler::Schedule(const Tokenizer* tokenizer, std::vector<ScheduledTokens>& step) {
  step.clear();
  StartWaiting(tokenizer);
  int64_t room = limits_.max_tokens;
  for (const bool decode : {true, false}) {
    for (const auto& sequence : running_) {
      const int64_t pending = sequence->length() - cache_.length(sequence->cache);
      // A beam that has run waits for the others.
      FATHOM_CHECK(pending > 0 || sequence->state->beam_search);
      if (pending == 0 || (pending == 1) != decode || room == 0) continue;
      const int64_t count = std::min(pending, room);
      step.push_back({sequence.get(), count, count == pending});
      room -= count;
    }
  }
}

Sequence& Scheduler::Fork(const Sequence& source, int index, const Tokenizer* tokenizer) {
  auto sequence = std::make_unique<Sequence>(source.state, index, tokenizer);
  FATHOM_CHECK(source.in_prompt());
  sequence->cache = cache_.Fork(source.cache);
  sequence->started = source.started;
  running_.push_back(std::move(sequence));
  return *running_.back();
}

void Scheduler::Release(RequestState& request) {
  --running_sequences_;
  if (--request.alive == 0) reserved_blocks_ -= request.reserved_blocks;
}

void Scheduler::FreeCache(const Sequence& sequence) {
  // What was filled at random is no text.
  const bool text = !sequence.state->random_prefix;
  cache_.Free(sequence.cache,
              text ? std::span<const int32_t>(sequence.ids) : std::span<const int32_t>());
}

void Scheduler::Remove(Sequence& sequence) {
  FreeCache(sequence);
  Release(*sequence.state);
  std::erase_if(running_, [&](const auto& entry) { return entry.get() == &sequence; });
}

void Scheduler::Cancel(RequestId id) {
  std::erase_if(waiting_, [&](const auto& request) { return request->id == id; });
  std::shared_ptr<RequestState> state;
  std::erase_if(running_, [&](const auto& sequence) {
    if (sequence->state->id != id) return false;
    state = sequence->state;
    FreeCache(*sequence);
    return true;
  });
  // Sequences that were not forked yet count too.
  while (state != nullptr && state->alive > 0) Release(*state);
}

}  // namespace fathom
