#include "sampling/ngram.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// NoRepeatNGramLogitsProcessor: what would complete an n-gram that the text has already.
void Apply(const RowContext& context, ScoreRow& row) {
  RemoveNgrams(context.ids, context.ids, context.params.no_repeat_ngram_size, row);
}

}  // namespace

const LogitsProcessor& processor_no_repeat_ngram_size() {
  static const LogitsProcessor record{
      .name = "no_repeat_ngram_size",
      .formula = "-inf where the token would complete an n-gram of the text",
      .order = processor_order::kNoRepeatNgram,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return params.no_repeat_ngram_size > 0; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
