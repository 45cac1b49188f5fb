#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "sampling/philox.h"

namespace fathom {

namespace {

// No NaN, no +inf, and at least one token left.
Status CheckScores(const ScoreRow& row) {
  const float max = row.Max();
  bool nan = false;
  for (const float score : row.scores()) nan |= score != score;
  if (nan || max == std::numeric_limits<float>::infinity()) {
    return Status::RunTime("the scores of the next token hold NaN or infinity",
                           "check temperature and penalties, or set remove_invalid_values");
  }
  if (max == kRemoved) {
    return Status::RunTime("no token is left to choose: every score is -inf",
                           "relax suppress_tokens, bad_words_ids or no_repeat_ngram_size");
  }
  return Status::Ok();
}

}  // namespace

std::span<const LogitsProcessor* const> OrderedLogitsProcessors() {
  static const std::vector<const LogitsProcessor*> ordered = [] {
    std::vector<const LogitsProcessor*> all(AllLogitsProcessors().begin(),
                                            AllLogitsProcessors().end());
    std::ranges::sort(all, {}, &LogitsProcessor::order);
    return all;
  }();
  return ordered;
}

std::vector<const LogitsProcessor*> ActiveProcessors(const SamplingParams& params) {
  std::vector<const LogitsProcessor*> active;
  for (const LogitsProcessor* processor : OrderedLogitsProcessors()) {
    if (processor->only_sampling && !params.do_sample) continue;
    if (processor->applies(params)) active.push_back(processor);
  }
  return active;
}

Status ProcessRow(std::span<const LogitsProcessor* const> processors, const RowContext& context,
                  SamplingArm arm, ScoreRow& row) {
  for (const LogitsProcessor* processor : processors) {
    // What selects expects numbers that compare.
    if (processor->partial != nullptr) FATHOM_TRY(CheckScores(row));
    const bool partial = arm == SamplingArm::kPartial && processor->partial != nullptr;
    (partial ? processor->partial : processor->reference)(context, row);
  }
  return CheckScores(row);
}

void Distribution(ScoreRow& row, TokenDistribution& out) {
  out.ids.clear();
  out.probs.clear();
  const auto probs = row.Softmax();
  const auto scores = row.scores();
  for (int64_t i = 0; i < row.size(); ++i) {
    if (scores[i] == kRemoved) continue;
    out.ids.push_back(row.id(i));
    out.probs.push_back(probs[i]);
  }
}

Status CheckFinite(std::span<const float> logits) {
  // x - x is 0 for a number and NaN else: sums of lanes that a compiler keeps in vectors.
  constexpr size_t kLanes = 16;
  float lanes[kLanes] = {};
  const size_t whole = logits.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += logits[i + lane] - logits[i + lane];
    }
  }
  bool finite = true;
  for (const float lane : lanes) finite &= lane == 0;
  for (size_t i = whole; i < logits.size(); ++i) finite &= std::isfinite(logits[i]);
  if (finite) return Status::Ok();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isfinite(logits[i])) continue;
    return Status::RunTime(
        fmt::format("the model's logits are not finite: token {} has {}", i, logits[i]),
        "its weights may be damaged, or overflow in this dtype");
  }
  return Status::Ok();
}

int32_t Argmax(std::span<const float> logits) {
  return static_cast<int32_t>(std::ranges::find(logits, MaxOf(logits)) - logits.begin());
}

int32_t Argmax(const ScoreRow& row) { return row.id(Argmax(row.scores())); }

Result<TokenDistribution> ComputeDistribution(std::span<const float> logits,
                                              const SamplingParams& params,
                                              std::span<const int32_t> ids, int64_t prompt_length,
                                              SamplingArm arm) {
  FATHOM_TRY(ValidateSampling(params, static_cast<int64_t>(logits.size())));
  ScoreRow row;
  row.Assign(logits);
  const RowContext context{params, ids, prompt_length};
  FATHOM_TRY(ProcessRow(ActiveProcessors(params), context, arm, row));
  TokenDistribution distribution;
  Distribution(row, distribution);
  return distribution;
}

double UniformDraw(uint64_t seed, uint64_t sequence, uint64_t position) {
  const auto words =
      Philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                  static_cast<uint32_t>(sequence), static_cast<uint32_t>(sequence >> 32)},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t bits = uint64_t{words[0]} << 32 | words[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

int32_t PickToken(const TokenDistribution& distribution, double u) {
  FATHOM_CHECK(!distribution.ids.empty());
  double total = 0;
  for (const float p : distribution.probs) total += p;
  const double limit = u * total;
  double cumulative = 0;
  int32_t last = distribution.ids[0];
  for (size_t i = 0; i < distribution.ids.size(); ++i) {
    if (!(distribution.probs[i] > 0)) continue;
    last = distribution.ids[i];
    cumulative += distribution.probs[i];
    if (cumulative > limit) break;
  }
  return last;
}

}  // namespace fathom
