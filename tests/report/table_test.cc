// Tables: every line within its width, whatever the script; Markdown and HTML escaped.
#include "report/table.h"

#include <gtest/gtest.h>

#include "base/text_width.h"
#include "report/html.h"

namespace fathom {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

Table Sample() {
  return {
      .columns = {{.title = "#", .right = true},
                  {.title = "优化项"},
                  {.title = "because", .wraps = true},
                  {.title = "measured", .wraps = true}},
      .rows = {
          {{"1"}, {"use_cache"}, {"保留键和值，每个 token 都不必重算整个前缀，这很重要。"}, {"-"}},
          {{"10"},
           {"编译"},
           {"a sentence of several words that must be broken"},
           {"decode 1.31x [1.28, 1.34]", Tone::kGood}}}};
}

TEST(TextWidth, CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("优化项"), 6);
  EXPECT_EQ(DisplayWidth("，"), 2);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("├●┤"), 3);
  EXPECT_EQ(DisplayWidth("\U0001F600"), 2);
  EXPECT_EQ(PadToWidth("优", 4), "优  ");
  EXPECT_EQ(PadToWidth("7", 3, true), "  7");
}

TEST(TextWidth, WrapsAtBlanksAndBetweenWideCharacters) {
  EXPECT_EQ(WrapToWidth("one two three", 8), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(WrapToWidth("abcdefghij", 4), (std::vector<std::string>{"abcd", "efgh", "ij"}));
  EXPECT_EQ(WrapToWidth("保留键和值", 4), (std::vector<std::string>{"保留", "键和", "值"}));
  // No line begins with closing punctuation or ends in opening punctuation.
  EXPECT_EQ(WrapToWidth("保留（键）", 6), (std::vector<std::string>{"保留", "（键）"}));
  EXPECT_EQ(WrapToWidth("保留，键", 4), (std::vector<std::string>{"保", "留，", "键"}));
  EXPECT_EQ(WrapToWidth("", 4), (std::vector<std::string>{""}));
  EXPECT_EQ(WrapToWidth("a  b", 10), (std::vector<std::string>{"a  b"}));
}

TEST(Table, KeepsToItsWidthAndLosesNothing) {
  for (int width = 24; width <= 140; ++width) {
    const std::string text = TableToText(Sample(), width, false);
    std::string letters;
    for (const std::string& line : Lines(text)) {
      EXPECT_LE(DisplayWidth(line), width) << line;
      EXPECT_TRUE(line.empty() || line.back() != ' ');
    }
    for (const char c : text) {
      if (c != ' ' && c != '\n') letters += c;
    }
    for (const char* part : {"use_cache", "编译", "10"}) {
      EXPECT_NE(letters.find(part), std::string::npos) << width << ": " << part;
    }
    EXPECT_NE(text.find("1.31x"), std::string::npos) << width;
  }
  // Wide enough: a line a row, columns under each other.
  const auto lines = Lines(TableToText(Sample(), 140, false));
  ASSERT_EQ(lines.size(), 3u);
  const auto column = [](const std::string& line, const std::string& part) {
    return DisplayWidth(line.substr(0, line.find(part)));
  };
  EXPECT_EQ(column(lines[1], "use_cache"), column(lines[2], "编译"));
  EXPECT_EQ(column(lines[1], "保留键"), column(lines[2], "a sentence"));
}

TEST(Table, ColourIsOnlyWhereItIsAskedFor) {
  EXPECT_EQ(TableToText(Sample(), 140, false).find('\x1b'), std::string::npos);
  EXPECT_NE(TableToText(Sample(), 140, true).find("\x1b[32mdecode"), std::string::npos);
  Table hostile = Sample();
  hostile.rows[0][1].text = "\x1b[31mred";
  EXPECT_EQ(TableToText(hostile, 140, false).find('\x1b'), std::string::npos);
}

TEST(Table, MarkdownAndHtmlAreEscaped) {
  Table table = Sample();
  table.rows[0][1].text = "a|b <script>*x*_y_";
  const std::string markdown = TableToMarkdown(table);
  EXPECT_NE(markdown.find(R"(a\|b \<script\>\*x\*\_y\_)"), std::string::npos) << markdown;
  EXPECT_EQ(Lines(markdown).size(), 4u);
  EXPECT_EQ(EscapeMarkdown("use_cache _a_"), R"(use_cache \_a\_)");
  const std::string html = TableToHtml(table);
  EXPECT_EQ(html.find("<script>"), std::string::npos);
  EXPECT_NE(html.find("a|b &lt;script&gt;"), std::string::npos);
  EXPECT_NE(HtmlPage("t", Language::kChinese, html).find("<html lang=\"zh\">"), std::string::npos);
}

}  // namespace
}  // namespace fathom
