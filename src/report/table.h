// A table of text and its three renderings: for a terminal of some width, Markdown, HTML.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

// What a cell says at a glance; colour repeats it and is never needed to read it.
enum class Tone : uint8_t { kPlain, kGood, kMuted, kWarning, kBad };

struct TableCell {
  std::string text;
  Tone tone = Tone::kPlain;
};

struct TableColumn {
  std::string title;
  bool right = false;  // numbers
  bool wraps = false;  // may be broken into lines; shares what the others leave
};

struct Table {
  std::vector<TableColumn> columns;
  std::vector<std::vector<TableCell>> rows;  // as many cells as columns
};

// Lines of at most `width` columns, each ending in a newline. Columns that do not wrap take what
// they need; where the others would be left with less than a word's width, a row becomes a block of
// lines: its short cells on the first, the wrapping ones indented below, with their titles.
std::string TableToText(const Table& table, int width, bool colour);
std::string TableToMarkdown(const Table& table);
// <table>; each cell carries its column's title, which a narrow screen shows beside it.
std::string TableToHtml(const Table& table);

// `text` between the escapes of its tone; as it is without colour.
std::string Coloured(const std::string& text, Tone tone, bool colour);

// What would be markup in a Markdown table's cell or a paragraph, escaped; newlines become blanks.
std::string EscapeMarkdown(std::string_view text);

}  // namespace fathom
