#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "sampling/block_draw.h"
#include "sampling/philox.h"

namespace fathom {

namespace {

// No NaN, no +inf, and at least one token left.
Status CheckScores(ScoreRow& row) {
  if (!row.IsValid()) {
    return Status::RunTime("the scores of the next token hold NaN or infinity",
                           "check temperature and penalties, or set remove_invalid_values");
  }
  if (row.Max() == kRemoved) {
    return Status::RunTime("no token is left to choose: every score is -inf",
                           "relax suppress_tokens, bad_words_ids or no_repeat_ngram_size");
  }
  return Status::Ok();
}

struct BlockOfEntries {
  size_t begin, end;
  double sum;
};

// The index of the first entry at which the cumulative probability exceeds u times the total.
// Probabilities are added up by block and column (kernels/row_kernels.h), and the pick looks into
// one block only: so a dense row, where entries may be zero, and the list of the others give the
// same token.
template <typename IdOf>
size_t Pick(std::span<const float> probs, const IdOf& id_of, double u) {
  std::vector<BlockOfEntries> blocks;
  double total = 0;
  for (size_t begin = 0, end = 0; begin < probs.size(); begin = end) {
    const size_t block = static_cast<size_t>(id_of(begin)) / kBlockEntries;
    std::array<double, kColumns> columns = {};
    for (; end < probs.size(); ++end) {
      const auto id = static_cast<size_t>(id_of(end));
      if (id / kBlockEntries != block) break;
      columns[id % kColumns] += probs[end];
    }
    const double sum = std::accumulate(columns.begin(), columns.end(), 0.0);
    if (sum > 0) blocks.push_back({begin, end, sum});
    total += sum;
  }
  if (blocks.empty()) return 0;
  const double limit = u * total;
  double before = 0;
  size_t chosen = 0;
  while (chosen + 1 < blocks.size() && before + blocks[chosen].sum <= limit) {
    before += blocks[chosen++].sum;
  }
  size_t last = blocks[chosen].begin;
  for (size_t i = blocks[chosen].begin; i < blocks[chosen].end; ++i) {
    if (!(probs[i] > 0)) continue;
    last = i;
    before += probs[i];
    if (before > limit) break;
  }
  return last;
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
    row.ApplyFloor();
    // What selects expects numbers that compare.
    if (processor->partial != nullptr) FATHOM_TRY(CheckScores(row));
    const bool partial = arm == SamplingArm::kPartial && processor->partial != nullptr;
    (partial ? processor->partial : processor->reference)(context, row);
  }
  return CheckScores(row);
}

void Distribution(ScoreRow& row, TokenDistribution& out) {
  row.ApplyFloor();
  out.ids.clear();
  out.probs.clear();
  out.ids.reserve(static_cast<size_t>(row.size()));
  out.probs.reserve(static_cast<size_t>(row.size()));
  const auto scores = row.scores();
  const auto probs = row.Softmax();
  for (int64_t i = 0; i < row.size(); ++i) {
    if (scores[i] == kRemoved) continue;
    out.ids.push_back(row.id(i));
    out.probs.push_back(probs[i]);
  }
}

Status CheckFinite(ScoreRow& row) {
  return row.IsFinite() ? Status::Ok() : CheckFinite(row.undivided());
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

int32_t Argmax(ScoreRow& row) { return row.id(row.IndexOfMax()); }

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
  const std::span<const int32_t> ids = distribution.ids;
  FATHOM_CHECK(!ids.empty());
  return ids[Pick(
      distribution.probs, [&](size_t i) { return ids[i]; }, u)];
}

int32_t DrawToken(ScoreRow& row, double u, TokenDistribution& scratch) {
  if (const auto token = DrawByBlocks(row, u)) return *token;
  row.ApplyFloor();
  if (!row.compact()) return static_cast<int32_t>(Pick(row.Softmax(), std::identity(), u));
  Distribution(row, scratch);
  return PickToken(scratch, u);
}

}  // namespace fathom
