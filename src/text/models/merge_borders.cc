#include "text/models/merge_borders.h"

#include <algorithm>
#include <bit>

#include "base/utf8.h"
#include "text/byte_level.h"

namespace fathom {
namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

size_t SizeByLead(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

// Up to four bytes as a number. Bytes of one character: no two of them have the same number.
uint32_t Pack(const uint8_t* bytes, size_t size) {
  uint32_t packed = 0;
  for (size_t i = 0; i < size; ++i) packed = packed << 8 | bytes[i];
  return packed;
}

// Bytes of a token next to the border: as many as two characters may have.
struct EdgeBytes {
  static constexpr size_t kMost = 9;  // and one more, to know whether that was all
  uint8_t bytes[kMost];
  size_t size = 0;
};

// The last bytes that a token writes, in order; none where it is not of the alphabet.
EdgeBytes LastBytes(std::string_view token) {
  EdgeBytes last;
  size_t count = 0;
  for (size_t end = token.size(); end > 0 && count < EdgeBytes::kMost; ++count) {
    size_t begin = end - 1;
    while (begin > 0 && IsContinuation(static_cast<uint8_t>(token[begin]))) --begin;
    const int byte = ByteOfByteLevelChar(DecodeUtf8(token, begin).code_point);
    if (byte < 0) return {};
    last.bytes[EdgeBytes::kMost - 1 - count] = static_cast<uint8_t>(byte);
    end = begin;
  }
  std::copy(last.bytes + EdgeBytes::kMost - count, last.bytes + EdgeBytes::kMost, last.bytes);
  last.size = count;
  return last;
}

EdgeBytes FirstBytes(std::string_view token) {
  EdgeBytes first;
  for (size_t i = 0; i < token.size() && first.size < EdgeBytes::kMost;) {
    const DecodedCodePoint decoded = DecodeUtf8(token, i);
    const int byte = ByteOfByteLevelChar(decoded.code_point);
    if (byte < 0) return {};
    first.bytes[first.size++] = static_cast<uint8_t>(byte);
    i += static_cast<size_t>(decoded.size_bytes);
  }
  return first;
}

// The size of the character that ends at the end of these bytes; 0: none ends there.
size_t LastCharacter(const uint8_t* bytes, size_t size) {
  for (size_t back = 1; back <= std::min<size_t>(size, 4); ++back) {
    if (!IsContinuation(bytes[size - back]))
      return SizeByLead(bytes[size - back]) == back ? back : 0;
  }
  return 0;
}

// The size of the one that begins there; 0: it is not whole, or none begins.
size_t FirstCharacter(const uint8_t* bytes, size_t size) {
  if (size == 0 || IsContinuation(*bytes) || SizeByLead(*bytes) > size) return 0;
  return SizeByLead(*bytes);
}

void SetBit(std::vector<uint64_t>& bits, size_t place) {
  bits[place / 64] |= uint64_t{1} << (place % 64);
}

bool HasBit(const std::vector<uint64_t>& bits, size_t place) {
  return (bits[place / 64] >> (place % 64) & 1) != 0;
}

}  // namespace

MergeBorders::MergeBorders(size_t merge_count) {
  const size_t bits = std::bit_ceil(std::clamp<size_t>(merge_count * 16, 4096, size_t{1} << 24));
  for (auto* table : {&bits_, &wide_, &loose_}) table->resize(bits / 64);
  shift_ = 64 - std::countr_zero(bits);
}

void MergeBorders::Add(std::string_view left, std::string_view right) {
  const EdgeBytes last = LastBytes(left);
  const EdgeBytes first = FirstBytes(right);
  if (last.size == 0 || first.size == 0) return;  // bytes never become such a token
  // What the tokens hold of the characters at the border: all of it, or a part.
  const size_t near_left = LastCharacter(last.bytes, last.size);
  const size_t near_right = FirstCharacter(first.bytes, first.size);
  const bool left_is_part = std::all_of(last.bytes, last.bytes + last.size, IsContinuation);
  if (near_left == 0 && !left_is_part) return;  // ends within a character
  if (IsContinuation(first.bytes[0])) return;   // begins within one
  const size_t left_size = left_is_part ? std::min<size_t>(last.size, 3) : near_left;
  const size_t right_size = near_right == 0 ? first.size : near_right;
  if (left_is_part) part_ends_with_[last.bytes[last.size - 1]] = true;
  if (near_right == 0) part_begins_with_[first.bytes[0]] = true;
  const uint8_t* left_bytes = last.bytes + last.size - left_size;
  if (left_size == 1 && right_size == 1 && (*left_bytes | first.bytes[0]) < 0x80) {
    ascii_[*left_bytes][first.bytes[0] >> 6] |= uint64_t{1} << (first.bytes[0] & 63);
    return;
  }
  const Side left_side{Pack(left_bytes, left_size), kNothing};
  const Side right_side{Pack(first.bytes, right_size), kNothing};
  const size_t place = Place(left_side.near, right_side.near);
  SetBit(bits_, place);
  if (left_is_part || near_right == 0) return;
  // Beyond them: nothing, one character more, or bytes that are none.
  const size_t left_rest = last.size - left_size, right_rest = first.size - right_size;
  const size_t far_left = LastCharacter(last.bytes, left_rest);
  const size_t far_right = FirstCharacter(first.bytes + right_size, right_rest);
  if ((left_rest > 0 && far_left == 0) || (right_rest > 0 && far_right == 0)) {
    return SetBit(loose_, place);
  }
  Side wide_left = left_side, wide_right = right_side;
  if (left_rest > 0) wide_left.far = Pack(last.bytes + left_rest - far_left, far_left);
  if (right_rest > 0) wide_right.far = Pack(first.bytes + right_size, far_right);
  SetBit(wide_, WidePlace(wide_left, wide_right));
}

bool MergeBorders::MayJoinBeyondAscii(const uint8_t* begin, const uint8_t* p,
                                      const uint8_t* end) const {
  size_t left_size = 1;
  while (IsContinuation(p[-static_cast<ptrdiff_t>(left_size)]) && p - left_size > begin) {
    ++left_size;
  }
  const size_t right_size = std::min(SizeByLead(*p), static_cast<size_t>(end - p));
  if (Has(Pack(p - left_size, left_size), Pack(p, right_size)) &&
      MayJoinInContext(begin, p, end, left_size, right_size)) {
    return true;
  }
  const size_t left_least = part_ends_with_[p[-1]] ? 1 : left_size;
  const size_t right_least = part_begins_with_[*p] ? 1 : right_size;
  if (left_least == left_size && right_least == right_size) return false;
  for (size_t left = left_least; left <= left_size; ++left) {
    for (size_t right = right_least; right <= right_size; ++right) {
      if (left == left_size && right == right_size) continue;
      if (Has(Pack(p - left, left), Pack(p, right))) return true;
    }
  }
  return false;
}

bool MergeBorders::MayJoinInContext(const uint8_t* begin, const uint8_t* p, const uint8_t* end,
                                    size_t left_size, size_t right_size) const {
  const uint8_t* left = p - left_size;
  const uint8_t* right = p + right_size;
  const Side near_left{Pack(left, left_size), kNothing};
  const Side near_right{Pack(p, right_size), kNothing};
  if (HasBit(loose_, Place(near_left.near, near_right.near))) return true;
  if (HasWide(near_left, near_right)) return true;
  Side wide_left = near_left, wide_right = near_right;
  if (left > begin) {
    size_t far = 1;
    while (IsContinuation(left[-static_cast<ptrdiff_t>(far)]) && left - far > begin) ++far;
    wide_left.far = Pack(left - far, far);
    if (HasWide(wide_left, near_right)) return true;
  }
  if (right < end) {
    wide_right.far = Pack(right, std::min(SizeByLead(*right), static_cast<size_t>(end - right)));
    if (HasWide(near_left, wide_right)) return true;
    if (left > begin && HasWide(wide_left, wide_right)) return true;
  }
  return false;
}

}  // namespace fathom
