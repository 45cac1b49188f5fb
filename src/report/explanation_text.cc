// An explanation for a terminal.
#include <fmt/format.h>

#include "base/text_width.h"
#include "base/utf8.h"
#include "report/explanation_parts.h"

namespace fathom {

namespace {

std::string Wrapped(const std::string& text, int width, std::string_view indent) {
  std::string out;
  for (const std::string& line : WrapToWidth(text, width - DisplayWidth(indent))) {
    out += fmt::format("{}{}\n", indent, line);
  }
  return out;
}

// Model and machine on one line where they fit, else on two.
std::string Head(const Explanation& explanation, int width) {
  const std::string model = fmt::format("{}   {}", ModelTitle(explanation), ModelLine(explanation));
  const std::string machine = MachineLine(explanation);
  const int gap = width - DisplayWidth(model) - DisplayWidth(machine);
  if (gap >= 4) return fmt::format("{}{:{}}{}\n", model, "", gap, machine);
  return Wrapped(model, width, "") + Wrapped(machine, width, "");
}

std::string Evidence(const Explanation& explanation, int width) {
  std::string out = Say(explanation.language, "\n how it is known\n", "\n 依据\n");
  for (const OptimizationReport& report : explanation.rows) {
    for (const std::string& fact : report.detection.evidence) {
      out += Wrapped(fmt::format("{}: {}", report.optimization->id, EscapeForTerminal(fact)), width,
                     " ");
    }
  }
  return out;
}

}  // namespace

std::string ExplanationToText(const Explanation& explanation, const TextOptions& options) {
  const int width = options.width;
  const Language language = explanation.language;
  std::string out = Head(explanation, width);
  out += "\n" + TableToText(OptimizationTable(explanation), width, options.colour);
  out += "\n" + TableToText(OtherDevicesTable(explanation), width, options.colour);
  const auto remedies = Remedies(explanation);
  if (!remedies.empty()) out += Say(language, "\n what it would take\n", "\n 所需条件\n");
  for (const auto& [numbers, remedy] : remedies) {
    out += Wrapped(fmt::format("{}: {}", numbers, remedy), width, " ");
  }
  const auto slower = SlowerLines(explanation);
  if (!slower.empty()) out += Say(language, "\n measured slower here\n", "\n 本机实测更慢的设置\n");
  for (const std::string& line : slower) out += Wrapped(line, width, " ");
  if (options.evidence) out += Evidence(explanation, width);
  out += "\n" + Wrapped(Say(language, "Next: {}", "下一步：{}", NextStep(explanation)), width, " ");
  return out;
}

}  // namespace fathom
