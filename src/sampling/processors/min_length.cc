#include "sampling/processor.h"

namespace fathom {

namespace {

// MinLengthLogitsProcessor. min_new_tokens, where given, replaces min_length by the prompt's length
// plus itself (_prepare_generated_length).
void Apply(const RowContext& context, ScoreRow& row) {
  const SamplingParams& params = context.params;
  const int64_t min_length = params.min_new_tokens.has_value()
                                 ? context.prompt_length + *params.min_new_tokens
                                 : params.min_length;
  if (static_cast<int64_t>(context.ids.size()) >= min_length) return;
  for (const int32_t id : params.eos_token_id) row.Remove(id);
}

}  // namespace

const LogitsProcessor& processor_min_length() {
  static const LogitsProcessor record{
      .name = "min_length",
      .formula = "eos = -inf while the text, prompt included, is shorter",
      .order = processor_order::kMinLength,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) {
            return !params.eos_token_id.empty() &&
                   (params.min_length > 0 || params.min_new_tokens.has_value());
          },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
