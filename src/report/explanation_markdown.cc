// An explanation as Markdown.
#include <fmt/format.h>

#include "report/explanation_parts.h"

namespace fathom {

namespace {

// What does not fit the table: a list a row.
std::string Details(const Explanation& explanation, const OptimizationReport& report) {
  const Language language = explanation.language;
  const Optimization& row = *report.optimization;
  std::string out = fmt::format("- **{}** ({}): ", row.id, row.name.In(language));
  out += Say(language, "on: {}; off: {}.", "开：{}；关：{}。",
             EscapeMarkdown(row.on_text.In(language)), EscapeMarkdown(row.off_text.In(language)));
  if (const std::string saved = EstimateText(explanation, report); !saved.empty()) {
    out += Say(language, " Saves by its shapes: {}.", " 按形状估计节省：{}。", saved);
  }
  out += "\n";
  for (const std::string& fact : report.detection.evidence) {
    out += fmt::format("  - {}\n", EscapeMarkdown(fact));
  }
  return out;
}

}  // namespace

std::string ExplanationToMarkdown(const Explanation& explanation) {
  const Language language = explanation.language;
  std::string out =
      fmt::format("# {}\n\n{}  \n{}\n\n", EscapeMarkdown(ModelTitle(explanation)),
                  EscapeMarkdown(ModelLine(explanation)), EscapeMarkdown(MachineLine(explanation)));
  out += Say(language, "## Optimizations\n\n", "## 优化项\n\n");
  out += TableToMarkdown(OptimizationTable(explanation));
  out += Say(language, "\n## Other devices\n\n", "\n## 其他设备\n\n");
  out += TableToMarkdown(OtherDevicesTable(explanation));
  const auto remedies = Remedies(explanation);
  if (!remedies.empty()) out += Say(language, "\n## What it would take\n\n", "\n## 所需条件\n\n");
  for (const auto& [numbers, remedy] : remedies) {
    out += fmt::format("- {}: {}\n", numbers, EscapeMarkdown(remedy));
  }
  const auto slower = SlowerLines(explanation);
  if (!slower.empty()) {
    out += Say(language, "\n## Measured slower here\n\n", "\n## 本机实测更慢的设置\n\n");
  }
  for (const std::string& line : slower) out += fmt::format("- {}\n", EscapeMarkdown(line));
  out += Say(language, "\n## How it is known\n\n", "\n## 依据\n\n");
  for (const OptimizationReport& report : explanation.rows) out += Details(explanation, report);
  out += Say(language, "\n**Next:** {}\n", "\n**下一步：** {}\n", NextStep(explanation));
  return out;
}

}  // namespace fathom
