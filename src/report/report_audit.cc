// What the script uses, for a report: by the devices that a row works on, what is left unused,
// counts, this machine, advice, conclusion.
#include <fmt/format.h>

#include "audit/report/report.h"
#include "report/report_parts.h"

namespace fathom {

namespace {

constexpr const char* kAuditLink = "#how-audit";

Tone ToneOf(Support support) {
  return support == Support::kAvailable  ? Tone::kGood
         : support == Support::kNoEffect ? Tone::kMuted
                                         : Tone::kWarning;
}

using Filter = bool (*)(const AuditedRow& row);

Table RowsTable(const ScriptAudit& audit, Language language, Filter filter) {
  Table table{.columns = {{.title = "#", .right = true},
                          {.title = Say(language, "in the script", "脚本中的写法")},
                          {.title = Say(language, "state", "状态")},
                          {.title = Say(language, "lines", "行")},
                          {.title = "CPU"},
                          {.title = "MPS"},
                          {.title = "CUDA"},
                          {.title = Say(language, "because", "说明"), .wraps = true}}};
  for (const AuditedRow& row : audit.rows) {
    if (!filter(row)) continue;
    std::vector<TableCell> cells = {{fmt::format("{}", row.finding.row->number)},
                                    {std::string(row.finding.row->name)},
                                    {StateText(row.finding, language)},
                                    {row.finding.lines.empty() ? "-" : LinesText(row.finding.lines),
                                     Tone::kPlain, row.finding.lines.empty() ? "" : kAuditLink}};
    for (const DeviceSupport& device : row.devices) {
      cells.push_back({SupportText(device.support, language), ToneOf(device.support)});
    }
    cells.push_back({row.reason});
    table.rows.push_back(std::move(cells));
  }
  return table;
}

void AddRows(const Report& report, Document& document, std::string title, Filter filter) {
  Table table = RowsTable(report.audit, report.language, filter);
  document.Add(Heading{3, std::move(title), ""});
  if (table.rows.empty()) {
    document.Add(Paragraph{Say(report.language, "None.", "无。")});
  } else {
    document.Add(std::move(table));
  }
}

// A line a reach; the last line is their sum, so that a reader can check it.
Table CountsTable(const ScriptAudit& audit, Language language) {
  const std::vector<std::vector<std::string>> counts = CountsOf(audit, language);
  Table table;
  for (size_t column = 0; column < counts[0].size(); ++column) {
    table.columns.push_back({.title = counts[0][column], .right = column > 0});
  }
  for (size_t row = 1; row < counts.size(); ++row) {
    std::vector<TableCell> cells = {{counts[row][0]}};
    for (size_t column = 1; column < counts[row].size(); ++column) {
      cells.push_back({counts[row][column], Tone::kPlain, kAuditLink});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table HereTable(const ScriptAudit& audit, Language language) {
  Table table{.columns = {{.title = "#", .right = true},
                          {.title = Say(language, "in the script", "脚本中的写法")},
                          {.title = Say(language, "state", "状态")},
                          {.title = Say(language, "here", "本机")},
                          {.title = Say(language, "because", "原因"), .wraps = true},
                          {.title = Say(language, "what to do", "建议"), .wraps = true}}};
  for (const AuditedRow& row : audit.rows) {
    table.rows.push_back({{fmt::format("{}", row.finding.row->number)},
                          {std::string(row.finding.row->name)},
                          {StateText(row.finding, language)},
                          {SupportText(row.here.support, language), ToneOf(row.here.support)},
                          {row.here.reason},
                          {row.remedy.empty() ? "-" : row.remedy}});
  }
  return table;
}

}  // namespace

void AddAudit(const Report& report, Document& document) {
  const Language language = report.language;
  const ScriptAudit& audit = report.audit;
  document.Add(Heading{2, Say(language, "What {} does", "{} 用了什么", audit.script), "audit"});
  if (!audit.error.empty()) document.Add(Paragraph{audit.error_text});
  AddRows(report, document, Say(language, "Works on every device", "所有设备可用"),
          [](const AuditedRow& row) { return ReachOf(row) == Reach::kAll; });
  AddRows(report, document, Say(language, "Works on some kinds of device only", "仅部分设备可用"),
          [](const AuditedRow& row) {
            return ReachOf(row) == Reach::kSome || ReachOf(row) == Reach::kOne;
          });
  AddRows(report, document, Say(language, "Works on none", "在任何设备上都不起作用"),
          [](const AuditedRow& row) { return ReachOf(row) == Reach::kNone; });
  AddRows(report, document, Say(language, "Usable but not used", "可用但未使用"),
          [](const AuditedRow& row) {
            const FindingState state = row.finding.state;
            return ReachOf(row) != Reach::kNone &&
                   (state == FindingState::kNotUsed || state == FindingState::kDisabled);
          });
  document.Add(Heading{3, Say(language, "Counts", "统计"), ""});
  document.Add(CountsTable(audit, language));
  document.Add(Heading{3, Say(language, "On this machine", "在本机上"), ""});
  document.Add(HereTable(audit, language));
  document.Add(Heading{3, Say(language, "Advice", "建议"), ""});
  for (const AuditDevice device : kAuditDevices) {
    const auto& advice = audit.advice[static_cast<size_t>(device)];
    if (advice.empty()) continue;
    document.Add(Paragraph{fmt::format("{}:", AuditDeviceName(device))});
    document.Add(ItemList{advice});
  }
  document.Add(Heading{3, Say(language, "Conclusion", "结论"), ""});
  document.Add(Paragraph{audit.conclusion});
}

}  // namespace fathom
