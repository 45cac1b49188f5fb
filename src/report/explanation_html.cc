// An explanation as one self-contained HTML page.
#include <fmt/format.h>

#include "report/explanation_parts.h"
#include "report/html.h"

namespace fathom {

namespace {

std::string Item(const std::string& text) { return fmt::format("<li>{}</li>\n", EscapeHtml(text)); }

std::string Details(const Explanation& explanation, const OptimizationReport& report) {
  const Language language = explanation.language;
  const Optimization& row = *report.optimization;
  std::string out =
      fmt::format("<details id=\"{}\"><summary>{}. <code>{}</code> {}</summary>\n<ul>\n", row.id,
                  row.number, row.id, EscapeHtml(row.name.In(language)));
  out += Item(Say(language, "on: {}", "开：{}", row.on_text.In(language)));
  out += Item(Say(language, "off: {}", "关：{}", row.off_text.In(language)));
  for (const std::string_view device : {"cpu", "mps", "cuda"}) {
    out += Item(fmt::format("{}: {}", device, report.detection.Of(device).reason));
  }
  if (const std::string saved = EstimateText(explanation, report); !saved.empty()) {
    out += Item(Say(language, "saves by its shapes: {}", "按形状估计节省：{}", saved));
  }
  if (!report.detection.remedy.empty()) {
    out += Item(Say(language, "it would take: {}", "所需条件：{}", report.detection.remedy));
  }
  for (const std::string& fact : report.detection.evidence) {
    out += fmt::format("<li><code>{}</code></li>\n", EscapeHtml(fact));
  }
  return out + "</ul></details>\n";
}

}  // namespace

std::string ExplanationToHtml(const Explanation& explanation) {
  const Language language = explanation.language;
  std::string body =
      fmt::format("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<p class=\"lead\">{}</p>\n",
                  EscapeHtml(ModelTitle(explanation)), EscapeHtml(ModelLine(explanation)),
                  EscapeHtml(MachineLine(explanation)));
  const auto heading = [&](Words words) {
    body += fmt::format("<h2>{}</h2>\n", EscapeHtml(words.In(language)));
  };
  heading({"Optimizations", "优化项"});
  body += TableToHtml(OptimizationTable(explanation));
  heading({"Other devices", "其他设备"});
  body += TableToHtml(OtherDevicesTable(explanation));
  const auto slower = SlowerLines(explanation);
  if (!slower.empty()) {
    heading({"Measured slower here", "本机实测更慢的设置"});
    body += "<ul>\n";
    for (const std::string& line : slower) body += Item(line);
    body += "</ul>\n";
  }
  heading({"How it is known", "依据"});
  for (const OptimizationReport& report : explanation.rows) body += Details(explanation, report);
  heading({"Next", "下一步"});
  body += fmt::format("<p>{}</p>\n", EscapeHtmlWithCode(NextStep(explanation)));
  return HtmlPage(ModelTitle(explanation) + " - fathom explain", language, body);
}

}  // namespace fathom
