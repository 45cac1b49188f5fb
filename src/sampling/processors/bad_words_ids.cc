#include <algorithm>
#include <vector>

#include "sampling/processor.h"
#include "sampling/sequence_match.h"

namespace fathom {

namespace {

// NoBadWordsLogitsProcessor: a bias of -inf; an eos token alone is never a bad word.
void Apply(const RowContext& context, ScoreRow& row) {
  const std::vector<int32_t>& eos = context.params.eos_token_id;
  for (const std::vector<int32_t>& word : context.params.bad_words_ids) {
    const bool is_eos = word.size() == 1 && std::ranges::find(eos, word[0]) != eos.end();
    if (!is_eos && EndsWithPrefixOf(word, context.ids)) row.Remove(word.back());
  }
}

}  // namespace

const LogitsProcessor& processor_bad_words_ids() {
  static const LogitsProcessor record{
      .name = "bad_words_ids",
      .formula = "-inf for the last id of a bad word whose other ids end the text so far",
      .order = processor_order::kBadWords,
      .only_sampling = false,
      .applies = [](const SamplingParams& params) { return !params.bad_words_ids.empty(); },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
