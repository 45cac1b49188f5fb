// Packed weights kept from one start to the next (row weight_cache): after the first packing they
// lie in $XDG_CACHE_HOME/fathom/weights, and the next start maps them and uses them there;
// processes share the pages. A file that is not whole, not ours or not of this checkpoint is made
// anew; where none can be written the weights are packed into memory, with a notice. Nothing here
// fails a load that would do without it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/cache_file.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "engine/weight_cache_layout.h"
#include "engine/weight_loader.h"

namespace fathom {

struct WeightCacheSettings {
  std::string folder;        // empty: nothing is kept
  int64_t limit_bytes = -1;  // of all files in the folder; negative: a tenth of the disk
  int64_t smallest_bytes = kSmallestKeptBytes;  // of the checkpoint
  int threads = 1;
  std::string dtype;  // for the name of the file
};

class WeightCache {
 public:
  // `input` is used as long as the cache is.
  WeightCache(const WeightLoadInput& input, WeightCacheSettings settings);

  struct Loaded {
    std::shared_ptr<const WeightStore> store;
    MappedFile file;  // holds the store's weights
    bool made = false;
  };
  // What an earlier start kept; nothing where there is none that can be used.
  std::optional<Loaded> Open();
  // Packs all weights into a file; nothing where that cannot be (a notice says why).
  Result<std::optional<Loaded>> Make();

 private:
  bool applies() const { return !layout_.weights.empty(); }
  std::string path() const;

  WeightLoadInput input_;
  WeightCacheSettings settings_;
  WeightCacheLayout layout_;
  std::vector<size_t> others_;  // weights that lie in the checkpoint as they run
};

}  // namespace fathom
