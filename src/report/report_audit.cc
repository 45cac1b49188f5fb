// What the script uses, for a report: by the devices that a row works on, what is left unused,
// counts, this machine, advice, conclusion.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/report_parts.h"

namespace fathom {

namespace {

constexpr const char* kAuditLink = "#how-audit";

std::string LinesText(const Finding& finding) {
  std::vector<std::string> parts;
  for (const LineRange& range : finding.lines) {
    parts.push_back(range.first == range.last ? fmt::format("{}", range.first)
                                              : fmt::format("{}-{}", range.first, range.last));
  }
  return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string StateWord(const Finding& finding, Language language) {
  switch (finding.state) {
    case FindingState::kUsed:
      return finding.guarded ? Say(language, "used, guarded", "已使用（有条件）")
                             : Say(language, "used", "已使用");
    case FindingState::kDisabled:
      return Say(language, "turned off", "已关闭");
    case FindingState::kNotUsed:
      return Say(language, "not used", "未使用");
    case FindingState::kUnknown:
      break;
  }
  return Say(language, "cannot be told", "无法判断");
}

std::string SupportWord(Support support, Language language) {
  switch (support) {
    case Support::kAvailable:
      return Say(language, "works", "可用");
    case Support::kNoEffect:
      return Say(language, "no effect", "无效果");
    case Support::kUnavailable:
      break;
  }
  return Say(language, "unavailable", "不可用");
}

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
    std::vector<TableCell> cells = {
        {fmt::format("{}", row.finding.row->number)},
        {std::string(row.finding.row->name)},
        {StateWord(row.finding, language)},
        {LinesText(row.finding), Tone::kPlain, row.finding.lines.empty() ? "" : kAuditLink}};
    for (const DeviceSupport& device : row.devices) {
      cells.push_back({SupportWord(device.support, language), ToneOf(device.support)});
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
  Table table{
      .columns = {{.title = Say(language, "rows that work on", "适用范围")},
                  {.title = Say(language, "rows", "总数"), .right = true},
                  {.title = Say(language, "used", "已使用"), .right = true},
                  {.title = Say(language, "not used or off", "未使用或关闭"), .right = true},
                  {.title = Say(language, "cannot be told", "无法判断"), .right = true}}};
  struct Line {
    Reach reach;
    std::string name;
  };
  const Line lines[] = {{Reach::kAll, Say(language, "every device", "所有设备")},
                        {Reach::kSome, Say(language, "two kinds of device", "两类设备")},
                        {Reach::kOne, Say(language, "one kind of device", "仅一类设备")},
                        {Reach::kNone, Say(language, "none", "没有设备")}};
  int sums[4] = {0, 0, 0, 0};
  const auto add = [&](const std::string& name, const int(&counts)[4]) {
    std::vector<TableCell> cells = {{name}};
    for (const int count : counts) {
      cells.push_back({fmt::format("{}", count), Tone::kPlain, kAuditLink});
    }
    table.rows.push_back(std::move(cells));
  };
  for (const auto& [reach, name] : lines) {
    int counts[4] = {0, 0, 0, 0};
    for (const AuditedRow& row : audit.rows) {
      if (ReachOf(row) != reach) continue;
      const FindingState state = row.finding.state;
      const int column = state == FindingState::kUsed ? 1 : state == FindingState::kUnknown ? 3 : 2;
      ++counts[0];
      ++counts[column];
    }
    for (int i = 0; i < 4; ++i) sums[i] += counts[i];
    add(name, counts);
  }
  add(Say(language, "together", "合计"), sums);
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
                          {StateWord(row.finding, language)},
                          {SupportWord(row.here.support, language), ToneOf(row.here.support)},
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
  if (!audit.error.empty()) document.Add(Paragraph{audit.error});
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
