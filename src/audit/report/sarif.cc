#include "audit/report/sarif.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace fathom {
namespace {

constexpr const char* kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

std::string_view LevelName(SarifLevel level) {
  switch (level) {
    case SarifLevel::kNote:
      return "note";
    case SarifLevel::kWarning:
      return "warning";
    case SarifLevel::kError:
      return "error";
  }
  return "none";
}

JsonValue TextObject(const std::string& text) { return JsonObject{{"text", text}}; }

JsonValue RuleJson(const SarifRule& rule) {
  JsonObject json = {{"id", rule.code}};
  if (!rule.name.empty()) json.emplace_back("name", rule.name);
  if (!rule.description.empty())
    json.emplace_back("shortDescription", TextObject(rule.description));
  if (!rule.help_uri.empty()) json.emplace_back("helpUri", rule.help_uri);
  return json;
}

JsonValue FindingJson(const std::vector<SarifRule>& rules, const SarifFinding& finding) {
  JsonObject place = {{"artifactLocation", JsonObject{{"uri", PathToUri(finding.file)}}}};
  if (finding.first_line > 0) {
    place.emplace_back("region",
                       JsonObject{{"startLine", finding.first_line},
                                  {"endLine", std::max(finding.first_line, finding.last_line)}});
  }
  JsonObject json = {{"ruleId", finding.code}};
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const SarifRule& r) { return r.code == finding.code; });
  if (rule != rules.end()) {
    json.emplace_back("ruleIndex", static_cast<int64_t>(rule - rules.begin()));
  }
  json.emplace_back("level", std::string(LevelName(finding.level)));
  json.emplace_back("message", TextObject(finding.message));
  json.emplace_back("locations", JsonArray{JsonObject{{"physicalLocation", std::move(place)}}});
  return json;
}

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
    findings->push_back({line > 0 ? "syntax-error" : "unreadable-file", SarifLevel::kError,
                         audit.error_text, audit.script, line, line});
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

std::string PathToUri(std::string_view path) {
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      uri.push_back(c);
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

JsonValue MakeSarif(const std::vector<SarifRule>& rules, const std::vector<SarifFinding>& findings,
                    std::string_view version) {
  JsonArray rule_list;
  for (const SarifRule& rule : rules) rule_list.push_back(RuleJson(rule));
  JsonArray results;
  for (const SarifFinding& finding : findings) results.push_back(FindingJson(rules, finding));
  JsonObject driver = {
      {"name", "fathom"}, {"version", std::string(version)}, {"rules", std::move(rule_list)}};
  JsonObject run = {{"tool", JsonObject{{"driver", std::move(driver)}}},
                    {"results", std::move(results)}};
  return JsonObject{
      {"$schema", kSchema}, {"version", "2.1.0"}, {"runs", JsonArray{std::move(run)}}};
}

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
