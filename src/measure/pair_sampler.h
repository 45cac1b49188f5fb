// Two arms in pairs of neighbouring rounds: the ratios that the statistics are made of.
#pragma once

#include <functional>
#include <random>
#include <vector>

#include "fathom/options.h"
#include "fathom/status.h"
#include "measure/arm_runner.h"
#include "measure/measurement.h"
#include "measure/statistics.h"

namespace fathom {

// One value a pair: off / on in time, so that above 1 is faster with the row on. `load` has fewer
// where loading is dear.
struct PairRatios {
  std::vector<double> prefill, decode, load, tokenize, sampling;
};

// Seconds of one arm, one value a pair.
struct ArmSeconds {
  std::vector<double> prefill, decode, load;
};

struct PairSamples {
  PairRatios ratios;
  ArmSeconds on, off;
  int64_t decode_tokens = 0;   // of each round
  double decode_bytes_on = 0;  // that the arm with the row on must read for a token; 0: not known
};

// A factor for each figure (>= 1).
struct FigureFactors {
  double prefill = 1, decode = 1, load = 1, tokenize = 1, sampling = 1;
};

// The least differences worth telling of, as factors, before anything was measured. Of a small
// model a pair of identical arms is 5 to 10 % apart in decode (where their memory lies, what else
// the machine does) and 3 to 5 % in prefill; the median of the 15 to 25 pairs of a quick
// measurement was seen up to 1.15x and 1.05x from 1, that of a long one to a third of it. Loading,
// the tokenizer and the draw are not what a user waits for, so a difference must be plain before it
// is told.
inline constexpr FigureFactors kQuickLeast = {
    .prefill = 1.10, .decode = 1.15, .load = 1.25, .tokenize = 1.25, .sampling = 1.25};
inline constexpr FigureFactors kLeast = {
    .prefill = 1.05, .decode = 1.05, .load = 1.25, .tokenize = 1.25, .sampling = 1.25};

struct PairPlan {
  RoundWork work;             // decode_tokens: the most; fewer where an arm is slow (recomputation)
  int pairs = 1;              // that the budget should have room for
  double budget_seconds = 1;  // for all of them
  // What is to be decided. Where it is no generation, loading may take most of the time.
  Figures judged;
  uint64_t seed = 0;  // of the order within pairs
};

// A pair is one sample: both arms warmed up, then the same number of the same rounds each, in turn;
// the median of the neighbours' ratios.
//
// Pairs are made in visits, and both arms are loaded anew for each: one pair a visit where loading
// is cheap beside the budget, so that the luck of a load is scatter and not difference; several
// where it is not; all in one where it is dear. Whoever calls Visit does something else between two
// of them, so that a moment of the machine is one sample and not all.
class PairSampler {
 public:
  PairSampler(const ArmFactory& open, EngineOptions on, EngineOptions off, PairPlan plan);

  // Loads both arms, times them, decides how much work a pair is. Fails where an arm fails.
  Status Prepare();
  // `pair_seconds`: about what a pair may cost; it has fewer rounds where that is little. kRunTime
  // where an arm fails. `stop` is asked before each pair (may be empty).
  Status Visit(double pair_seconds, const std::function<bool()>& stop);

  bool may_visit() const { return visits_ > 1 || pairs_ == 0; }
  int pairs() const { return pairs_; }
  int pairs_a_visit() const { return pairs_a_visit_; }
  // What the last one cost.
  double visit_seconds() const { return visit_seconds_; }
  const PairSamples& samples() const { return samples_; }

 private:
  // An arm of the comparison: what it is, how long its work takes, and the runner.
  struct Side {
    EngineOptions options;
    std::unique_ptr<ArmRunner> runner;
    // Calibrated: loading and warming up, a round without its tokens, a token.
    double setup_seconds = 0, prompt_seconds = 0, decode_seconds = 0;
    double last_load = 0;  // 0: not loaded anew for this pair
    // Of the rounds of this pair.
    std::vector<double> prefill, decode, sampling, tokenize;

    void Clear();
    void Keep(const RoundTimes& times);
  };

  Status Open(Side& side);
  Status Calibrate(Side& side);
  void FitToBudget(double seconds);
  double SetupSeconds() const;
  double LoadShare() const;
  std::pair<Side*, Side*> Shuffled();
  Status RunPair();
  void KeepPair();
  void Close();

  const ArmFactory& open_;
  const PairPlan plan_;
  RoundWork work_;
  std::mt19937_64 random_;
  Side on_, off_;
  int visits_ = 1, pairs_a_visit_ = 1, alternations_ = 1;
  int pairs_ = 0;
  double round_seconds_ = 0, visit_seconds_ = 0;
  PairSamples samples_;
};

// By how much each figure's samples are fewer than they seem, of all pairs of a measurement.
FigureFactors InflationOf(std::span<const PairRatios* const> entries);
// What may be told apart: what identical arms (A/A) differed by in the same run, at least `least`.
FigureFactors ResolutionsOf(const PairRatios& identical, const FigureFactors& least,
                            const FigureFactors& inflation);
// The intervals of a row from its samples.
void FillIntervals(const PairRatios& ratios, double alpha, const FigureFactors& inflation,
                   const FigureFactors& resolution, MeasuredRow& row);
// The medians of what loading took, where both arms were loaded.
void FillLoad(const PairSamples& samples, MeasuredRow& row);

// Whether nothing would be learned by more pairs that a user could act on: every judged figure's
// interval excludes 1, or is too narrow about it to hide a difference worth telling of.
bool Decided(const MeasuredRow& row, const FigureFactors& resolution);

}  // namespace fathom
