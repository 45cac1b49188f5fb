#include <algorithm>

#include "sampling/processor.h"

namespace fathom {

namespace {

// ForcedBOSTokenLogitsProcessor: the token after a text of one.
void Apply(const RowContext& context, ScoreRow& row) {
  if (context.ids.size() != 1) return;
  std::ranges::fill(row.scores(), kRemoved);
  row.Set(*context.params.forced_bos_token_id, 0);
}

}  // namespace

const LogitsProcessor& processor_forced_bos_token_id() {
  static const LogitsProcessor record{
      .name = "forced_bos_token_id",
      .formula = "all but bos = -inf, where the text has one token",
      .order = processor_order::kForcedBos,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) { return params.forced_bos_token_id.has_value(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
