#include "sampling/processor.h"

namespace fathom {

namespace {

// SuppressTokensAtBeginLogitsProcessor: for the first new token; the one after it where bos is
// forced.
void Apply(const RowContext& context, ScoreRow& row) {
  const bool bos_first =
      context.prompt_length <= 1 && context.params.forced_bos_token_id.has_value();
  const int64_t begin = context.prompt_length + (bos_first ? 1 : 0);
  if (static_cast<int64_t>(context.ids.size()) != begin) return;
  for (const int32_t id : context.params.begin_suppress_tokens) row.Remove(id);
}

}  // namespace

const LogitsProcessor& processor_begin_suppress_tokens() {
  static const LogitsProcessor record{
      .name = "begin_suppress_tokens",
      .formula = "-inf for the listed tokens at the first new place",
      .order = processor_order::kBeginSuppress,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return !params.begin_suppress_tokens.empty(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
