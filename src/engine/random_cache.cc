#include "engine/random_cache.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tensor/convert.h"

namespace fathom {

void FillRandomCache(const Graph& graph, CacheStore& store, const KvCache& cache,
                     KvCache::Handle sequence, uint64_t seed) {
  // A block is a piece of one table of numbers, from a place drawn anew: a gigabyte of them drawn
  // one by one would take longer than what is measured.
  constexpr int64_t kPlaces = 1 << 16;
  int64_t largest = 0;
  for (size_t i = 0; i < graph.caches.size(); ++i) {
    largest = std::max(largest, store.Get(static_cast<int>(i)).strides[0]);
  }
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(kPlaces + largest));
  for (float& value : values) value = normal(random);
  for (size_t i = 0; i < graph.caches.size(); ++i) {
    const Tensor tensor = store.Get(static_cast<int>(i));
    const int64_t block_elements = tensor.strides[0];
    for (const int32_t block : cache.block_table(sequence, graph.caches[i].group)) {
      ConvertFromFloat(tensor.dtype, values.data() + random() % kPlaces, block_elements,
                       tensor.as<std::byte>() + block * block_elements * BytesOf(tensor.dtype));
    }
  }
}

}  // namespace fathom
