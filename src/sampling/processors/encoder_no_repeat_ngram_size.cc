#include <algorithm>

#include "sampling/ngram.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// EncoderNoRepeatNGramLogitsProcessor; what it calls the encoder's input is the prompt.
void Apply(const RowContext& context, ScoreRow& row) {
  const auto length = std::min<size_t>(context.ids.size(), context.prompt_length);
  RemoveNgrams(context.ids.first(length), context.ids, context.params.encoder_no_repeat_ngram_size,
               row);
}

}  // namespace

const LogitsProcessor& processor_encoder_no_repeat_ngram_size() {
  static const LogitsProcessor record{
      .name = "encoder_no_repeat_ngram_size",
      .formula = "-inf where the token would complete an n-gram of the prompt",
      .order = processor_order::kEncoderNoRepeatNgram,
      .only_sampling = false,
      .applies =
          [](const SamplingParams& params) { return params.encoder_no_repeat_ngram_size > 0; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
