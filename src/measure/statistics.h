// Statistics of a measurement: medians of ratios with intervals that assume no distribution.
//
// Times on a shared machine are skewed and have heavy tails, so nothing here assumes a bell curve.
// The interval of a median are two order statistics: of n independent samples, the median of their
// distribution lies between the k-th smallest and the k-th largest unless fewer than k fell on one
// side of it, which a fair coin does with probability 2 * P(Binomial(n, 1/2) < k). (W. R. Thompson,
// Annals of Mathematical Statistics 7, 1936; it is the sign test turned round.) Neighbouring
// samples that fall on the same side more often than a fair coin does count as fewer
// (SerialInflation).
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

// Fewest samples of which smallest and largest, without the `outvoted` farthest on either side,
// enclose the median with probability >= 1 - alpha.
int RoundsNeeded(double alpha, int outvoted = 0);

// The median of `samples` (all > 0) and its interval at level 1 - alpha: the narrowest pair of
// order statistics, symmetric in rank, that covers at least so much. `inflation` samples (>= 1) are
// worth one independent one.
RatioInterval MedianInterval(std::span<const double> samples, double alpha, double inflation = 1);

// By how much samples in a row are alike, as the factor by which it makes the variance of "how many
// fell on one side of the median" larger: (1 + r) / (1 - r) for the correlation r of neighbours'
// sides, pooled over all `series` (each in order of time), since a few dozen samples of one row say
// little about it. 1 where r is within a standard error of none.
double SerialInflation(std::span<const std::span<const double>> series);

// An interval that may tell of `resolution` (>= 1) or more: where the median is nearer to 1 than
// that, 1 belongs to the interval. Identical arms differ by so much, or nobody would care.
RatioInterval Resolve(RatioInterval interval, double resolution);

// How far identical arms (A/A) were seen apart, as a factor >= `least`: the farther end of the 95 %
// interval of their median ratio.
double ResolutionOf(std::span<const double> ratios_of_identical_arms, double least,
                    double inflation = 1);

// When to look at the samples. Looking often and stopping at the first favourable sight finds
// effects where there are none, so the looks are few and fixed in advance.
struct Looks {
  double alpha = 0.05;       // of one interval
  std::vector<int> samples;  // ascending: after so many rounds
};

// The first look comes when two disturbed samples are outvoted, each further one after four times
// as many; `most` of them.
Looks PlanLooks(double alpha, int most);

}  // namespace fathom
