// A top-k that the script computes by itself: torch.topk whose result feeds a draw.
#pragma once

#include "audit/rules/sites.h"

namespace fathom {

// Adds each such torch.topk. One for display, beams, routing or a greedy choice feeds no draw.
void FindCustomTopK(SiteFinder& finder, Sites* sites);

}  // namespace fathom
