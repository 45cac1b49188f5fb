#include "engine/step_runner.h"

#include <algorithm>

#include "base/check.h"
#include "engine/plan_builder.h"

namespace fathom {

namespace {

// Logits of a scoring step stay below this: [tokens, vocab_size] float32.
constexpr int64_t kScoringLogitsBytes = int64_t{64} << 20;

}  // namespace

Result<std::unique_ptr<StepRunner>> StepRunner::Create(const Model& model, KvCache& cache,
                                                       std::shared_ptr<CacheStore> store,
                                                       std::span<const int64_t> token_counts,
                                                       int64_t max_sequences, int64_t max_blocks) {
  std::unique_ptr<StepRunner> runner(new StepRunner(model, cache, std::move(store)));
  runner->max_sequences_ = max_sequences;
  runner->max_blocks_ = max_blocks;
  runner->scoring_tokens_ = std::clamp<int64_t>(
      kScoringLogitsBytes / (model.vocab_size() * static_cast<int64_t>(sizeof(float))), 1,
      token_counts.back());
  for (const int64_t tokens : token_counts) {
    const int64_t sequences = std::min(tokens, max_sequences);
    FATHOM_ASSIGN(Bucket bucket, runner->Compile({.num_tokens = tokens,
                                                  .num_sequences = sequences,
                                                  .num_logit_rows = sequences,
                                                  .max_blocks = max_blocks}));
    runner->buckets_.push_back(std::move(bucket));
  }
  return runner;
}

Result<StepRunner::Bucket> StepRunner::Compile(const StepSizes& capacity) {
  Plan plan = PlanForBucket(model_.plan(), model_.options(), capacity, cache_.num_blocks());
  Bucket bucket;
  FATHOM_ASSIGN(bucket.executable,
                model_.backend().Compile(std::move(plan), model_.weights(), store_));
  Executable& executable = *bucket.executable;
  bucket.token_ids = executable.Input(step_input::kTokenIds);
  bucket.positions = executable.Input(step_input::kPositions);
  bucket.rope_lengths = executable.Input(step_input::kRopeLengths);
  bucket.sequence_start = executable.Input(step_input::kSequenceStart);
  bucket.cache_offset = executable.Input(step_input::kCacheOffset);
  bucket.logit_rows = executable.Input(step_input::kLogitRows);
  for (int group = 0; group < cache_.num_groups(); ++group) {
    bucket.block_tables.push_back(executable.Input(step_input::BlockTable(group)));
    bucket.slots.push_back(executable.Input(step_input::Slots(group)));
  }
  return bucket;
}

Result<StepRunner::Bucket*> StepRunner::Choose(int64_t num_tokens, bool all_rows) {
  if (all_rows) {
    FATHOM_CHECK(num_tokens <= scoring_tokens_);
    if (scoring_.empty()) {
      FATHOM_ASSIGN(Bucket bucket, Compile({.num_tokens = scoring_tokens_,
                                            .num_sequences = 1,
                                            .num_logit_rows = scoring_tokens_,
                                            .max_blocks = max_blocks_}));
      scoring_.push_back(std::move(bucket));
    }
    return &scoring_[0];
  }
  for (Bucket& bucket : buckets_) {
    if (num_tokens <= bucket.executable->capacity().num_tokens) return &bucket;
  }
  FATHOM_CHECK(false);
  return nullptr;
}

void StepRunner::FillSequence(Bucket& bucket, const ScheduledTokens& tokens, int64_t offset,
                              int64_t first) {
  const Sequence& sequence = *tokens.sequence;
  const auto set = [&](std::span<int32_t> input, auto value) {
    if (input.empty()) return;
    for (int64_t i = 0; i < tokens.count; ++i) {
      input[first + i] = static_cast<int32_t>(value(offset + i));
    }
  };
  set(bucket.token_ids, [&](int64_t position) { return sequence.ids[position]; });
  set(bucket.positions, [&](int64_t position) { return position; });
  // All ids that are known are in the prompt of this pass, also where it runs in chunks.
  set(bucket.rope_lengths, [&](int64_t) { return sequence.length(); });
  for (int group = 0; group < cache_.num_groups(); ++group) {
    set(bucket.slots[group],
        [&](int64_t position) { return cache_.Slot(sequence.cache, group, position); });
  }
}

StepSizes StepRunner::Fill(Bucket& bucket, std::span<const ScheduledTokens> step, bool all_rows) {
  StepSizes sizes{.num_sequences = static_cast<int64_t>(step.size())};
  const auto put = [](std::span<int32_t> input, int64_t index, int64_t value) {
    if (!input.empty()) input[index] = static_cast<int32_t>(value);
  };
  for (size_t i = 0; i < step.size(); ++i) {
    const ScheduledTokens& tokens = step[i];
    FillSequence(bucket, tokens, offsets_[i], sizes.num_tokens);
    put(bucket.sequence_start, static_cast<int64_t>(i), sizes.num_tokens);
    put(bucket.cache_offset, static_cast<int64_t>(i), offsets_[i]);
    for (int64_t t = 0; t < tokens.count; ++t) {
      if (!all_rows && !(tokens.wants_logits && t == tokens.count - 1)) continue;
      put(bucket.logit_rows, sizes.num_logit_rows++, sizes.num_tokens + t);
    }
    sizes.num_tokens += tokens.count;
    for (int group = 0; group < cache_.num_groups(); ++group) {
      sizes.max_blocks =
          std::max(sizes.max_blocks,
                   static_cast<int64_t>(cache_.block_table(tokens.sequence->cache, group).size()));
    }
  }
  put(bucket.sequence_start, sizes.num_sequences, sizes.num_tokens);
  for (int group = 0; group < cache_.num_groups(); ++group) {
    const std::span<int32_t> table = bucket.block_tables[group];
    for (size_t i = 0; i < step.size() && !table.empty(); ++i) {
      const auto blocks = cache_.block_table(step[i].sequence->cache, group);
      const auto row = table.subspan(i * sizes.max_blocks, sizes.max_blocks);
      std::fill(std::copy(blocks.begin(), blocks.end(), row.begin()), row.end(), -1);
    }
  }
  return sizes;
}

Result<std::span<float>> StepRunner::Run(std::span<const ScheduledTokens> step, bool all_rows) {
  int64_t num_tokens = 0;
  offsets_.clear();
  for (const ScheduledTokens& tokens : step) {
    num_tokens += tokens.count;
    offsets_.push_back(cache_.length(tokens.sequence->cache));
    FATHOM_CHECK(cache_.Extend(tokens.sequence->cache, tokens.count));  // it was reserved
  }
  FATHOM_ASSIGN(Bucket * bucket, Choose(num_tokens, all_rows));
  const StepSizes sizes = Fill(*bucket, step, all_rows);
  FATHOM_TRY(bucket->executable->Launch(sizes));
  FATHOM_TRY(bucket->executable->Wait());
  last_ = bucket->executable.get();
  for (const ScheduledTokens& tokens : step) cache_.FreeBehindWindow(tokens.sequence->cache);
  const Tensor logits = bucket->executable->Logits();
  return std::span<float>(logits.as<float>(),
                          static_cast<size_t>(sizes.num_logit_rows * model_.vocab_size()));
}

std::span<const KernelChoice> StepRunner::kernels() const {
  return buckets_.back().executable->kernels();
}

int64_t StepRunner::arena_bytes() const {
  int64_t bytes = 0;
  for (const Bucket& bucket : buckets_) bytes += bucket.executable->arena_bytes();
  for (const Bucket& bucket : scoring_) bytes += bucket.executable->arena_bytes();
  return bytes;
}

}  // namespace fathom
