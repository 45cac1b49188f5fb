#include "sampling/processor.h"

namespace fathom {

namespace {

// MinNewTokensLengthLogitsProcessor.
void Apply(const RowContext& context, ScoreRow& row) {
  const int64_t new_tokens = static_cast<int64_t>(context.ids.size()) - context.prompt_length;
  if (new_tokens >= *context.params.min_new_tokens) return;
  for (const int32_t id : context.params.eos_token_id) row.Remove(id);
}

}  // namespace

const LogitsProcessor& processor_min_new_tokens() {
  static const LogitsProcessor record{
      .name = "min_new_tokens",
      .formula = "eos = -inf while fewer tokens are new",
      .order = processor_order::kMinNewTokens,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) {
            return !params.eos_token_id.empty() && params.min_new_tokens.value_or(0) > 0;
          },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
