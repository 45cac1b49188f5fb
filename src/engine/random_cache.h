// Random keys and values in place of a long text: for benchmarks, where minutes of prefill would
// come before seconds of measured work.
#pragma once

#include <cstdint>

#include "backends/backend.h"
#include "engine/kv_cache.h"
#include "graph/graph.h"

namespace fathom {

// Normal numbers (mean 0, deviation 1) in all blocks of a sequence, in every layer. The caches lie
// in the process's own memory.
void FillRandomCache(const Graph& graph, CacheStore& store, const KvCache& cache,
                     KvCache::Handle sequence, uint64_t seed);

}  // namespace fathom
