// The change that the audit advises: what is certain and gives the same answers, nothing else.
//
//   rows 1, 2, 9   what no device heeds any more is deleted
//   row 5          use_cache=False becomes True
//   row 13         flash_attention_2 is asked for only where CUDA is; older spellings become today's
//
// What is a trade (dtype, compile, top_k ...) is the user's to decide and never changed.
#pragma once

#include <string>
#include <vector>

#include "audit/audit.h"

namespace fathom {

struct Edit {
  uint32_t begin = 0, end = 0;  // bytes of PythonSource::raw()
  std::string text;             // in their place
};

// In order, without overlap. None for a notebook and for a script that Python refuses.
std::vector<Edit> AdvisedEdits(const PythonSource& source, const ScriptAudit& audit);
std::string Edited(std::string_view raw, const std::vector<Edit>& edits);
// A unified diff (three lines of context) of `raw` and what the edits make of it; empty where there
// are none.
std::string UnifiedDiff(std::string_view raw, const std::vector<Edit>& edits,
                        const std::string& name);

}  // namespace fathom
