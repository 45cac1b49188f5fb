// What no_repeat_ngram_size and encoder_no_repeat_ngram_size share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "sampling/processor.h"

namespace fathom {

// Removes every token that with the end of `ids` would make an n-gram that `source` has.
inline void RemoveNgrams(std::span<const int32_t> source, std::span<const int32_t> ids, size_t n,
                         ScoreRow& row) {
  if (ids.size() + 1 < n) return;
  const auto prefix = ids.last(n - 1);
  for (size_t start = 0; start + n <= source.size(); ++start) {
    if (std::ranges::equal(source.subspan(start, n - 1), prefix)) {
      row.Remove(source[start + n - 1]);
    }
  }
}

}  // namespace fathom
