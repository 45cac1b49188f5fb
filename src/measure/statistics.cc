#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

constexpr double kRounding = 1 + 1e-9;  // of the sums that are compared with a level

}  // namespace

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

int RoundsNeeded(double alpha, int outvoted) {
  int n = 2 * outvoted + 2;
  while (n < 100 && 2 * BinomialHalfCdf(n, outvoted) > alpha * kRounding) ++n;
  return n;
}

RatioInterval MedianInterval(std::span<const double> samples, double alpha, double inflation) {
  RatioInterval interval;
  interval.rounds = static_cast<int>(samples.size());
  if (samples.empty()) return interval;
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  interval.median = Median(sorted);
  interval.high = std::numeric_limits<double>::infinity();
  const int n = interval.rounds;
  const int worth = std::max(static_cast<int>(n / std::max(inflation, 1.0)), 1);
  // Rank r (from 0) of `worth` samples and its mirror miss the median with probability
  // 2 * P(Binomial <= r); the same share of n samples, rounded outwards.
  int rank = -1;
  while (2 * (rank + 1) < worth - 1 && 2 * BinomialHalfCdf(worth, rank + 1) <= alpha * kRounding)
    ++rank;
  if (rank < 0) return interval;
  rank = (rank + 1) * (n + 1) / (worth + 1) - 1;
  interval.low = sorted[rank];
  interval.high = sorted[n - 1 - rank];
  return interval;
}

double SerialInflation(std::span<const std::span<const double>> series) {
  constexpr double kMost = 8;
  double sum = 0;
  int count = 0;
  for (const std::span<const double> samples : series) {
    if (samples.size() < 3) continue;
    const double median = Median({samples.begin(), samples.end()});
    const auto side = [&](double value) { return (value > median) - (value < median); };
    for (size_t i = 1; i < samples.size(); ++i) {
      sum += side(samples[i - 1]) * side(samples[i]);
    }
    // That the median is their own makes neighbours differ by a little more than by chance.
    sum += 1;
    count += static_cast<int>(samples.size()) - 1;
  }
  if (count == 0) return 1;
  const double correlation = sum / count - 1 / std::sqrt(count);
  return correlation <= 0 ? 1 : std::min((1 + correlation) / (1 - correlation), kMost);
}

RatioInterval Resolve(RatioInterval interval, double resolution) {
  if (!interval.measured() || std::abs(std::log(interval.median)) > std::log(resolution)) {
    return interval;
  }
  interval.low = std::min(interval.low, 1.0);
  interval.high = std::max(interval.high, 1.0);
  return interval;
}

double ResolutionOf(std::span<const double> ratios_of_identical_arms, double least,
                    double inflation) {
  if (ratios_of_identical_arms.empty()) return least;
  RatioInterval interval = MedianInterval(ratios_of_identical_arms, 0.05, inflation);
  if (!interval.bounded()) {
    // Too few to bound their median: all that was seen counts.
    const auto [low, high] =
        std::minmax_element(ratios_of_identical_arms.begin(), ratios_of_identical_arms.end());
    interval.low = *low;
    interval.high = *high;
  }
  return std::max({least, interval.high, 1 / interval.low});
}

Looks PlanLooks(double alpha, int most) {
  Looks looks{.alpha = alpha};
  for (int i = 0, samples = RoundsNeeded(alpha, 2); i < std::max(most, 1); ++i, samples *= 4) {
    looks.samples.push_back(samples);
  }
  return looks;
}

}  // namespace fathom
