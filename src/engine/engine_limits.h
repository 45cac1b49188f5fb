// How large an engine is: decided once, from the model, the options and the memory at hand.
#pragma once

#include <cstdint>
#include <vector>

#include "base/log.h"
#include "fathom/model.h"
#include "fathom/status.h"

namespace fathom {

struct EngineLimits {
  int64_t context_length = 0;  // the model's, or less where the caches cannot hold as much
  int64_t max_sequences = 0;
  int64_t num_blocks = 0;        // of every cache group
  std::vector<int64_t> buckets;  // tokens a step, ascending; the last is the largest step
};

// kUsage for options out of range, kRunTime where not one block of cache fits.
Result<EngineLimits> ComputeLimits(const Model& model, NoticeSink* notices);

// Buckets up to chunk_tokens: one token (decode of one text), a batch of decodes, and prompts.
std::vector<int64_t> BucketSizes(int64_t chunk_tokens, int64_t max_sequences);

}  // namespace fathom
