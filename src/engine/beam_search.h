// BeamSearch: which continuations of a prompt go on, and which finished texts are the best so far.
//
// Mirrors `_beam_search` of transformers' generation/utils.py (5.24) for a batch of one. Of all
// beams' continuations max(2, 1 + eos tokens) * num_beams are looked at, the best or, with
// do_sample, so many drawn without replacement; the best of them that do not end go on, those among
// the best num_beams that end are kept where their score, divided by length ** length_penalty, is
// among the best num_beams. Scores are float32, as there. It knows neither caches nor texts: the
// engine moves those as `running` says.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "fathom/request.h"
#include "sampling/score_row.h"

namespace fathom {

struct BeamSettings {
  int num_beams = 2;
  double length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  int64_t num_eos_tokens = 0;
  int64_t max_new_tokens = 1;
  // do_sample: a uniform draw in [0, 1) of its own for each continuation, named by its beam, its
  // token and the number of tokens before it. Empty: the best continuations are taken.
  std::function<double(int beam, int32_t token, int64_t new_tokens)> draw;
};

class BeamSearch {
 public:
  // Whether a beam that goes on with this token has ended.
  using Ends = std::function<bool(int beam, int32_t token)>;

  struct Beam {
    int source = 0;  // the beam of the step before that it goes on from
    int32_t token = 0;
    float score = 0;  // the sum of its tokens' log-probabilities
    float key = 0;    // what it is chosen by: the score, or a draw
  };
  struct Finished {
    std::vector<int32_t> ids;  // the new ones
    float score = 0;           // divided by the length's power
    bool ended = false;        // false: a place that nothing has taken yet
  };

  explicit BeamSearch(const BeamSettings& settings);

  // Continuations that are looked at in a step. The first step has one beam, so the vocabulary must
  // be as large.
  static int64_t Candidates(int num_beams, int64_t num_eos_tokens);

  // Beams of which this step wants a row: one at first, then num_beams.
  int rows_wanted() const { return static_cast<int>(running_.size()); }
  // The log-probabilities behind one beam; each beam once a step, in any order.
  void AddRow(int beam, ScoreRow& log_probabilities);
  // A beam whose row cannot be had.
  void SkipRow() { ++rows_added_; }
  bool complete() const { return rows_added_ == rows_wanted(); }

  // Ends the step. Afterwards `running` are the num_beams that go on, best first.
  void Advance(const Ends& ends);
  std::span<const Beam> running() const { return running_; }
  bool done() const { return done_; }
  // Best first.
  std::span<const Finished> finished() const { return finished_; }

 private:
  void KeepFinished(std::span<const Beam> best, std::span<const bool> ended);
  bool CanImprove() const;
  std::vector<int32_t> IdsOf(const Beam& beam) const;

  BeamSettings settings_;
  size_t candidates_;
  std::vector<Beam> running_;
  std::vector<std::vector<int32_t>> ids_;  // new ids of each running beam
  std::vector<Beam> best_;                 // of this step's rows so far, no more than candidates_
  int rows_added_ = 0;
  int64_t new_tokens_ = 0;
  std::vector<Finished> finished_;
  bool done_ = false;
};

}  // namespace fathom
