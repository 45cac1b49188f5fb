// Terminal text and Markdown.
#include <fmt/format.h>

#include <algorithm>

#include "audit/report/report.h"
#include "base/text_width.h"

namespace fathom {
namespace {

// A text from a script on one line of a report, without control characters.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  return line;
}

void AddItem(const ReportItem& item, Language language, std::string* text) {
  const Finding& finding = item.row->finding;
  *text += fmt::format(" {:>2}. {}\n", finding.row->number, finding.row->name);
  for (const auto& [label, value] : FieldsOf(item, language)) {
    const int pad = std::max(1, 20 - DisplayWidth(label));
    *text += fmt::format("     {}{:{}}{}\n", label, "", pad, OneLine(value));
  }
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) {
      const int pad = widths[i] - DisplayWidth(row[i]);
      const std::string spaces(static_cast<size_t>(pad), ' ');
      line += i == 0 ? row[i] + spaces : "   " + spaces + row[i];
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// Text that a script brought, with what Markdown would read as its own made harmless.
std::string MarkdownEscaped(std::string_view text) {
  std::string escaped;
  for (const char c : OneLine(text)) {
    if (std::string_view("\\`*_{}[]<>#|").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string AuditToText(const ScriptAudit& audit, const AuditOptions& options) {
  const Language language = options.language;
  const AuditSections report = MakeReport(audit, options);
  std::string text = OneLine(report.title) + "\n" + OneLine(report.versions) + "\n" +
                     OneLine(report.machine) + "\n";
  if (!report.error.empty()) text += OneLine(report.error) + "\n";
  for (const ReportSection& section : report.sections) {
    text += "\n" + section.title + "\n";
    if (section.items.empty()) text += "     " + Text(language, "label.none") + "\n";
    for (const ReportItem& item : section.items) AddItem(item, language, &text);
  }
  text += "\n" + Text(language, "section.counts") + "\n" + Table(report.counts);
  text += "\n" + OneLine(report.here_title) + "\n";
  for (const auto& [title, names] : report.here) {
    text += "  " + title + "\n";
    for (const std::string& name : names) text += "     " + name + "\n";
  }
  text += "\n" + Text(language, "section.advice") + "\n";
  for (const auto& [title, lines] : report.advice) {
    text += "  " + title + "\n";
    for (const std::string& line : lines) text += "   - " + OneLine(line) + "\n";
  }
  return text + "\n" + Text(language, "section.conclusion") + "\n  " + OneLine(report.conclusion) +
         "\n";
}

std::string AuditToMarkdown(const ScriptAudit& audit, const AuditOptions& options) {
  const Language language = options.language;
  const AuditSections report = MakeReport(audit, options);
  std::string text = fmt::format("# {}\n\n{}\n\n{}\n", MarkdownEscaped(report.title),
                                 MarkdownEscaped(report.versions), MarkdownEscaped(report.machine));
  if (!report.error.empty()) text += "\n**" + MarkdownEscaped(report.error) + "**\n";
  for (const ReportSection& section : report.sections) {
    text += "\n## " + section.title + "\n";
    if (section.items.empty()) text += "\n" + Text(language, "label.none") + "\n";
    for (const ReportItem& item : section.items) {
      const Finding& finding = item.row->finding;
      text += fmt::format("\n### {}. `{}`\n\n", finding.row->number, finding.row->name);
      for (const auto& [label, value] : FieldsOf(item, language)) {
        text += fmt::format("- **{}**: {}\n", label, MarkdownEscaped(value));
      }
    }
  }
  text += "\n## " + Text(language, "section.counts") + "\n\n";
  for (size_t i = 0; i < report.counts.size(); ++i) {
    text += "|";
    for (const std::string& cell : report.counts[i]) text += " " + cell + " |";
    text += "\n";
    if (i != 0) continue;
    text += "|";
    for (size_t j = 0; j < report.counts[i].size(); ++j) text += j == 0 ? "---|" : "---:|";
    text += "\n";
  }
  text += "\n## " + MarkdownEscaped(report.here_title) + "\n";
  for (const auto& [title, names] : report.here) {
    text += "\n### " + title + "\n\n";
    for (const std::string& name : names) text += "- " + MarkdownEscaped(name) + "\n";
  }
  text += "\n## " + Text(language, "section.advice") + "\n";
  for (const auto& [title, lines] : report.advice) {
    text += "\n### " + title + "\n\n";
    for (const std::string& line : lines) text += "- " + MarkdownEscaped(line) + "\n";
  }
  return text + "\n## " + Text(language, "section.conclusion") + "\n\n" +
         MarkdownEscaped(report.conclusion) + "\n";
}

}  // namespace fathom
