#include "base/text_width.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace fathom {

namespace {

struct Interval {
  char32_t first, last;
};

constexpr std::array<Interval, 26> kWide = {{
    {0x1100, 0x115F},   {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x25FD, 0x25FE},
    {0x2614, 0x2615},   {0x2648, 0x2653}, {0x26AA, 0x26AB}, {0x2705, 0x2705}, {0x270A, 0x270B},
    {0x2753, 0x2755},   {0x2795, 0x2797}, {0x2B1B, 0x2B1C}, {0x2E80, 0x303E}, {0x3041, 0x33FF},
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF}, {0xA000, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},   {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF},
    {0x20000, 0x3FFFD},
}};

constexpr std::array<Interval, 10> kNarrowest = {{
    {0x0300, 0x036F},
    {0x0483, 0x0489},
    {0x0591, 0x05BD},
    {0x064B, 0x065F},
    {0x200B, 0x200F},
    {0x202A, 0x202E},
    {0x2060, 0x2064},
    {0x20D0, 0x20FF},
    {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},
}};

bool Contains(const auto& intervals, char32_t code_point) {
  return std::ranges::any_of(intervals, [&](const Interval& interval) {
    return interval.first <= code_point && code_point <= interval.last;
  });
}

// Punctuation that belongs to what stands before it.
bool Closes(char32_t code_point) {
  constexpr std::u32string_view kClosing = U"，。；：！？、）】》」』”’%";
  return kClosing.find(code_point) != std::u32string_view::npos;
}

// Punctuation that belongs to what stands behind it.
bool Opens(char32_t code_point) {
  constexpr std::u32string_view kOpening = U"（【《「『“‘";
  return kOpening.find(code_point) != std::u32string_view::npos;
}

// A piece that is never broken unless it is longer than a line: a word, a wide character with the
// closing punctuation behind it, or a run of blanks.
struct Piece {
  std::string_view text;
  int width = 0;
  bool blank = false;
};

std::vector<Piece> Pieces(std::string_view text) {
  std::vector<Piece> pieces;
  bool joins = false;   // the next narrow character goes on with the last piece
  bool opened = false;  // the last character was opening punctuation
  for (size_t at = 0; at < text.size();) {
    const DecodedCodePoint next = DecodeUtf8(text, at);
    const int width = CodePointWidth(next.code_point);
    const bool blank = next.code_point == ' ';
    bool goes_on = false;
    if (pieces.empty()) {
      goes_on = false;
    } else if (opened || width == 0 || Closes(next.code_point)) {
      goes_on = !pieces.back().blank && !blank;
    } else {
      goes_on = width == 1 && joins == !blank && pieces.back().blank == blank;
    }
    opened = Opens(next.code_point);
    const auto size = static_cast<size_t>(next.size_bytes);
    if (goes_on) {
      Piece& last = pieces.back();
      last.text = std::string_view(last.text.data(), last.text.size() + size);
      last.width += width;
    } else {
      pieces.push_back({text.substr(at, size), width, blank});
    }
    joins = width < 2 && !blank && !Closes(next.code_point);
    at += size;
  }
  return pieces;
}

}  // namespace

int CodePointWidth(char32_t code_point) {
  if (code_point < 0x300) return 1;
  if (Contains(kNarrowest, code_point)) return 0;
  return Contains(kWide, code_point) ? 2 : 1;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) {
    const DecodedCodePoint next = DecodeUtf8(text, at);
    width += CodePointWidth(next.code_point);
    at += static_cast<size_t>(next.size_bytes);
  }
  return width;
}

std::string PadToWidth(std::string_view text, int width, bool right) {
  const int missing = std::max(0, width - DisplayWidth(text));
  const std::string blanks(static_cast<size_t>(missing), ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

std::vector<std::string> WrapToWidth(std::string_view text, int width) {
  width = std::max(width, 2);
  std::vector<std::string> lines(1);
  int used = 0;
  const auto new_line = [&] {
    const size_t end = lines.back().find_last_not_of(' ');
    lines.back().resize(end == std::string::npos ? 0 : end + 1);
    lines.emplace_back();
    used = 0;
  };
  for (const Piece& piece : Pieces(text)) {
    if (used > 0 && used + piece.width > width) new_line();
    if (piece.blank && used == 0) continue;
    for (size_t at = 0; at < piece.text.size();) {
      const DecodedCodePoint next = DecodeUtf8(piece.text, at);
      const int columns = CodePointWidth(next.code_point);
      if (used + columns > width) new_line();
      lines.back() += piece.text.substr(at, static_cast<size_t>(next.size_bytes));
      used += columns;
      at += static_cast<size_t>(next.size_bytes);
    }
  }
  const size_t end = lines.back().find_last_not_of(' ');
  lines.back().resize(end == std::string::npos ? 0 : end + 1);
  if (lines.size() > 1 && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace fathom
