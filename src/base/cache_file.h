// Files that a later run may find again and nobody misses: where they lie and how they are written.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// $XDG_CACHE_HOME/fathom or ~/.cache/fathom; empty where neither variable is set.
std::string CacheFolder();

// Written beside and renamed, folders made: a reader never sees half a file. False where it cannot
// be written, which is no failure of a run.
bool WriteCacheFile(const std::string& path, std::string_view text);

}  // namespace fathom
