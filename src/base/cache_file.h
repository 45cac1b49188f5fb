// Files that a later run may find again and nobody misses: where they lie and how they are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace fathom {

// Weights of fewer bytes are not kept packed: they are packed faster than they are looked for.
inline constexpr int64_t kSmallestKeptBytes = int64_t{32} << 20;

// $XDG_CACHE_HOME/fathom or ~/.cache/fathom; empty where neither variable is set.
std::string CacheFolder();

// Written beside and renamed, folders made: a reader never sees half a file. Says why where it
// cannot be written, which is no failure of a run.
std::error_code WriteCacheFile(const std::string& path, std::string_view text);

}  // namespace fathom
