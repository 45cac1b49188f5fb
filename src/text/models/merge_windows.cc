// Merging a long word piece by piece, so that the work stays in the near caches.
//
// Let enc(X) be what the plain rule (the lowest rank first, the leftmost of equals) makes of X.
// (1) Between two borders of enc(X) it made enc of what lies there: no merge crossed the borders,
//     and of the merges between them it took, in order, what the rule takes there alone.
// (2) If enc(X) ends with x, enc(Y) begins with y and enc(xy) is x, y, then enc(XY) is enc(X)
//     followed by enc(Y). For the first merge across the border would join u, an end of x, and v, a
//     beginning of y; of the pairs inside x and y none would then come before it, and both would
//     be as far as the rule, applied to xy alone, gets them. So it would join u and v there too.
//
//   window 1   t0 t1 t2 t3 | t4 t5 t6      kept: t0 .. t3; t4 .. t6 may hang on what comes behind
//   window 2               | t4 s1 s2 ..   begins there. Its first token is t4 again, and enc of
//                                          t3 and t4 is t3, t4 by (1): it follows by (2).
//
// Where the first token is another one, or no border leaves enough behind it, a longer window is
// looked at; the longest is the word itself.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "text/models/bpe.h"

namespace fathom {
namespace {

// What is looked at, and how much of it must lie behind the last border that is kept: the steps of
// growing care.
struct Look {
  size_t window, behind;
};
constexpr Look kLooks[] = {{128, 24}, {128, 56}, {1024, 128}, {8192, 1024}};

}  // namespace

void BpeModel::MergeInWindows(const uint8_t* word, size_t size, MergeScratch& scratch) const {
  constexpr int32_t kAny = -1;
  struct Place {
    size_t begin = 0;         // of a window
    size_t count = 0;         // tokens before it
    int32_t expected = kAny;  // its first token
    size_t look = 0;          // that led on from here
  } now, before;
  std::vector<int32_t>& tokens = scratch.symbols;
  std::vector<int32_t>& joined = scratch.joined;
  joined.clear();
  const uint8_t* known = nullptr;  // the bytes that `tokens` is of
  size_t known_length = 0;
  bool went_back = false;
  while (now.look < std::size(kLooks)) {
    const size_t rest = size - now.begin;
    const size_t length = std::min(kLooks[now.look].window, rest);
    const uint8_t* bytes = word + now.begin;
    // Runs and other repetitions: what is looked at is often what was looked at last.
    if (length != known_length || std::memcmp(bytes, known, length) != 0) {
      MergeWhole(bytes, length, scratch);
    }
    known = bytes, known_length = length;
    if (now.expected != kAny && tokens[0] != now.expected) {
      if (went_back) break;
      went_back = true;
      now = before;
      joined.resize(now.count);
      ++now.look;
      continue;
    }
    if (length == rest) {
      joined.insert(joined.end(), tokens.begin(), tokens.end());
      tokens.swap(joined);
      return;
    }
    // The last border that leaves enough behind it.
    size_t kept = tokens.size() - 1;
    while (kept > 0 && scratch.begins[kept] + kLooks[now.look].behind > length) --kept;
    if (kept == 0) {
      ++now.look;
      continue;
    }
    joined.insert(joined.end(), tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(kept));
    before = now;
    // What was hard stays so for a while.
    const size_t look = now.look > 0 ? now.look - 1 : 0;
    now = {now.begin + scratch.begins[kept], joined.size(), tokens[kept], look};
    went_back = false;
  }
  MergeWhole(word, size, scratch);
}

}  // namespace fathom
