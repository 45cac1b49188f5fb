#include <algorithm>

#include "sampling/processor.h"

namespace fathom {

namespace {

// ForcedEOSTokenLogitsProcessor: the last token that max_length allows.
void Apply(const RowContext& context, ScoreRow& row) {
  const auto& max_length = context.params.max_length;
  if (!max_length.has_value()) return;
  if (static_cast<int64_t>(context.ids.size()) != *max_length - 1) return;
  std::ranges::fill(row.scores(), kRemoved);
  for (const int32_t id : context.params.forced_eos_token_id) row.Set(id, 0);
}

}  // namespace

const LogitsProcessor& processor_forced_eos_token_id() {
  static const LogitsProcessor record{
      .name = "forced_eos_token_id",
      .formula = "all but eos = -inf, where one token is left",
      .order = processor_order::kForcedEos,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return !params.forced_eos_token_id.empty(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
