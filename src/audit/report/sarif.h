// The audit as SARIF 2.1.0.
#pragma once

#include <vector>

#include "audit/audit.h"
#include "base/json.h"

namespace fathom {

// One run over all scripts: what fails is a warning, what is idle or missing a note, a syntax error
// an error. Ignored rows are left out.
JsonValue AuditsToSarif(const std::vector<ScriptAudit>& audits, const AuditOptions& options,
                        std::string_view version);

}  // namespace fathom
