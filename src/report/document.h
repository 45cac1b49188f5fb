// Document: headings, paragraphs, tables, lists and charts in order, and its renderings. What a
// report says is written once; how it looks on a terminal, as Markdown and as a page is decided
// here.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/language.h"
#include "report/table.h"

namespace fathom {

struct Heading {
  int level = 2;  // 1: the title
  std::string text;
  std::string id;  // an anchor; empty: none
};
// What stands between ` ` is code.
struct Paragraph {
  std::string text;
};
struct ItemList {
  std::vector<std::string> items;  // as paragraphs
};
// How a number was obtained: what links point to.
struct SourceNote {
  std::string id;  // "how-measure"
  std::string text;
};
// Inline SVG (charts.h): for the page alone, the others have the table that it draws.
struct Chart {
  std::string svg;
};
using Block = std::variant<Heading, Paragraph, ItemList, Table, SourceNote, Chart>;

struct Document {
  Language language = Language::kEnglish;
  std::vector<Block> blocks;

  void Add(Block block) { blocks.push_back(std::move(block)); }
};

// Lines of at most `width` columns. Linked cells of tables are as others.
std::string DocumentToText(const Document& document, int width, bool colour);
std::string DocumentToMarkdown(const Document& document);
std::string DocumentToHtml(const Document& document);

}  // namespace fathom
