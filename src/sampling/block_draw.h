// Drawing from a whole vocabulary without the share of every entry.
#pragma once

#include <cstdint>
#include <optional>

#include "sampling/score_row.h"

namespace fathom {

// The token that Pick (sampler.cc) takes from the softmax of a dense row, with a floor or without:
// the block is found by the blocks' weights, the token by the weights of that block's entries:
// estimates first, exact ones where those do not tell. Nothing where what Pick rounds may decide
// otherwise, and for compact or small rows.
std::optional<int32_t> DrawByBlocks(ScoreRow& row, double u);

}  // namespace fathom
