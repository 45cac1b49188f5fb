// The audit as SARIF 2.1.0 (OASIS), which editors and continuous integration read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.h"
#include "base/json.h"

namespace fathom {

// One run over all scripts: what fails is a warning, what is idle or missing a note, a syntax error
// an error. Ignored rows are left out.
JsonValue AuditsToSarif(const std::vector<ScriptAudit>& audits, const AuditOptions& options,
                        std::string_view version);

// --- the log itself, of any findings

struct SarifRule {
  std::string code;         // "FTH010"
  std::string name;         // "torch_compile"
  std::string description;  // one sentence
  std::string help_uri;     // absolute; "" where there is none
};

enum class SarifLevel { kNote, kWarning, kError };

struct SarifFinding {
  std::string code;  // of one of the rules
  SarifLevel level = SarifLevel::kNote;
  std::string message;
  std::string file;    // a path, as the user gave it
  int first_line = 0;  // from 1; 0: the file as a whole
  int last_line = 0;
};

// The log of one run. A finding whose code is none of the rules' carries no rule index.
JsonValue MakeSarif(const std::vector<SarifRule>& rules, const std::vector<SarifFinding>& findings,
                    std::string_view version);

// A path as a URI reference: what is not plain is written %XX; an absolute path becomes file://...
std::string PathToUri(std::string_view path);

}  // namespace fathom
