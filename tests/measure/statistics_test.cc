#include "measure/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace fathom {
namespace {

// Sums of binomial coefficients over 2^n, by hand.
TEST(Statistics, BinomialOfAFairCoin) {
  EXPECT_EQ(BinomialHalfCdf(5, -1), 0);
  EXPECT_DOUBLE_EQ(BinomialHalfCdf(5, 5), 1);
  EXPECT_NEAR(BinomialHalfCdf(5, 0), 1.0 / 32, 1e-12);
  EXPECT_NEAR(BinomialHalfCdf(6, 1), 7.0 / 64, 1e-12);
  EXPECT_NEAR(BinomialHalfCdf(12, 2), 79.0 / 4096, 1e-12);  // 1 + 12 + 66
  EXPECT_NEAR(BinomialHalfCdf(20, 5), 21700.0 / 1048576, 1e-12);
  EXPECT_NEAR(BinomialHalfCdf(2000, 999), 0.5 * (1 - 0.01783901114585), 1e-9);
}

TEST(Statistics, MedianOfFew) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({4, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
}

// The ranks of the textbook table of 95 % intervals of a median (from 1): n = 6: 1, 6; 8: 1, 8;
// 9: 2, 8; 10: 2, 9; 12: 3, 10; 15: 4, 12; 20: 6, 15; 25: 8, 18; 50: 18, 33; 100: 40, 61.
TEST(Statistics, RanksOfTheTable) {
  const int table[][3] = {{6, 1, 6},   {8, 1, 8},   {9, 2, 8},   {10, 2, 9},   {12, 3, 10},
                          {15, 4, 12}, {20, 6, 15}, {25, 8, 18}, {50, 18, 33}, {100, 40, 61}};
  for (const auto& [n, low, high] : table) {
    std::vector<double> samples;
    for (int i = n; i >= 1; --i) samples.push_back(i);
    const RatioInterval interval = MedianInterval(samples, 0.05);
    EXPECT_EQ(interval.low, low) << n;
    EXPECT_EQ(interval.high, high) << n;
    EXPECT_EQ(interval.rounds, n);
    EXPECT_DOUBLE_EQ(interval.median, (n + 1) / 2.0);
  }
}

TEST(Statistics, TooFewSamplesBoundNothing) {
  const std::vector<double> five = {1.4, 1.5, 1.6, 1.5, 1.4};
  const RatioInterval interval = MedianInterval(five, 0.05);
  EXPECT_FALSE(interval.bounded());
  EXPECT_TRUE(interval.SpansOne());
  EXPECT_DOUBLE_EQ(interval.median, 1.5);
  EXPECT_FALSE(MedianInterval({}, 0.05).measured());
  EXPECT_EQ(RoundsNeeded(0.05), 6);
  EXPECT_EQ(RoundsNeeded(0.001), 11);
  EXPECT_EQ(RoundsNeeded(2 * std::pow(0.5, 12)), 12);
}

// What the interval promises: it misses the median in at most alpha of all runs, whatever the
// distribution. Lognormal with a fat tail, its median 1.
TEST(Statistics, CoversTheMedianOfASkewedDistribution) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  int missed = 0;
  constexpr int kRuns = 4000;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> samples;
    for (int i = 0; i < 15; ++i) {
      const double spread = uniform(random) < 0.1 ? 2.0 : 0.2;
      samples.push_back(std::exp(spread * normal(random)));
    }
    missed += !MedianInterval(samples, 0.05).SpansOne();
  }
  EXPECT_LT(missed, 0.05 * kRuns);
  EXPECT_GT(missed, 0.01 * kRuns) << "much wider than it need be";
}

TEST(Statistics, WidenedByNoise) {
  RatioInterval interval{.median = 1.03, .low = 1.01, .high = 1.05, .rounds = 12};
  EXPECT_FALSE(interval.SpansOne());
  interval = Widen(interval, 1.02);
  EXPECT_TRUE(interval.SpansOne());
  EXPECT_NEAR(interval.low, 1.01 / 1.02, 1e-12);
  EXPECT_NEAR(interval.high, 1.05 * 1.02, 1e-12);
}

TEST(Statistics, NoiseIsTheFarEndOfIdenticalArms) {
  EXPECT_EQ(NoiseFactor({}, 1.02), 1.02);
  const std::vector<double> quiet(12, 1.001);
  EXPECT_EQ(NoiseFactor(quiet, 1.02), 1.02);
  std::vector<double> loud;
  for (int i = 1; i <= 12; ++i) loud.push_back(0.7 + 0.05 * i);  // 3rd .. 10th: 0.85 .. 1.2
  EXPECT_NEAR(NoiseFactor(loud, 1.02), std::sqrt(1.2), 1e-12);
  const std::vector<double> three = {0.5, 1, 1.1};
  EXPECT_NEAR(NoiseFactor(three, 1.02), std::sqrt(2), 1e-12);
}

TEST(Statistics, LooksShareTheError) {
  const Looks looks = PlanLooks(0.05, 16, 3);
  EXPECT_DOUBLE_EQ(looks.alpha, 0.05 / 48);
  ASSERT_EQ(looks.samples.size(), 3u);
  EXPECT_EQ(looks.samples[0], RoundsNeeded(looks.alpha));
  EXPECT_EQ(looks.samples[2], 4 * looks.samples[0]);
}

// Looks at growing samples of identical arms, over 20 rows: some row claims something in at most
// 5 % of all runs.
TEST(Statistics, NoRowOfIdenticalArmsClaimsAnything) {
  const Looks looks = PlanLooks(0.05, 20, 3);
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  int runs_with_claim = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    bool claimed = false;
    for (int row = 0; row < 20; ++row) {
      std::vector<double> samples;
      for (const int count : looks.samples) {
        while (static_cast<int>(samples.size()) < count) {
          samples.push_back(std::exp(0.3 * normal(random)));
        }
        claimed = claimed || !MedianInterval(samples, looks.alpha).SpansOne();
      }
    }
    runs_with_claim += claimed;
  }
  EXPECT_LE(runs_with_claim, 0.05 * kRuns);
}

}  // namespace
}  // namespace fathom
