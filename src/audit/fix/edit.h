// Changes to the bytes of a file: applied, or shown as a patch. What no edit names stays byte for
// byte, line ends included.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// The bytes [begin, end) of a file become `replacement`; begin == end inserts.
struct Edit {
  size_t begin = 0;
  size_t end = 0;
  std::string replacement;
};

// The line end of a file: that of its first line, "\n" where it has none. What is inserted uses it.
std::string_view LineEnding(std::string_view bytes);

// The file after the edits, which may come in any order; two insertions at one place stand in the
// order given. Fails (kRunTime) where edits overlap or reach beyond the end.
Result<std::string> ApplyEdits(std::string_view bytes, std::vector<Edit> edits);

// The edits as a unified diff with three lines of context, as `patch -p1` and `git apply` take it;
// "" where nothing changes. `path` is written after "a/" and "b/". Fails as ApplyEdits does.
Result<std::string> UnifiedDiff(std::string_view bytes, std::vector<Edit> edits,
                                std::string_view path);

}  // namespace fathom
