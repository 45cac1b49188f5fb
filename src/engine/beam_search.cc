#include "engine/beam_search.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/check.h"

namespace fathom {

namespace {

// What transformers adds to the score of what must not be chosen.
constexpr float kNever = -1e9f;

// Best first; of equal ones the lower beam, then the lower token.
bool Better(const BeamSearch::Beam& a, const BeamSearch::Beam& b) {
  if (a.key != b.key) return a.key > b.key;
  return std::pair(a.source, a.token) < std::pair(b.source, b.token);
}

bool HigherScore(const BeamSearch::Beam& a, const BeamSearch::Beam& b) { return a.score > b.score; }

// The largest of score + noise, the next largest ... are draws without replacement from
// softmax(scores) (Gumbel-max; Kool et al. 2019).
float GumbelNoise(double uniform) {
  return static_cast<float>(-std::log(-std::log(uniform + 0x1p-54)));
}

}  // namespace

BeamSearch::BeamSearch(const BeamSettings& settings)
    : settings_(settings),
      candidates_(static_cast<size_t>(Candidates(settings.num_beams, settings.num_eos_tokens))),
      running_(1),
      ids_(1),
      finished_(static_cast<size_t>(settings.num_beams), Finished{{}, kNever, false}) {}

int64_t BeamSearch::Candidates(int num_beams, int64_t num_eos_tokens) {
  return std::max<int64_t>(2, 1 + num_eos_tokens) * num_beams;
}

// A heap whose front is the worst of the best: most entries of a row cost one comparison.
void BeamSearch::AddRow(int beam, ScoreRow& log_probabilities) {
  FATHOM_CHECK(beam >= 0 && beam < rows_wanted() && !complete());
  const float before = running_[static_cast<size_t>(beam)].score;
  const std::span<const float> scores = log_probabilities.scores();
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == kRemoved) continue;
    const float score = scores[i] + before;
    Beam next{beam, log_probabilities.id(static_cast<int64_t>(i)), score, score};
    if (settings_.draw) next.key += GumbelNoise(settings_.draw(beam, next.token, new_tokens_));
    if (best_.size() == candidates_) {
      if (!Better(next, best_.front())) continue;
      std::ranges::pop_heap(best_, Better);
      best_.pop_back();
    }
    best_.push_back(next);
    std::ranges::push_heap(best_, Better);
  }
  ++rows_added_;
}

std::vector<int32_t> BeamSearch::IdsOf(const Beam& beam) const {
  std::vector<int32_t> ids = ids_[static_cast<size_t>(beam.source)];
  ids.push_back(beam.token);
  return ids;
}

// _update_finished_beams. What has not ended takes part with a score that loses to all that has.
void BeamSearch::KeepFinished(std::span<const Beam> best, std::span<const bool> ended) {
  const auto length = static_cast<double>(new_tokens_);
  const auto power = static_cast<float>(std::pow(length, settings_.length_penalty));
  const auto beams = static_cast<size_t>(settings_.num_beams);
  for (size_t i = 0; i < std::min(beams, best.size()); ++i) {
    if (ended[i]) finished_.push_back({IdsOf(best[i]), best[i].score / power, true});
  }
  std::ranges::stable_sort(finished_,
                           [](const Finished& a, const Finished& b) { return a.score > b.score; });
  finished_.resize(beams);
}

// _check_early_stop_heuristic.
bool BeamSearch::CanImprove() const {
  const bool longest =
      settings_.early_stopping == EarlyStopping::kNever && settings_.length_penalty > 0;
  const auto length = static_cast<double>(longest ? settings_.max_new_tokens : new_tokens_);
  const float best =
      running_[0].score / static_cast<float>(std::pow(length, settings_.length_penalty));
  const bool full = std::ranges::all_of(finished_, &Finished::ended);
  return !full || best > finished_.back().score;
}

void BeamSearch::Advance(const Ends& ends) {
  FATHOM_CHECK(complete() && !done_ && !best_.empty());
  std::ranges::sort(best_, Better);
  if (settings_.draw) std::ranges::stable_sort(best_, HigherScore);
  const size_t count = best_.size();
  const auto ended = std::make_unique<bool[]>(count);
  for (size_t i = 0; i < count; ++i) ended[i] = ends(best_[i].source, best_[i].token);
  ++new_tokens_;
  KeepFinished(best_, {ended.get(), count});
  // _get_running_beams_for_next_iteration.
  std::vector<Beam> next = best_;
  for (size_t i = 0; i < count; ++i) next[i].score += ended[i] ? kNever : 0;
  std::ranges::stable_sort(next, HigherScore);
  // Where fewer are left, the others double the best and lose to all.
  Beam spare = next[0];
  spare.score = kNever;
  next.resize(static_cast<size_t>(settings_.num_beams), spare);
  std::vector<std::vector<int32_t>> ids;
  ids.reserve(next.size());
  for (const Beam& beam : next) ids.push_back(IdsOf(beam));
  running_ = std::move(next);
  ids_ = std::move(ids);
  best_.clear();
  rows_added_ = 0;
  const bool all_ended = std::all_of(ended.get(), ended.get() + count, std::identity());
  const bool full = settings_.early_stopping == EarlyStopping::kTrue &&
                    std::ranges::all_of(finished_, &Finished::ended);
  done_ = all_ended || full || !CanImprove();
}

}  // namespace fathom
