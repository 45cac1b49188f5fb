// top_p over a whole vocabulary without sorting it.
//
// An entry stays where the share of all entries after it in ascending order, itself included, is
// above 1 - top_p: so where the sum of those better than it is below a target. Few entries decide:
// either some hundred of the best hold the target between them, whatever the others add up to, or a
// sample of the row tells a band of scores in which it is crossed; one pass weighs the row and
// picks out what lies in the band. Sums are estimates with a bound for what is wrong with them
// (kernels/row_kernels.h); only where that leaves the edge open they are taken exactly. Only the
// entries that decide are ever put in order.
#pragma once

#include "sampling/score_row.h"

namespace fathom {

// Narrows a dense row to its nucleus, entries with share > limit as top_p.cc defines it: it becomes
// compact, or dense with a floor (score_row.h). False,
// and the row still dense, where sums of rounded numbers cannot tell to the last bit, or where the
// row is too small to be worth it.
bool NarrowToNucleus(float limit, ScoreRow& row);

}  // namespace fathom
