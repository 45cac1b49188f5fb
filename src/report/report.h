// `fathom report SCRIPT --model MODEL`: machine, audit, explain and measure in one document. Every
// number links to the note that says how it was obtained.
#pragma once

#include <optional>
#include <string>

#include "audit/audit.h"
#include "base/json.h"
#include "base/language.h"
#include "report/document.h"
#include "report/explanation.h"

namespace fathom {

struct Report {
  Language language = Language::kEnglish;
  std::string command;      // as it was called, for the notes
  Explanation explanation;  // with the machine's roofs where they were measured
  AuditOptions audit_options;
  ScriptAudit audit;
};

Document ReportDocument(const Report& report);

// {"machine": {}, "audit": {}, "explain": {}, "measure": {} or null, "sources": [{"id", "text"}]}
JsonValue ReportToJson(const Report& report);

}  // namespace fathom
