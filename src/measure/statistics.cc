#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {

bool RatioInterval::bounded() const { return measured() && low > 0 && std::isfinite(high); }

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double BinomialHalfCdf(int n, int k) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  // Terms in logarithms: 2^-n leaves the range of doubles at n = 1075.
  double sum = 0;
  for (int i = 0; i <= k; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) -
                    n * std::log(2.0));
  }
  return std::min(sum, 1.0);
}

int RoundsNeeded(double alpha) {
  int n = 2;
  while (n < 60 && 2 * std::pow(0.5, n) > alpha) ++n;
  return n;
}

RatioInterval MedianInterval(std::span<const double> samples, double alpha) {
  RatioInterval interval;
  interval.rounds = static_cast<int>(samples.size());
  if (samples.empty()) return interval;
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  interval.median = Median(sorted);
  interval.high = std::numeric_limits<double>::infinity();
  const int n = interval.rounds;
  // Rank r (from 0) and its mirror miss the median with probability 2 * P(Binomial <= r).
  int rank = -1;
  while (2 * (rank + 1) < n - 1 && 2 * BinomialHalfCdf(n, rank + 1) <= alpha) ++rank;
  if (rank < 0) return interval;
  interval.low = sorted[rank];
  interval.high = sorted[n - 1 - rank];
  return interval;
}

RatioInterval Widen(RatioInterval interval, double factor) {
  interval.low /= factor;
  interval.high *= factor;
  return interval;
}

double NoiseFactor(std::span<const double> ratios_of_identical_arms, double least) {
  if (ratios_of_identical_arms.empty()) return least;
  RatioInterval interval = MedianInterval(ratios_of_identical_arms, 0.05);
  if (!interval.bounded()) {
    // Too few to bound their median: all that was seen counts.
    const auto [low, high] =
        std::minmax_element(ratios_of_identical_arms.begin(), ratios_of_identical_arms.end());
    interval.low = *low;
    interval.high = *high;
  }
  // Each row's own interval has the scatter of its rounds in it already; what is added is half the
  // way to the far end.
  return std::max(least, std::sqrt(std::max(interval.high, 1 / interval.low)));
}

Looks PlanLooks(double family_alpha, int num_rows, int most) {
  Looks looks;
  most = std::max(most, 1);
  looks.alpha = family_alpha / (std::max(num_rows, 1) * most);
  for (int i = 0, samples = RoundsNeeded(looks.alpha); i < most; ++i, samples *= 2) {
    looks.samples.push_back(samples);
  }
  return looks;
}

}  // namespace fathom
