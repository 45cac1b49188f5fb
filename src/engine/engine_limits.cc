#include "engine/engine_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/kv_cache.h"
#include "engine/plan_builder.h"
#include "fathom/machine.h"

namespace fathom {

namespace {

constexpr int64_t kMaxSequences = 4096;
constexpr int64_t kMaxChunkTokens = int64_t{1} << 16;
// A slot is an int32.
constexpr int64_t kMaxBlocks = (int64_t{1} << 31) / kCacheBlockSize - 1;
// Attention weights that one step keeps at most: a long context goes in smaller chunks.
constexpr int64_t kKeptAttentionBytes = int64_t{1} << 30;
// Of the memory that is free once the weights are there; the rest is for activations and everyone
// else.
constexpr double kCacheShare = 0.8;

int64_t CacheBudget(const Model& model) {
  if (model.options().cache_bytes > 0) return model.options().cache_bytes;
  const Machine machine = DetectMachine({.gpus = false});
  return static_cast<int64_t>(kCacheShare * static_cast<double>(machine.memory.usable_bytes));
}

// Most tokens of a step whose kept attention weights stay within their bytes.
int64_t TokensWithAttentions(const Graph& graph, const EngineLimits& limits) {
  int64_t heads = 0;
  for (const ValueId id : graph.attentions) heads += graph.values[id].dims[1].value;
  const int64_t row = KvCache::BlocksFor(limits.context_length) * kCacheBlockSize;
  const int64_t bytes = std::max<int64_t>(heads, 1) * row * static_cast<int64_t>(sizeof(float));
  return heads == 0 ? kMaxChunkTokens : std::max<int64_t>(1, kKeptAttentionBytes / bytes);
}

}  // namespace

std::vector<int64_t> BucketSizes(int64_t chunk_tokens, int64_t max_sequences) {
  std::vector<int64_t> sizes = {1, std::max<int64_t>(16, max_sequences), 128, chunk_tokens};
  std::erase_if(sizes, [&](int64_t size) { return size > chunk_tokens; });
  std::ranges::sort(sizes);
  const auto repeated = std::ranges::unique(sizes);
  sizes.erase(repeated.begin(), repeated.end());
  return sizes;
}

Result<EngineLimits> ComputeLimits(const Model& model, NoticeSink* notices) {
  const EngineOptions& options = model.options();
  if (options.max_sequences < 1 || options.max_sequences > kMaxSequences) {
    return Status::Usage("max_sequences", fmt::format("{} is not between 1 and {}",
                                                      options.max_sequences, kMaxSequences));
  }
  if (options.chunk_tokens < 1 || options.chunk_tokens > kMaxChunkTokens) {
    return Status::Usage("chunk_tokens", fmt::format("{} is not between 1 and {}",
                                                     options.chunk_tokens, kMaxChunkTokens));
  }
  EngineLimits limits{.context_length = model.context_length(),
                      .max_sequences = options.max_sequences};
  limits.buckets =
      BucketSizes(std::min(options.chunk_tokens, TokensWithAttentions(model.graph(), limits)),
                  options.max_sequences);
  const int64_t blocks_a_sequence = KvCache::BlocksFor(limits.context_length);
  const int64_t wanted = std::min(kMaxBlocks, blocks_a_sequence * limits.max_sequences);
  // A graph of window layers alone holds no more bytes for it: a bound, not an exact need.
  const int64_t block_bytes =
      std::max<int64_t>(1, model.memory().cache_bytes_per_token * kCacheBlockSize);
  const int64_t budget = CacheBudget(model);
  limits.num_blocks = std::min(wanted, budget / block_bytes);
  if (limits.num_blocks < 1) {
    return Status::RunTime(fmt::format("the cache of {} tokens takes {} bytes, {} are to be had",
                                       kCacheBlockSize, block_bytes, budget),
                           "free memory, or choose a smaller model or dtype");
  }
  if (limits.num_blocks < blocks_a_sequence) {
    const int64_t fits = limits.num_blocks * kCacheBlockSize;
    if (notices != nullptr) {
      notices->Warn(
          fmt::format("memory holds the cache of {} tokens: the context is that long "
                      "instead of {}",
                      fits, limits.context_length));
    }
    limits.context_length = fits;
  }
  return limits;
}

}  // namespace fathom
