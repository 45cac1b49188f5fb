// Two arms in pairs of neighbouring rounds: the ratios that the statistics are made of.
#pragma once

#include <functional>
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
  bool interrupted = false;
};

// Identical arms were seen apart by these factors; those in use before anything was measured are
// the least differences worth telling of.
struct NoiseFactors {
  double prefill = 1.02, decode = 1.02;
  // Not what a user waits for, so a difference must be plain before it is told.
  double load = 1.10, tokenize = 1.25, sampling = 1.25;
};

struct PairPlan {
  RoundWork work;  // decode_tokens: the most; fewer where an arm is slow (recomputation)
  Looks looks;
  NoiseFactors noise;
  double budget_seconds = 1;  // for everything
  // What is to be decided. Where it is no generation, loading may take most of the time.
  Figures judged;
  uint64_t seed = 0;           // of the order within pairs
  std::function<bool()> stop;  // interrupted
  std::function<void(int)> on_round;
};

// A pair is one sample: both arms loaded anew where that is affordable, warmed up, then the same
// number of the same rounds each, in turn; the median of the neighbours' ratios.
//
// Samples until a look shows that every metric is decided (its interval excludes 1, or is narrow
// about it) or the budget is spent; one pair at least. Fails where an arm fails.
Result<PairSamples> SamplePairs(const ArmFactory& open, const EngineOptions& on,
                                const EngineOptions& off, const PairPlan& plan);

// The intervals of a row from its samples.
void FillIntervals(const PairRatios& ratios, double alpha, const NoiseFactors& noise,
                   MeasuredRow& row);

// A/A ratios -> what is to be allowed for.
NoiseFactors NoiseOf(const PairRatios& ratios, const NoiseFactors& least);

}  // namespace fathom
