#include "text/template/search.h"

#include "text/template/heap.h"

namespace fathom::jinja {
namespace {
constexpr size_t kShortNeedle = 8;
}

Searcher::Searcher(TextView needle) : needle_(needle) {
  if (needle.size() <= kShortNeedle) return;
  Heap::Current().StepText(needle.size() * 4);
  border_.assign(needle.size(), 0);
  for (size_t i = 1, k = 0; i < needle.size(); ++i) {
    while (k > 0 && needle[i] != needle[k]) k = border_[k - 1];
    if (needle[i] == needle[k]) ++k;
    border_[i] = k;
  }
}

size_t Searcher::Find(TextView haystack, size_t from) const {
  if (from > haystack.size()) return TextView::npos;
  if (border_.empty()) {
    const size_t at = haystack.find(needle_, from);
    Heap::Current().StepText((at == TextView::npos ? haystack.size() : at) - from);
    return at;
  }
  for (size_t i = from, k = 0; i < haystack.size(); ++i) {
    while (k > 0 && haystack[i] != needle_[k]) k = border_[k - 1];
    if (haystack[i] == needle_[k]) ++k;
    if (k == needle_.size()) {
      Heap::Current().StepText(i - from);
      return i + 1 - k;
    }
  }
  Heap::Current().StepText(haystack.size() - from);
  return TextView::npos;
}

size_t Search(TextView haystack, TextView needle, size_t from) {
  return Searcher(needle).Find(haystack, from);
}

size_t SearchLast(TextView haystack, TextView needle) {
  if (needle.size() <= kShortNeedle) {
    Heap::Current().StepText(haystack.size());
    return haystack.rfind(needle);
  }
  const Searcher searcher(needle);
  size_t last = TextView::npos;
  for (size_t at = searcher.Find(haystack); at != TextView::npos;
       at = searcher.Find(haystack, at + 1)) {
    last = at;
  }
  return last;
}

size_t CountOccurrences(TextView haystack, TextView needle) {
  if (needle.empty()) return haystack.size() + 1;
  const Searcher searcher(needle);
  size_t count = 0;
  for (size_t at = searcher.Find(haystack); at != TextView::npos;
       at = searcher.Find(haystack, at + needle.size())) {
    ++count;
  }
  return count;
}

}  // namespace fathom::jinja
