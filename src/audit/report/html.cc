// One page that needs nothing else: style and charts within, light and dark, for print and phone.
#include <fmt/format.h>

#include "audit/report/report.h"
#include "base/escape_html.h"

namespace fathom {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--page:#fff;--card:#f4f6f9;
--line:#d6dce4;--yes:#1b7f4b;--none:#8a6d00;--no:#b3261e;--open:#7a8494}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--page:#12161c;--card:#1b212a;
--line:#333d4a;--yes:#4fc78a;--none:#d9b343;--no:#ff8a80;--open:#8b96a5}}
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1rem;font:16px/1.5 system-ui,
"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:var(--ink);background:var(--page)}
h1{font-size:1.6rem;overflow-wrap:anywhere}h2{margin-top:2rem;border-bottom:1px solid var(--line)}
p.about{color:var(--soft);margin:.2rem 0}p.error{color:var(--no);font-weight:600}
article{background:var(--card);border:1px solid var(--line);border-radius:.5rem;
padding:.6rem .9rem;margin:.7rem 0;break-inside:avoid}article h3{margin:.1rem 0;
font-size:1.05rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;margin:.3rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
pre{overflow-x:auto;margin:.4rem 0;padding:.5rem;background:var(--page);
border:1px solid var(--line);border-radius:.3rem;
font-size:.85rem}table{border-collapse:collapse;width:100%}
th,td{border:1px solid var(--line);padding:.3rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}tr:last-child td{font-weight:600}
.chart{width:100%;height:auto;margin:.6rem 0}.chart text{fill:var(--ink);font-size:12px}
.legend{margin:0 0 .6rem;color:var(--soft);font-size:.9rem}.legend span{margin-right:1.2rem;
white-space:nowrap}.key{width:.7em;height:.7em;margin-right:.4em}
.yes{fill:var(--yes)}.none{fill:var(--none)}.no{fill:var(--no)}.open{fill:var(--open)}
@media (max-width:34rem){.chart text{font-size:17px}
dl{grid-template-columns:1fr}dt{margin-top:.3rem}}
@media print{body{max-width:none}article{border-color:#999}}
)";

// A bar for each kind of device: what of the used works, does nothing, fails; and what is open.
std::string Chart(const ScriptAudit& audit, Language language) {
  std::string svg = "<svg class=\"chart\" viewBox=\"0 0 600 88\" role=\"img\">";
  constexpr int kLeft = 90, kUnit = 36;
  for (size_t device = 0; device < 3; ++device) {
    int counts[4] = {};
    for (const AuditedRow& row : audit.rows) {
      const bool used = row.finding.state == FindingState::kUsed;
      ++counts[used ? static_cast<size_t>(row.devices[device].support) : 3];
    }
    const int y = 8 + static_cast<int>(device) * 28;
    svg += fmt::format(
        "<text x=\"0\" y=\"{}\">{}</text>", y + 15,
        EscapeHtml(
            Text(language, fmt::format("device.{}", AuditDeviceName(kAuditDevices[device])))));
    int x = kLeft;
    static constexpr std::string_view kClasses[] = {"yes", "none", "no", "open"};
    for (int part = 0; part < 4; ++part) {
      if (counts[part] == 0) continue;
      svg += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"20\"/>",
                         kClasses[part], x, y, counts[part] * kUnit - 2);
      svg += fmt::format("<text x=\"{}\" y=\"{}\" style=\"fill:var(--page)\">{}</text>", x + 6,
                         y + 15, counts[part]);
      x += counts[part] * kUnit;
    }
  }
  svg += "</svg>\n<p class=\"legend\">";
  const std::string used = Text(language, "column.used");
  const std::pair<std::string_view, std::string> legend[] = {
      {"yes", used + " · " + Text(language, "word.support.available")},
      {"none", used + " · " + Text(language, "word.support.no_effect")},
      {"no", used + " · " + Text(language, "word.support.unavailable")},
      {"open", Text(language, "column.unused") + " · " + Text(language, "column.unknown")}};
  for (const auto& [name, words] : legend) {
    svg += fmt::format(
        "<span><svg class=\"key\" viewBox=\"0 0 10 10\"><rect class=\"{}\" "
        "width=\"10\" height=\"10\"/></svg>{}</span>",
        name, EscapeHtml(words));
  }
  return svg + "</p>\n";
}

// Without the indentation that all its lines share.
std::string Dedented(std::string_view snippet) {
  const auto each_line = [&](const auto& visit) {
    for (size_t at = 0; at < snippet.size();) {
      const size_t end = std::min(snippet.find('\n', at), snippet.size());
      visit(snippet.substr(at, end - at));
      at = end + 1;
    }
  };
  size_t shared = snippet.size();
  each_line([&](std::string_view line) {
    const size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos) shared = std::min(shared, first);
  });
  std::string text;
  each_line([&](std::string_view line) {
    if (!text.empty()) text += '\n';
    text += line.substr(std::min(shared, line.size()));
  });
  return text;
}

void AddItem(const ReportItem& item, Language language, std::string* html) {
  const Finding& finding = item.row->finding;
  *html += fmt::format("<article><h3>{}. <code>{}</code></h3><dl>", finding.row->number,
                       EscapeHtml(finding.row->name));
  for (const auto& [label, value] : FieldsOf(item, language)) {
    *html += fmt::format("<dt>{}</dt><dd>{}</dd>", EscapeHtml(label), EscapeHtml(value));
  }
  *html += "</dl>";
  if (!finding.snippet.empty()) *html += "<pre>" + EscapeHtml(Dedented(finding.snippet)) + "</pre>";
  *html += "</article>\n";
}

void AddLists(const std::vector<std::pair<std::string, std::vector<std::string>>>& lists,
              std::string* html) {
  for (const auto& [title, lines] : lists) {
    *html += "<h3>" + EscapeHtml(title) + "</h3><ul>";
    for (const std::string& line : lines) *html += "<li>" + EscapeHtml(line) + "</li>";
    *html += "</ul>\n";
  }
}

void AddScript(const ScriptAudit& audit, const AuditOptions& options, std::string* html) {
  const Language language = options.language;
  const AuditSections report = MakeReport(audit, options);
  *html += "<h1>" + EscapeHtml(report.title) + "</h1>\n";
  *html += "<p class=\"about\">" + EscapeHtml(report.versions) + "</p><p class=\"about\">" +
           EscapeHtml(report.machine) + "</p>\n";
  if (!report.error.empty()) *html += "<p class=\"error\">" + EscapeHtml(report.error) + "</p>\n";
  *html += Chart(audit, language);
  for (const ReportSection& section : report.sections) {
    *html += "<h2>" + EscapeHtml(section.title) + "</h2>\n";
    for (const ReportItem& item : section.items) AddItem(item, language, html);
  }
  *html += "<h2>" + EscapeHtml(Text(language, "section.counts")) + "</h2>\n<table>";
  for (size_t i = 0; i < report.counts.size(); ++i) {
    *html += "<tr>";
    for (const std::string& cell : report.counts[i]) {
      *html += fmt::format("<{0}>{1}</{0}>", i == 0 ? "th" : "td", EscapeHtml(cell));
    }
    *html += "</tr>";
  }
  *html += "</table>\n<h2>" + EscapeHtml(report.here_title) + "</h2>\n";
  AddLists(report.here, html);
  *html += "<h2>" + EscapeHtml(Text(language, "section.advice")) + "</h2>\n";
  AddLists(report.advice, html);
  *html += "<h2>" + EscapeHtml(Text(language, "section.conclusion")) + "</h2>\n<p>" +
           EscapeHtml(report.conclusion) + "</p>\n";
}

}  // namespace

std::string AuditsToHtml(const std::vector<ScriptAudit>& audits, const AuditOptions& options) {
  const Language language = options.language;
  const std::string title =
      audits.size() == 1 ? Text(language, "title", audits[0].script) : std::string("Fathom");
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>{}</title><style>{}</style></head><body>\n",
      language == Language::kEnglish ? "en" : "zh-CN", EscapeHtml(title), kStyle);
  for (const ScriptAudit& audit : audits) AddScript(audit, options, &html);
  return html + "</body></html>\n";
}

}  // namespace fathom
