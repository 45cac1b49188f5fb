// The change that the audit advises: what is certain and gives the same answers, nothing else.
//
//   rows 1, 2, 9   what no device heeds any more is deleted
//   row 5          use_cache=False becomes True
//   row 13         flash_attention_2 is asked for only where CUDA is; older spellings become
//   today's
//
// What is a trade (dtype, compile, top_k ...) is the user's to decide and never changed.
#pragma once

#include <vector>

#include "audit/audit.h"
#include "audit/fix/edit.h"

namespace fathom {

// Ranges of PythonSource::raw(), in order, without overlap. None for a notebook and for a script
// that Python refuses.
std::vector<Edit> AdvisedEdits(const PythonSource& source, const ScriptAudit& audit);

}  // namespace fathom
