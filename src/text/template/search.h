// Finding text in text in linear time: a hostile needle must not cost its length times the
// haystack's.
#pragma once

#include <cstddef>
#include <vector>

#include "text/template/unicode.h"

namespace fathom::jinja {

// A needle, ready to be found many times. The views must outlive it.
class Searcher {
 public:
  explicit Searcher(TextView needle);
  // Position of the first occurrence at or after `from`, or npos. Charges steps for what it reads.
  size_t Find(TextView haystack, size_t from = 0) const;

 private:
  TextView needle_;
  std::vector<size_t> border_;  // Knuth-Morris-Pratt; empty for a short needle
};

size_t Search(TextView haystack, TextView needle, size_t from = 0);
size_t SearchLast(TextView haystack, TextView needle);        // the last occurrence, or npos
size_t CountOccurrences(TextView haystack, TextView needle);  // not overlapping, as str.count

}  // namespace fathom::jinja
