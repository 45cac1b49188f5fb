#include "audit/report/report.h"

#include <fmt/format.h>

#include <functional>

namespace fathom {
namespace {

std::string PlaceText(const Finding& finding, Language language) {
  if (finding.lines.empty()) return {};
  const std::string lines = LinesText(finding.lines);
  if (!finding.cell) return Text(language, "place.line", lines);
  const CellLines& cell = *finding.cell;
  const std::string inside = cell.first == cell.last ? fmt::format("{}", cell.first)
                                                     : fmt::format("{}-{}", cell.first, cell.last);
  return Text(language, "place.cell", lines, cell.cell, inside);
}

std::string DevicesText(const AuditedRow& row, Language language) {
  std::string text;
  for (size_t i = 0; i < row.devices.size(); ++i) {
    if (!text.empty()) text += " · ";
    text += Text(language, fmt::format("device.{}", AuditDeviceName(kAuditDevices[i])));
    text += " ";
    text += SupportText(row.devices[i].support, language);
  }
  return text;
}

using Chooses = std::function<bool(const AuditedRow&)>;

ReportSection Section(const ScriptAudit& audit, std::string_view title, Language language,
                      const Chooses& chooses) {
  ReportSection section;
  for (const AuditedRow& row : audit.rows) {
    if (!chooses(row)) continue;
    section.items.push_back({&row, StateText(row.finding, language),
                             PlaceText(row.finding, language), DevicesText(row, language)});
  }
  section.title = Text(language, title, section.items.size());
  return section;
}

bool IsOpen(const AuditedRow& row) {
  return row.finding.state == FindingState::kNotUsed ||
         row.finding.state == FindingState::kDisabled;
}

void AddHere(const ScriptAudit& audit, Language language, AuditSections* report) {
  const auto add = [&](std::string_view title, const Chooses& chooses) {
    std::vector<std::string> names;
    for (const AuditedRow& row : audit.rows) {
      if (!chooses(row)) continue;
      names.push_back(fmt::format("{}. {}", row.finding.row->number, row.finding.row->name));
    }
    if (!names.empty()) {
      report->here.emplace_back(Text(language, title, names.size()), std::move(names));
    }
  };
  const auto used = [](Support support) {
    return [support](const AuditedRow& row) {
      return row.finding.state == FindingState::kUsed && row.here.support == support;
    };
  };
  add("here.effective", used(Support::kAvailable));
  add("here.inert", used(Support::kNoEffect));
  add("here.failing", used(Support::kUnavailable));
  add("here.usable",
      [](const AuditedRow& row) { return IsOpen(row) && row.here.support == Support::kAvailable; });
  add("here.pointless",
      [](const AuditedRow& row) { return IsOpen(row) && row.here.support != Support::kAvailable; });
  add("here.unknown",
      [](const AuditedRow& row) { return row.finding.state == FindingState::kUnknown; });
}

std::string SourceText(const LibraryVersion& library, Language language) {
  switch (library.source) {
    case VersionSource::kGiven:
      return Text(language, "about.source.given");
    case VersionSource::kEnvironment:
      return Text(language, "about.source.environment");
    default:
      return Text(language, "about.source.default");
  }
}

}  // namespace

std::string StateText(const Finding& finding, Language language) {
  if (finding.state == FindingState::kUsed && finding.guarded) {
    std::string lines;
    for (const int line : finding.guard_lines) {
      lines += (lines.empty() ? "" : ", ") + std::to_string(line);
    }
    return Text(language, "state.guarded_word", lines);
  }
  return Text(language, fmt::format("word.state.{}", FindingStateName(finding.state)));
}

std::string SupportText(Support support, Language language) {
  return Text(language, fmt::format("word.support.{}", SupportName(support)));
}

std::vector<std::vector<std::string>> CountsOf(const ScriptAudit& audit, Language language) {
  std::vector<std::vector<std::string>> counts;
  counts.push_back({Text(language, "column.kind"), Text(language, "column.total"),
                    Text(language, "column.used"), Text(language, "column.unused"),
                    Text(language, "column.unknown")});
  int total[4] = {};
  for (const auto& [kind, name] :
       {std::pair<std::string_view, std::string>("kind.all", "all_devices"),
        {"kind.two", "two_devices"},
        {"kind.one", "one_device"},
        {"kind.none", "no_device"}}) {
    const int numbers[4] = {audit.Count(name), audit.Count(name + "_used"),
                            audit.Count(name + "_not_used"), audit.Count(name + "_unknown")};
    std::vector<std::string> row = {Text(language, kind)};
    for (int i = 0; i < 4; ++i) {
      row.push_back(std::to_string(numbers[i]));
      total[i] += numbers[i];
    }
    counts.push_back(std::move(row));
  }
  std::vector<std::string> last = {Text(language, "kind.total")};
  for (const int number : total) last.push_back(std::to_string(number));
  counts.push_back(std::move(last));
  return counts;
}

std::vector<std::pair<std::string, std::string>> FieldsOf(const ReportItem& item,
                                                          Language language) {
  const std::pair<std::string_view, const std::string*> all[] = {
      {"label.devices", &item.devices},    {"label.state", &item.state},
      {"label.place", &item.place},        {"label.reason", &item.row->reason},
      {"label.remedy", &item.row->remedy}, {"label.measured", &item.row->measured},
      {"label.quoted", &item.row->quoted}};
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [label, value] : all) {
    if (!value->empty()) fields.emplace_back(Text(language, label), *value);
  }
  return fields;
}

AuditSections MakeReport(const ScriptAudit& audit, const AuditOptions& options) {
  const Language language = options.language;
  AuditSections report;
  report.title = Text(language, "title", audit.script);
  report.versions =
      Text(language, "about.versions", options.versions.torch.version.text,
           SourceText(options.versions.torch, language), options.versions.transformers.version.text,
           SourceText(options.versions.transformers, language));
  const std::string device =
      Text(language, fmt::format("device.{}", AuditDeviceName(options.machine.device)));
  report.machine =
      Text(language, options.machine.described ? "about.machine.described" : "about.machine.here",
           options.machine.name, device);
  if (!audit.error.empty()) report.error = Text(language, "about.error", audit.error_text);
  for (const auto& [title, reach] : {std::pair<std::string_view, Reach>("section.all", Reach::kAll),
                                     {"section.two", Reach::kSome},
                                     {"section.one", Reach::kOne},
                                     {"section.none", Reach::kNone}}) {
    report.sections.push_back(Section(audit, title, language, [reach = reach](const auto& row) {
      return ReachOf(row) == reach;
    }));
  }
  report.sections.push_back(Section(audit, "section.unused", language, [](const AuditedRow& row) {
    return IsOpen(row) && row.here.support == Support::kAvailable;
  }));
  report.counts = CountsOf(audit, language);
  report.here_title = Text(language, "section.here", options.machine.name + " (" + device + ")");
  AddHere(audit, language, &report);
  for (size_t i = 0; i < audit.advice.size(); ++i) {
    const std::string name =
        Text(language, fmt::format("device.{}", AuditDeviceName(kAuditDevices[i])));
    report.advice.emplace_back(Text(language, "advice.for", name), audit.advice[i]);
  }
  report.conclusion = audit.conclusion;
  return report;
}

}  // namespace fathom
