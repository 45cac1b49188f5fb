// A text whose bytes may carry a mark each: whether the byte comes from a trusted span.
//
// Normalizers change a text; where the caller trusts only parts of it (a chat template's own words,
// not the user's), the marks follow their bytes, so that a special token that is matched after
// normalization still stands on trusted bytes alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

struct MarkedText {
  std::string text;            // UTF-8
  std::vector<uint8_t> marks;  // one a byte of `text`, 1 = trusted; or empty: nothing is marked

  bool marked() const { return !marks.empty(); }
  uint8_t mark(size_t offset) const { return marks.empty() ? 0 : marks[offset]; }
  // Gives bytes appended to `text` since the last call the mark.
  void MarkUpTo(size_t end, uint8_t mark) { marks.resize(end, mark); }
};

}  // namespace fathom
