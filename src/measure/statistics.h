// Statistics of a measurement: medians of ratios with intervals that assume no distribution.
//
// Times on a shared machine are skewed and have heavy tails, so nothing here assumes a bell curve.
// The interval of a median are two order statistics: of n independent samples, the median of their
// distribution lies between the k-th smallest and the k-th largest unless fewer than k fell on one
// side of it, which a fair coin does with probability 2 * P(Binomial(n, 1/2) < k). (W. R. Thompson,
// Annals of Mathematical Statistics 7, 1936; it is the sign test turned round.)
#pragma once

#include <span>
#include <vector>

namespace fathom {

// A median and the interval it lies in. rounds < RoundsNeeded: there is no interval (low 0, high
// infinity), as so few samples bound nothing at the level.
struct RatioInterval {
  double median = 0;
  double low = 0;
  double high = 0;
  int rounds = 0;  // 0: not measured

  bool measured() const { return rounds > 0; }
  bool bounded() const;  // low > 0 and high finite
  bool SpansOne() const { return !measured() || !(low > 1 || high < 1); }
  friend bool operator==(const RatioInterval&, const RatioInterval&) = default;
};

// 0 for no values; the mean of the middle two where they are even in number.
double Median(std::vector<double> values);

// P(Binomial(n, 1/2) <= k); 0 for k < 0.
double BinomialHalfCdf(int n, int k);

// Fewest samples of which smallest and largest enclose the median with probability >= 1 - alpha.
int RoundsNeeded(double alpha);

// The median of `samples` (all > 0) and its interval at level 1 - alpha: the narrowest pair of
// order statistics, symmetric in rank, that covers at least so much.
RatioInterval MedianInterval(std::span<const double> samples, double alpha);

// The interval opened by a factor on both sides (>= 1): what identical arms differ by.
RatioInterval Widen(RatioInterval interval, double factor);

// How far identical arms (A/A) were seen apart, as a factor >= `least`: in logarithms, half the way
// from 1 to the farther end of the 95 % interval of their median ratio.
double NoiseFactor(std::span<const double> ratios_of_identical_arms, double least);

// When to look at the samples. Looking often and stopping at the first favourable sight finds
// effects where there are none, so the looks are few, fixed in advance, and share the error between
// them (Bonferroni over looks and rows).
struct Looks {
  double alpha = 0.05;       // of one look at one row
  std::vector<int> samples;  // ascending: after so many rounds
};

// `family_alpha` for `num_rows` rows together. The first look comes as soon as there is an
// interval, each further one after twice as many rounds, at most `most` of them.
Looks PlanLooks(double family_alpha, int num_rows, int most);

}  // namespace fathom
