#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text_width.h"
#include "base/utf8.h"
#include "report/html.h"

namespace fathom {

namespace {

constexpr int kGap = 2;                // blanks between columns
constexpr int kLeastWrapColumns = 18;  // of a column that wraps, before rows become blocks
constexpr int kBlockIndent = 4;

std::string_view ToneName(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "good";
    case Tone::kMuted:
      return "muted";
    case Tone::kWarning:
      return "warning";
    case Tone::kBad:
      return "bad";
    case Tone::kPlain:
      break;
  }
  return "plain";
}

// Whatever comes from files must not move the cursor.
std::string Shown(const std::string& text) { return EscapeForTerminal(text); }

std::vector<int> NaturalWidths(const Table& table) {
  std::vector<int> widths;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    int width = DisplayWidth(table.columns[c].title);
    for (const auto& row : table.rows) width = std::max(width, DisplayWidth(Shown(row[c].text)));
    widths.push_back(width);
  }
  return widths;
}

// The widths at `width` columns; empty where the columns that wrap would get too little.
std::vector<int> FitWidths(const Table& table, int width) {
  std::vector<int> widths = NaturalWidths(table);
  int left = width - 1 - kGap * (static_cast<int>(widths.size()) - 1);
  std::vector<size_t> wrapping;
  int wanted = 0;
  for (size_t c = 0; c < widths.size(); ++c) {
    if (!table.columns[c].wraps) {
      left -= widths[c];
    } else {
      wrapping.push_back(c);
      wanted += widths[c];
    }
  }
  if (wanted <= left) return widths;
  // A column that needs less than its even share gives the rest to the others.
  std::ranges::sort(wrapping, {}, [&](size_t c) { return widths[c]; });
  int columns = static_cast<int>(wrapping.size());
  for (const size_t c : wrapping) {
    widths[c] = std::min(widths[c], left / columns);
    left -= widths[c];
    --columns;
    const int least = std::min(kLeastWrapColumns, NaturalWidths(table)[c]);
    if (widths[c] < least) return {};
  }
  return widths;
}

std::string RightTrimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// One row over as many lines as its tallest cell.
std::string RowToText(const Table& table, const std::vector<TableCell>& row,
                      const std::vector<int>& widths, bool colour) {
  std::vector<std::vector<std::string>> cells;
  size_t height = 1;
  for (size_t c = 0; c < row.size(); ++c) {
    const std::string text = Shown(row[c].text);
    cells.push_back(table.columns[c].wraps ? WrapToWidth(text, widths[c])
                                           : std::vector<std::string>{text});
    height = std::max(height, cells.back().size());
  }
  std::string out;
  for (size_t line = 0; line < height; ++line) {
    std::string text = " ";
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string part = line < cells[c].size() ? cells[c][line] : "";
      const std::string padded = PadToWidth(part, widths[c], table.columns[c].right);
      // The blanks stay uncoloured: a line's end is trimmed.
      const size_t at = padded.find(part);
      text += padded.substr(0, at) + Coloured(part, row[c].tone, colour && !part.empty()) +
              padded.substr(at + part.size());
      if (c + 1 < row.size()) text.append(kGap, ' ');
    }
    out += RightTrimmed(std::move(text));
  }
  return out;
}

std::string RowToBlock(const Table& table, const std::vector<TableCell>& row, int width,
                       bool colour) {
  std::string head = " ";
  std::string body;
  for (size_t c = 0; c < row.size(); ++c) {
    const std::string text = Shown(row[c].text);
    if (text.empty() || text == "-") continue;
    if (!table.columns[c].wraps) {
      head += Coloured(text, row[c].tone, colour) + std::string(kGap, ' ');
      continue;
    }
    const std::string line = fmt::format("{}: {}", table.columns[c].title, text);
    for (const std::string& part : WrapToWidth(line, width - kBlockIndent)) {
      body += RightTrimmed(std::string(kBlockIndent, ' ') + Coloured(part, row[c].tone, colour));
    }
  }
  return RightTrimmed(head) + body;
}

}  // namespace

std::string Coloured(const std::string& text, Tone tone, bool colour) {
  if (!colour || tone == Tone::kPlain) return text;
  const char* code = tone == Tone::kGood      ? "32"
                     : tone == Tone::kWarning ? "33"
                     : tone == Tone::kBad     ? "31"
                                              : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string TableToText(const Table& table, int width, bool colour) {
  const std::vector<int> widths = FitWidths(table, width);
  std::string out;
  if (widths.empty()) {
    for (const auto& row : table.rows) out += RowToBlock(table, row, width, colour);
    return out;
  }
  std::vector<TableCell> titles;
  for (const TableColumn& column : table.columns) titles.push_back({column.title, Tone::kMuted});
  out += RowToText(table, titles, widths, colour);
  for (const auto& row : table.rows) out += RowToText(table, row, widths, colour);
  return out;
}

std::string EscapeMarkdown(std::string_view text) {
  const auto is_word = [&](size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0);
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // Within a word an underscore is no markup: ids stay as they are.
    const bool inside = c == '_' && i > 0 && is_word(i - 1) && is_word(i + 1);
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else {
      const bool markup = std::string_view("\\`*_[]<>|").find(c) != std::string_view::npos;
      if (markup && !inside) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string TableToMarkdown(const Table& table) {
  std::string out = "|";
  for (const TableColumn& column : table.columns) out += fmt::format(" {} |", column.title);
  out += "\n|";
  for (const TableColumn& column : table.columns) out += column.right ? "---:|" : "---|";
  out += "\n";
  for (const auto& row : table.rows) {
    out += "|";
    for (const TableCell& cell : row) {
      const std::string text = EscapeMarkdown(cell.text);
      out += cell.link.empty() ? fmt::format(" {} |", text)
                               : fmt::format(" [{}]({}) |", text, cell.link);
    }
    out += "\n";
  }
  return out;
}

std::string TableToHtml(const Table& table) {
  std::string out = "<div class=\"wide\"><table>\n<thead><tr>";
  for (const TableColumn& column : table.columns) {
    out += fmt::format("<th scope=\"col\"{}>{}</th>", column.right ? " class=\"number\"" : "",
                       EscapeHtml(column.title));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (size_t c = 0; c < row.size(); ++c) {
      const TableColumn& column = table.columns[c];
      std::string text = EscapeHtml(row[c].text);
      if (!row[c].link.empty()) {
        text = fmt::format("<a href=\"{}\">{}</a>", EscapeHtml(row[c].link), text);
      }
      out += fmt::format("<td class=\"{} {}{}\" data-title=\"{}\">{}</td>", ToneName(row[c].tone),
                         column.wraps ? "wraps" : "tight", column.right ? " number" : "",
                         EscapeHtml(column.title), text);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n";
}

}  // namespace fathom
