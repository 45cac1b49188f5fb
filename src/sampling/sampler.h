// The sampler: runs the chain of processors over one row and picks a token. Scratch is the
// caller's, so that a step allocates nothing of the vocabulary's size.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fathom/sampling.h"
#include "sampling/processor.h"

namespace fathom {

// Runs `processors` (ActiveProcessors of context.params) over `row`.
// kRunTime where a score becomes NaN or +inf, or no token is left.
Status ProcessRow(std::span<const LogitsProcessor* const> processors, const RowContext& context,
                  SamplingArm arm, ScoreRow& row);

// The token of the greatest score, the lowest id among equal ones (as torch.argmax on a CPU).
int32_t Argmax(ScoreRow& row);
// softmax over what is left; ids ascending.
void Distribution(ScoreRow& row, TokenDistribution& out);

// PickToken of Distribution, without the list where nothing was selected; u in [0, 1).
int32_t DrawToken(ScoreRow& row, double u, TokenDistribution& scratch);

// For untouched logits: row 51 of hostile inputs. kRunTime where one is NaN or infinite.
Status CheckFinite(ScoreRow& row);
// The plain forms.
Status CheckFinite(std::span<const float> logits);
int32_t Argmax(std::span<const float> logits);

}  // namespace fathom
