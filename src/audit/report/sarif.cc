// Which findings go into a SARIF log, and as what.
#include "audit/report/sarif.h"

#include <fmt/format.h>

#include "audit/output/sarif.h"

namespace fathom {
namespace {

// What an editor should underline: warnings for what fails, notes for what is idle or missing.
std::optional<SarifLevel> LevelOf(const AuditedRow& row) {
  const Finding& finding = row.finding;
  const bool used = finding.state == FindingState::kUsed;
  if (finding.ignored) return std::nullopt;
  if (used && row.here.support == Support::kUnavailable) {
    return finding.guarded ? std::nullopt : std::optional(SarifLevel::kWarning);
  }
  bool note = row.here.support == Support::kAvailable && !row.remedy.empty();
  if (used) note = row.here.support == Support::kNoEffect;
  if (finding.state == FindingState::kUnknown) note = !finding.lines.empty();
  return note ? std::optional(SarifLevel::kNote) : std::nullopt;
}

void AddFindings(const ScriptAudit& audit, Language language, std::vector<SarifFinding>* findings) {
  if (!audit.error.empty()) {
    const int line = audit.error_line;
    findings->push_back({"", SarifLevel::kError, audit.error, audit.script, line, line});
    return;
  }
  for (const AuditedRow& row : audit.rows) {
    const std::optional<SarifLevel> level = LevelOf(row);
    if (!level) continue;
    SarifFinding& finding = findings->emplace_back();
    finding.code = row.finding.row->code;
    finding.level = *level;
    finding.message = row.reason;
    if (!row.remedy.empty()) finding.message += Gap(language) + row.remedy;
    finding.file = audit.script;
    if (row.finding.lines.empty()) continue;
    finding.first_line = row.finding.lines[0].first;
    finding.last_line = row.finding.lines[0].last;
  }
}

}  // namespace

JsonValue AuditsToSarif(const std::vector<ScriptAudit>& audits, const AuditOptions& options,
                        std::string_view version) {
  std::vector<SarifRule> rules;
  for (const Row* row : AllRows()) {
    rules.push_back({std::string(row->code), std::string(row->id),
                     Text(options.language, fmt::format("page.{}", row->number)), ""});
  }
  std::vector<SarifFinding> findings;
  for (const ScriptAudit& audit : audits) AddFindings(audit, options.language, &findings);
  return MakeSarif(rules, findings, version);
}

}  // namespace fathom
