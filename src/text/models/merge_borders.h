// Where a word may be cut before it is merged: between two characters that no merge joins.
//
// A merge of two byte-level tokens joins what the left one ends with and the right one begins with.
// Each merge leaves its mark as the pair of these two, cut to one character (or to the part of one,
// where a token holds no more); a border of two characters that bears none of the marks which could
// lie across it stays in every result of merging, so the parts may be merged each by itself. That
// turns the sentences which scripts without spaces have for words into short parts that recur.
//
// Where tokens hold more than one character the mark is of two on a side: asked for only where one
// character on each side does not tell.
//
// The marks are bits of a hash table: two pairs may share one, which only forbids a cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom {

class MergeBorders {
 public:
  explicit MergeBorders(size_t merge_count = 0);
  // Marks a merge of two tokens, written in the byte-level alphabet.
  void Add(std::string_view left, std::string_view right);

  // Whether a merge may join what ends before p with what begins there: false is certain. p is a
  // border between two code points of the valid UTF-8 text [begin, end).
  bool MayJoin(const uint8_t* begin, const uint8_t* p, const uint8_t* end) const {
    if ((p[-1] | *p) < 0x80) return (ascii_[p[-1]][*p >> 6] >> (*p & 63) & 1) != 0;
    return MayJoinBeyondAscii(begin, p, end);
  }

 private:
  bool MayJoinBeyondAscii(const uint8_t* begin, const uint8_t* p, const uint8_t* end) const;
  size_t Place(uint32_t suffix, uint32_t prefix) const {
    return ((uint64_t{suffix} << 32 | prefix) * 0x9E3779B97F4A7C15u) >> shift_;
  }
  bool Has(uint32_t suffix, uint32_t prefix) const {
    const size_t place = Place(suffix, prefix);
    return (bits_[place / 64] >> (place % 64) & 1) != 0;
  }

  // The two characters of a side, the one at the border first; only the first: the token is that
  // character and no more.
  struct Side {
    uint32_t near, far;
  };
  static constexpr uint32_t kNothing = UINT32_MAX;  // no bytes of a character have this number
  size_t WidePlace(Side left, Side right) const {
    const uint64_t a = (uint64_t{left.near} << 32 | left.far) * 0xD6E8FEB86659FD93u;
    const uint64_t b = (uint64_t{right.near} << 32 | right.far) * 0x9E3779B97F4A7C15u;
    return ((a ^ (b << 29 | b >> 35)) * 0xD6E8FEB86659FD93u) >> shift_;
  }
  bool HasWide(Side left, Side right) const {
    const size_t place = WidePlace(left, right);
    return (wide_[place / 64] >> (place % 64) & 1) != 0;
  }
  // What lies beyond the characters at the border makes a difference.
  bool MayJoinInContext(const uint8_t* begin, const uint8_t* p, const uint8_t* end,
                        size_t left_size, size_t right_size) const;

  uint64_t ascii_[128][2] = {};
  std::vector<uint64_t> bits_;   // a character on a side
  std::vector<uint64_t> wide_;   // two
  std::vector<uint64_t> loose_;  // a character on a side, and what lies beyond is no whole one
  int shift_ = 0;
  // Whether a token that is a part of a character ends (begins) with this byte.
  bool part_ends_with_[256] = {};
  bool part_begins_with_[256] = {};
};

}  // namespace fathom
