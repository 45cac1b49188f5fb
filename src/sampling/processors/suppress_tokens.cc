#include "sampling/processor.h"

namespace fathom {

namespace {

// SuppressTokensLogitsProcessor.
void Apply(const RowContext& context, ScoreRow& row) {
  for (const int32_t id : context.params.suppress_tokens) row.Remove(id);
}

}  // namespace

const LogitsProcessor& processor_suppress_tokens() {
  static const LogitsProcessor record{
      .name = "suppress_tokens",
      .formula = "-inf for the listed tokens",
      .order = processor_order::kSuppress,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return !params.suppress_tokens.empty(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
