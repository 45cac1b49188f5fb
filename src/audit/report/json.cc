#include "audit/report/report.h"

namespace fathom {
namespace {

JsonValue SupportToJson(const DeviceSupport& support) {
  JsonValue value;
  value.Set("state", SupportName(support.support));
  value.Set("reason", support.reason);
  return value;
}

JsonValue LinesToJson(const std::vector<LineRange>& lines) {
  JsonArray array;
  for (const LineRange& range : lines) {
    array.push_back(JsonArray{JsonValue(range.first), JsonValue(range.last)});
  }
  return array;
}

JsonValue TextOrNull(const std::string& text) {
  return text.empty() ? JsonValue(nullptr) : JsonValue(text);
}

JsonValue FindingToJson(const AuditedRow& row, const AuditOptions& options) {
  const Finding& finding = row.finding;
  JsonValue value;
  value.Set("id", finding.row->number);
  value.Set("name", finding.row->name);
  value.Set("row", finding.row->id);
  value.Set("code", finding.row->code);
  value.Set("state", FindingStateName(finding.state));
  value.Set("lines", LinesToJson(finding.lines));
  if (finding.cell) {
    value.Set("cell_lines", JsonArray{JsonValue(finding.cell->cell), JsonValue(finding.cell->first),
                                      JsonValue(finding.cell->last)});
  }
  value.Set("guarded", finding.guarded);
  JsonArray guards;
  for (const int line : finding.guard_lines) guards.push_back(line);
  value.Set("guard_lines", std::move(guards));
  value.Set("value", TextOrNull(finding.value));
  value.Set("option", TextOrNull(finding.option));
  value.Set("snippet", TextOrNull(finding.snippet));
  JsonValue devices;
  for (size_t i = 0; i < row.devices.size(); ++i) {
    devices.Set(AuditDeviceName(kAuditDevices[i]), SupportToJson(row.devices[i]));
  }
  value.Set("devices", std::move(devices));
  JsonValue here = SupportToJson(row.here);
  here.Set("device", AuditDeviceName(options.machine.device));
  value.Set("here", std::move(here));
  value.Set("reason", row.reason);
  value.Set("remedy", TextOrNull(row.remedy));
  JsonValue gain;
  gain.Set("measured", TextOrNull(row.measured));
  gain.Set("quoted", TextOrNull(row.quoted));
  value.Set("gain", std::move(gain));
  value.Set("ignored", finding.ignored);
  return value;
}

JsonValue FindingsToJson(const std::vector<AuditedRow>& rows, const AuditOptions& options) {
  JsonArray findings;
  for (const AuditedRow& row : rows) findings.push_back(FindingToJson(row, options));
  return findings;
}

JsonValue VersionToJson(const LibraryVersion& library) {
  JsonValue value;
  value.Set("version", library.version.text);
  const VersionSource source = library.source;
  value.Set("source", source == VersionSource::kGiven         ? "given"
                      : source == VersionSource::kEnvironment ? "environment"
                                                              : "default");
  if (!library.folder.empty()) value.Set("folder", library.folder);
  return value;
}

}  // namespace

JsonValue AuditToJson(const ScriptAudit& audit, const AuditOptions& options) {
  JsonValue value;
  value.Set("script", audit.script);
  value.Set("error", TextOrNull(audit.error));
  JsonValue versions;
  versions.Set("torch", VersionToJson(options.versions.torch));
  versions.Set("transformers", VersionToJson(options.versions.transformers));
  value.Set("versions", std::move(versions));
  JsonValue machine;
  machine.Set("name", options.machine.name);
  machine.Set("device", AuditDeviceName(options.machine.device));
  machine.Set("described", options.machine.described);
  value.Set("machine", std::move(machine));
  value.Set("findings", FindingsToJson(audit.rows, options));
  if (!audit.error.empty()) {
    value.Set("tolerant_findings", FindingsToJson(audit.tolerant, options));
  }
  JsonValue counts;
  for (const auto& [name, count] : audit.counts) counts.Set(name, count);
  value.Set("counts", std::move(counts));
  JsonValue advice;
  for (size_t i = 0; i < audit.advice.size(); ++i) {
    JsonArray lines;
    for (const std::string& line : audit.advice[i]) lines.push_back(line);
    advice.Set(AuditDeviceName(kAuditDevices[i]), std::move(lines));
  }
  value.Set("advice", std::move(advice));
  value.Set("conclusion", audit.conclusion);
  return value;
}

JsonValue AuditsToJson(const std::vector<ScriptAudit>& audits, const AuditOptions& options) {
  JsonArray scripts;
  for (const ScriptAudit& audit : audits) scripts.push_back(AuditToJson(audit, options));
  JsonValue value;
  value.Set("scripts", std::move(scripts));
  return value;
}

}  // namespace fathom
