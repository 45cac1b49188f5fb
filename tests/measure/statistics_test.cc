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

TEST(Statistics, WhatIsNearerToOneThanTheResolutionIncludesOne) {
  const RatioInterval near{.median = 1.08, .low = 1.05, .high = 1.11, .rounds = 40};
  EXPECT_FALSE(near.SpansOne());
  EXPECT_EQ(Resolve(near, 1.1), (RatioInterval{1.08, 1, 1.11, 40}));
  EXPECT_EQ(Resolve(near, 1.07), near);
  const RatioInterval slower{.median = 1 / 1.08, .low = 0.9, .high = 0.95, .rounds = 40};
  EXPECT_EQ(Resolve(slower, 1.1), (RatioInterval{1 / 1.08, 0.9, 1, 40}));
  EXPECT_EQ(Resolve({}, 1.1), RatioInterval{});
}

TEST(Statistics, ResolutionIsTheFarEndOfIdenticalArms) {
  EXPECT_EQ(ResolutionOf({}, 1.02), 1.02);
  const std::vector<double> quiet(12, 1.001);
  EXPECT_EQ(ResolutionOf(quiet, 1.02), 1.02);
  std::vector<double> loud;
  for (int i = 1; i <= 12; ++i) loud.push_back(0.7 + 0.05 * i);  // 3rd .. 10th: 0.85 .. 1.2
  EXPECT_NEAR(ResolutionOf(loud, 1.02), 1.2, 1e-12);
  const std::vector<double> three = {0.5, 1, 1.1};
  EXPECT_NEAR(ResolutionOf(three, 1.02), 2, 1e-12);
}

// A walk that forgets: each sample is `memory` of the one before and fresh chance.
std::vector<double> Walk(std::mt19937_64& random, int count, double memory) {
  std::normal_distribution<double> normal;
  std::vector<double> samples;
  double level = normal(random);
  for (int i = 0; i < count; ++i) {
    samples.push_back(std::exp(0.1 * level));
    level = memory * level + std::sqrt(1 - memory * memory) * normal(random);
  }
  return samples;
}

double InflationOfWalks(double memory, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<double>> walks;
  for (int i = 0; i < 18; ++i) walks.push_back(Walk(random, 24, memory));
  const std::vector<std::span<const double>> series(walks.begin(), walks.end());
  return SerialInflation(series);
}

// Neighbours on the same side as a Gaussian walk has them: their signs correlate by
// 2 / pi * asin(memory), 0.39 and 0.72 here, which makes factors of 2.3 and 6.1.
TEST(Statistics, SamplesInARowThatAreAlikeCountAsFewer) {
  double independent = 0, walk = 0, slow = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    independent += InflationOfWalks(0, seed) / 20;
    walk += InflationOfWalks(0.575, seed) / 20;
    slow += InflationOfWalks(0.905, seed) / 20;
  }
  EXPECT_NEAR(independent, 1, 0.03);
  EXPECT_NEAR(walk, 2.1, 0.3);
  EXPECT_GT(slow, 3);
  EXPECT_EQ(SerialInflation({}), 1);
}

TEST(Statistics, InflationWidensTheInterval) {
  std::vector<double> samples;
  for (int i = 1; i <= 40; ++i) samples.push_back(i);
  const RatioInterval plain = MedianInterval(samples, 0.05);
  const RatioInterval fewer = MedianInterval(samples, 0.05, 2);
  // 20 of 40: ranks 6 and 15 of 20, which are 12 and 29 of 40 (outwards).
  EXPECT_EQ(plain.low, 14);
  EXPECT_EQ(fewer.low, 11);
  EXPECT_EQ(fewer.high, 30);
  EXPECT_FALSE(MedianInterval(samples, 0.05, 8).bounded());
}

// Without the correction, identical arms in a slow drift look different far too often.
TEST(Statistics, DriftMissesTheMedianNoMoreOftenThanPromised) {
  std::mt19937_64 random(5);
  int missed = 0, missed_plain = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<std::vector<double>> walks;
    for (int i = 0; i < 10; ++i) walks.push_back(Walk(random, 40, 0.5));
    const std::vector<std::span<const double>> series(walks.begin(), walks.end());
    missed += !MedianInterval(walks[0], 0.05, SerialInflation(series)).SpansOne();
    missed_plain += !MedianInterval(walks[0], 0.05).SpansOne();
  }
  EXPECT_LE(missed, 0.05 * kRuns);
  EXPECT_GT(missed_plain, 0.08 * kRuns);
}

// 2 * (1 + 15 + 105) / 2^15 is below a hundredth, 2 * (1 + 14 + 91) / 2^14 is not.
TEST(Statistics, TheFirstLookOutvotesTwo) {
  EXPECT_EQ(RoundsNeeded(0.01), 8);
  EXPECT_EQ(RoundsNeeded(0.01, 2), 15);
  const Looks looks = PlanLooks(0.01, 3);
  EXPECT_EQ(looks.alpha, 0.01);
  EXPECT_EQ(looks.samples, (std::vector<int>{15, 60, 240}));
  std::vector<double> samples(15, 1.3);
  samples[3] = samples[9] = 0.2;
  EXPECT_EQ(MedianInterval(samples, looks.alpha).low, 1.3);
}

// Looks at growing samples of identical arms, over 20 rows: some row claims something in at most
// 5 % of all runs.
TEST(Statistics, NoRowOfIdenticalArmsClaimsAnything) {
  const Looks looks = PlanLooks(0.05 / (20 * 2), 2);
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
  EXPECT_LE(runs_with_claim, 0.05 * kRuns + 3 * std::sqrt(0.05 * 0.95 * kRuns));
}

}  // namespace
}  // namespace fathom
