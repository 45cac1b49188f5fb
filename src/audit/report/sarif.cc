// SARIF 2.1.0, as editors and continuous integration read it.
#include <fmt/format.h>

#include "audit/report/sarif.h"

namespace fathom {
namespace {

constexpr std::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

// A path as a URI reference: bytes outside the unreserved characters are percent-encoded.
std::string Uri(std::string_view path) {
  std::string uri;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return uri.empty() ? "." : uri;
}

JsonValue TextObject(const std::string& text) {
  JsonValue value;
  value.Set("text", text);
  return value;
}

JsonValue RulesToJson(Language language) {
  JsonArray rules;
  for (const Row* row : AllRows()) {
    JsonValue rule;
    rule.Set("id", row->code);
    rule.Set("name", row->id);
    rule.Set("shortDescription", TextObject(std::string(row->name)));
    rule.Set("fullDescription",
             TextObject(Text(language, fmt::format("page.{}", row->number))));
    rules.push_back(std::move(rule));
  }
  return rules;
}

// What an editor should underline: warnings for what fails, notes for what is idle or missing.
std::string_view LevelOf(const AuditedRow& row) {
  const Finding& finding = row.finding;
  const bool used = finding.state == FindingState::kUsed;
  if (finding.ignored) return "";
  if (used && row.here.support == Support::kUnavailable) {
    return finding.guarded ? "" : "warning";
  }
  if (used) return row.here.support == Support::kNoEffect ? "note" : "";
  if (finding.state == FindingState::kUnknown) return finding.lines.empty() ? "" : "note";
  return row.here.support == Support::kAvailable && !row.remedy.empty() ? "note" : "";
}

JsonValue Location(const std::string& script, LineRange lines) {
  JsonValue artifact, region, physical, location;
  artifact.Set("uri", Uri(script));
  region.Set("startLine", lines.first);
  region.Set("endLine", lines.last);
  physical.Set("artifactLocation", std::move(artifact));
  physical.Set("region", std::move(region));
  location.Set("physicalLocation", std::move(physical));
  return location;
}

void AddResults(const ScriptAudit& audit, JsonArray* results) {
  if (!audit.error.empty()) {
    JsonValue result;
    result.Set("level", "error");
    result.Set("message", TextObject(audit.error));
    const int line = audit.error_line > 0 ? audit.error_line : 1;
    result.Set("locations", JsonArray{Location(audit.script, {line, line})});
    results->push_back(std::move(result));
    return;
  }
  for (const AuditedRow& row : audit.rows) {
    const std::string_view level = LevelOf(row);
    if (level.empty()) continue;
    JsonValue result;
    result.Set("ruleId", row.finding.row->code);
    result.Set("ruleIndex", row.finding.row->number - 1);
    result.Set("level", level);
    result.Set("message", TextObject(row.remedy.empty() ? row.reason
                                                        : row.reason + " " + row.remedy));
    const LineRange lines = row.finding.lines.empty() ? LineRange{1, 1} : row.finding.lines[0];
    result.Set("locations", JsonArray{Location(audit.script, lines)});
    results->push_back(std::move(result));
  }
}

}  // namespace

JsonValue AuditsToSarif(const std::vector<ScriptAudit>& audits, const AuditOptions& options) {
  JsonValue driver, tool, run, log;
  driver.Set("name", "fathom");
  driver.Set("rules", RulesToJson(options.language));
  tool.Set("driver", std::move(driver));
  JsonArray results;
  for (const ScriptAudit& audit : audits) AddResults(audit, &results);
  run.Set("tool", std::move(tool));
  run.Set("columnKind", "utf16CodeUnits");
  run.Set("results", std::move(results));
  log.Set("$schema", kSchema);
  log.Set("version", "2.1.0");
  log.Set("runs", JsonArray{std::move(run)});
  return log;
}

}  // namespace fathom
