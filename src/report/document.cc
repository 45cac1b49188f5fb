#include "report/document.h"

#include <fmt/format.h>

#include "base/text_width.h"
#include "base/utf8.h"
#include "report/html.h"

namespace fathom {

namespace {

// Code stays as it is, but for what would end it.
std::string CodeAwareMarkdown(std::string_view text) {
  std::string out;
  const auto pieces = SplitCode(text);
  for (size_t i = 0; i < pieces.size(); ++i) {
    out += i % 2 == 1 ? fmt::format("`{}`", pieces[i]) : EscapeMarkdown(pieces[i]);
  }
  return out;
}

std::string Wrapped(const std::string& text, int width, std::string_view first,
                    std::string_view rest) {
  std::string out;
  for (const std::string& line : WrapToWidth(EscapeForTerminal(text), width - DisplayWidth(rest))) {
    out += fmt::format("{}{}\n", out.empty() ? first : rest, line);
  }
  return out;
}

struct TextWriter {
  int width;
  bool colour;

  std::string operator()(const Heading& heading) const {
    if (heading.level > 2) return "\n " + Coloured(heading.text, Tone::kMuted, colour) + "\n";
    std::string line;
    for (int i = 0; i < std::min(DisplayWidth(heading.text), width); ++i) {
      line += heading.level == 1 ? "\u2550" : "\u2500";
    }
    return fmt::format("{}{}\n{}\n", heading.level == 1 ? "" : "\n", heading.text, line);
  }
  std::string operator()(const Paragraph& paragraph) const {
    return Wrapped(paragraph.text, width, " ", " ");
  }
  std::string operator()(const ItemList& list) const {
    std::string out;
    for (const std::string& item : list.items) out += Wrapped(item, width, " - ", "   ");
    return out;
  }
  std::string operator()(const Table& table) const { return TableToText(table, width, colour); }
  std::string operator()(const SourceNote& note) const {
    return Wrapped(note.text, width, " * ", "   ");
  }
  std::string operator()(const Chart&) const { return ""; }
};

struct MarkdownWriter {
  std::string operator()(const Heading& heading) const {
    const std::string anchor =
        heading.id.empty() ? "" : fmt::format("<a id=\"{}\"></a>\n\n", heading.id);
    return fmt::format("{}{} {}\n\n", anchor, std::string(heading.level, '#'),
                       EscapeMarkdown(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const {
    return CodeAwareMarkdown(paragraph.text) + "\n\n";
  }
  std::string operator()(const ItemList& list) const {
    std::string out;
    for (const std::string& item : list.items) out += "- " + CodeAwareMarkdown(item) + "\n";
    return out + "\n";
  }
  std::string operator()(const Table& table) const { return TableToMarkdown(table) + "\n"; }
  std::string operator()(const SourceNote& note) const {
    return fmt::format("<a id=\"{}\"></a>{}\n\n", note.id, CodeAwareMarkdown(note.text));
  }
  std::string operator()(const Chart&) const { return ""; }
};

struct HtmlWriter {
  std::string operator()(const Heading& heading) const {
    const std::string id = heading.id.empty() ? "" : fmt::format(" id=\"{}\"", heading.id);
    return fmt::format("<h{0}{1}>{2}</h{0}>\n", heading.level, id, EscapeHtml(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const {
    return fmt::format("<p>{}</p>\n", EscapeHtmlWithCode(paragraph.text));
  }
  std::string operator()(const ItemList& list) const {
    std::string out = "<ul>\n";
    for (const std::string& item : list.items) {
      out += fmt::format("<li>{}</li>\n", EscapeHtmlWithCode(item));
    }
    return out + "</ul>\n";
  }
  std::string operator()(const Table& table) const { return TableToHtml(table); }
  std::string operator()(const SourceNote& note) const {
    return fmt::format("<p class=\"source\" id=\"{}\">{}</p>\n", note.id,
                       EscapeHtmlWithCode(note.text));
  }
  std::string operator()(const Chart& chart) const { return chart.svg; }
};

std::string TitleOf(const Document& document) {
  for (const Block& block : document.blocks) {
    if (const auto* heading = std::get_if<Heading>(&block)) return heading->text;
  }
  return "fathom";
}

}  // namespace

std::string DocumentToText(const Document& document, int width, bool colour) {
  std::string out;
  for (const Block& block : document.blocks) out += std::visit(TextWriter{width, colour}, block);
  return out;
}

std::string DocumentToMarkdown(const Document& document) {
  std::string out;
  for (const Block& block : document.blocks) out += std::visit(MarkdownWriter{}, block);
  return out;
}

std::string DocumentToHtml(const Document& document) {
  std::string body;
  for (const Block& block : document.blocks) body += std::visit(HtmlWriter{}, block);
  return HtmlPage(TitleOf(document), document.language, body);
}

}  // namespace fathom
