#include "sampling/processor.h"
#include "sampling/sequence_match.h"

namespace fathom {

namespace {

// SequenceBiasLogitsProcessor.
void Apply(const RowContext& context, ScoreRow& row) {
  AddSequenceBiases(context.params.sequence_bias, context.ids, row);
}

}  // namespace

const LogitsProcessor& processor_sequence_bias() {
  static const LogitsProcessor record{
      .name = "sequence_bias",
      .formula = "score[last id] += bias, where the ids before it end the text so far",
      .order = processor_order::kSequenceBias,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return !params.sequence_bias.empty(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
