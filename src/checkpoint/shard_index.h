// model.safetensors.index.json: which shard holds which tensor.
//
//   {"metadata": {"total_size": 28966928384},
//    "weight_map": {"model.embed_tokens.weight": "model-00001-of-00003.safetensors", ...}}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

inline constexpr size_t kMaxIndexBytes = 100'000'000;
inline constexpr size_t kMaxCheckpointTensors = 400'000;  // of all shards
inline constexpr size_t kMaxShards = 10'000;

struct ShardIndex {
  struct Entry {
    std::string tensor;
    uint32_t shard;  // index into `shards`
  };
  std::vector<std::string> shards;  // sorted file names, each once, as the index spells them
  std::vector<Entry> entries;       // in the index's order, each tensor once
};

// Reads an index. kBadFile where it is no index, names a tensor twice, or names a shard by a path
// that could leave the folder (absolute, "..", a NUL) or that is no .safetensors file.
Result<ShardIndex> ReadShardIndex(const std::string& path);

// The file that `name` means inside `folder`, links followed, for opening. kBadFile, without
// opening anything, where there is none or where a link leads out of the folder. One way out is
// allowed: that of Hugging Face's cache, where models--ORG--NAME/snapshots/REVISION/x links to
// models--ORG--NAME/blobs/HASH.
Result<std::string> ResolveShard(const std::string& folder, const std::string& name);

}  // namespace fathom
