// The audit as JSON, terminal text, Markdown and one self-contained HTML page.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "audit/audit.h"
#include "base/json.h"

namespace fathom {

// The object of product.md; several scripts: {"scripts": [...]}.
JsonValue AuditToJson(const ScriptAudit& audit, const AuditOptions& options);
JsonValue AuditsToJson(const std::vector<ScriptAudit>& audits, const AuditOptions& options);

std::string AuditToText(const ScriptAudit& audit, const AuditOptions& options);
std::string AuditToMarkdown(const ScriptAudit& audit, const AuditOptions& options);
std::string AuditsToHtml(const std::vector<ScriptAudit>& audits, const AuditOptions& options);

// "used, under the condition of line 3"
std::string StateText(const Finding& finding, Language language);
// "available", "no effect", "unavailable"
std::string SupportText(Support support, Language language);
// A table with its heading row and its total: by how many kinds of device a row works on.
std::vector<std::vector<std::string>> CountsOf(const ScriptAudit& audit, Language language);

// What the renderings share: the sections in order, already in words.
struct ReportItem {
  const AuditedRow* row = nullptr;
  std::string state;  // "used, under the condition of line 3"
  std::string place;  // "line 3-4"; empty: nowhere
  std::string devices;
};
// What is told of it, label and text, in order; what is empty is left out.
std::vector<std::pair<std::string, std::string>> FieldsOf(const ReportItem& item,
                                                          Language language);
struct ReportSection {
  std::string title;
  std::vector<ReportItem> items;
};
struct AuditSections {
  std::string title, versions, machine, error;
  std::vector<ReportSection> sections;           // by devices, and what is usable but unused
  std::vector<std::vector<std::string>> counts;  // a table with its heading row and total
  std::string here_title;
  std::vector<std::pair<std::string, std::vector<std::string>>> here;  // heading, names
  std::vector<std::pair<std::string, std::vector<std::string>>> advice;
  std::string conclusion;
};
AuditSections MakeReport(const ScriptAudit& audit, const AuditOptions& options);

}  // namespace fathom
