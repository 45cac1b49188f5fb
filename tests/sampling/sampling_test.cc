#include "fathom/sampling.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>

#include "sampling/kernels/row_kernels.h"
#include "sampling/philox.h"
#include "sampling/processor.h"
#include "sampling/sampler.h"
#include "sampling/select.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> RandomLogits(std::mt19937& random, int size, bool with_ties, bool with_removed) {
  std::normal_distribution<float> normal(0, std::uniform_real_distribution<float>(0.1f, 8)(random));
  std::vector<float> logits(size);
  for (float& logit : logits) {
    logit = normal(random);
    if (with_ties) logit = std::round(logit);
    if (with_removed && random() % 5 == 0) logit = kRemoved;
  }
  logits[random() % size] = 1;  // one is always left
  return logits;
}

SamplingParams RandomParams(std::mt19937& random) {
  const auto unit = [&] { return std::uniform_real_distribution<double>(0.001, 0.999)(random); };
  const auto maybe = [&] { return random() % 3 == 0; };
  SamplingParams params;
  params.do_sample = true;
  params.top_k = maybe() ? 1 + static_cast<int64_t>(random() % 80) : 0;
  if (maybe()) params.temperature = 0.2 + 2 * unit();
  if (maybe()) params.top_p = unit();
  if (maybe()) params.min_p = unit() * 0.3;
  if (maybe()) params.typical_p = unit();
  if (maybe()) params.epsilon_cutoff = unit() * 0.05;
  if (maybe()) params.eta_cutoff = unit() * 0.05;
  if (random() % 6 == 0) params.top_h = unit();
  if (maybe()) params.renormalize_logits = true;
  if (maybe()) params.repetition_penalty = 0.5 + unit();
  return params;
}

TEST(Sampling, BothArmsKeepTheSameTokensWithTheSameProbabilities) {
  std::mt19937 random(7);
  const std::vector<int32_t> ids = {1, 2, 3, 2};
  size_t selective = 0;
  for (int round = 0; round < 3000; ++round) {
    const int size = 1 + static_cast<int>(random() % 400) + 5;
    const auto logits = RandomLogits(random, size, round % 3 == 0, round % 4 == 1);
    const SamplingParams params = RandomParams(random);
    const auto partial = ComputeDistribution(logits, params, ids, 2, SamplingArm::kPartial);
    const auto sorted = ComputeDistribution(logits, params, ids, 2, SamplingArm::kFullSort);
    ASSERT_TRUE(partial.ok()) << partial.status().message();
    ASSERT_TRUE(sorted.ok()) << sorted.status().message();
    ASSERT_EQ(partial->ids, sorted->ids) << "round " << round;
    ASSERT_EQ(partial->probs, sorted->probs) << "round " << round;
    selective += partial->ids.size() < logits.size();
  }
  EXPECT_GT(selective, 1500u);
}

TEST(Sampling, ProcessorsRunInTheOrderOfGenerate) {
  std::vector<std::string> names;
  for (const LogitsProcessor* processor : OrderedLogitsProcessors()) {
    names.emplace_back(processor->name);
  }
  EXPECT_THAT(
      names,
      ElementsAre("sequence_bias", "encoder_repetition_penalty", "repetition_penalty",
                  "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
                  "min_length", "min_new_tokens", "forced_bos_token_id", "forced_eos_token_id",
                  "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
                  "begin_suppress_tokens", "temperature", "top_h", "top_k", "top_p", "min_p",
                  "typical_p", "epsilon_cutoff", "eta_cutoff", "renormalize_logits"));
}

TEST(Sampling, GreedyRunsNoWarper) {
  SamplingParams params;
  params.temperature = 0.5;
  params.top_p = 0.1;
  EXPECT_TRUE(ActiveProcessors(params).empty());
  params.do_sample = true;
  EXPECT_EQ(ActiveProcessors(params).size(), 3u);  // top_k is 50 by default
}

TEST(Sampling, LogitsThatAreNoNumbersFail) {
  std::vector<float> logits = {1, 2, 3, 4};
  SamplingParams params;
  EXPECT_TRUE(CheckFinite(logits).ok());
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    logits[2] = bad;
    const Status status = CheckFinite(logits);
    EXPECT_EQ(status.code(), StatusCode::kRunTime);
    EXPECT_THAT(status.message(), HasSubstr("token 2"));
    EXPECT_EQ(ComputeDistribution(logits, params, {}, 0).status().code(), StatusCode::kRunTime);
    params.do_sample = true;
    EXPECT_EQ(ComputeDistribution(logits, params, {}, 0).status().code(), StatusCode::kRunTime);
    params.remove_invalid_values = true;
    EXPECT_TRUE(ComputeDistribution(logits, params, {}, 0).ok());
    params = {};
  }
  logits.assign(4, kRemoved);
  EXPECT_THAT(ComputeDistribution(logits, params, {}, 0).status().message(),
              HasSubstr("no token is left"));
}

TEST(Sampling, FiniteCheckFindsEveryPlace) {
  for (const size_t size : {1, 15, 16, 17, 100}) {
    for (size_t place = 0; place < size; ++place) {
      std::vector<float> logits(size, 3e38f);
      EXPECT_TRUE(CheckFinite(logits).ok());
      logits[place] = kRemoved;
      EXPECT_FALSE(CheckFinite(logits).ok());
    }
  }
}

TEST(Sampling, ArgmaxTakesTheLowestIdOfTheGreatest) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    const auto logits = RandomLogits(random, 1 + random() % 70, true, true);
    ScoreRow row;
    row.Assign(logits);
    const auto expected = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(Argmax(std::span<const float>(logits)), expected);
    EXPECT_EQ(Argmax(row), expected);
  }
}

TEST(Sampling, RefusesWhatTransformersRefuses) {
  const auto code = [](auto set) {
    SamplingParams params;
    params.do_sample = true;
    set(params);
    return ValidateSampling(params, 10).code();
  };
  const double nan = std::nan("");
  EXPECT_EQ(code([](auto&) {}), StatusCode::kOk);
  EXPECT_EQ(code([](auto& p) { p.temperature = 2; }), StatusCode::kOk);
  for (const double bad : {0.0, -1.0, nan, std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(code([&](auto& p) { p.temperature = bad; }), StatusCode::kUsage) << bad;
    EXPECT_EQ(code([&](auto& p) { p.repetition_penalty = bad; }), StatusCode::kUsage) << bad;
  }
  EXPECT_EQ(code([](auto& p) { p.temperature = 0, p.do_sample = false; }), StatusCode::kOk);
  EXPECT_EQ(code([](auto& p) { p.top_k = -1; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.top_p = -0.1; }), StatusCode::kUsage);
  EXPECT_EQ(code([&](auto& p) { p.top_p = nan; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.min_p = 1.5; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.typical_p = 0; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.top_h = 0.0; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.bad_words_ids = {{10}}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.bad_words_ids = {{}}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.sequence_bias = {{{-1}, 1.0f}}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.forced_bos_token_id = 10; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.forced_eos_token_id = {3, 12}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& p) { p.suppress_tokens = {12}; }), StatusCode::kOk);
}

// Known answers of Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Draws, AreUniformAndDependOnEveryArgument) {
  EXPECT_EQ(UniformDraw(1, 2, 3), UniformDraw(1, 2, 3));
  EXPECT_NE(UniformDraw(1, 2, 3), UniformDraw(2, 2, 3));
  EXPECT_NE(UniformDraw(1, 2, 3), UniformDraw(1, 3, 3));
  EXPECT_NE(UniformDraw(1, 2, 3), UniformDraw(1, 2, 4));
  EXPECT_NE(UniformDraw(1, 2, 3), UniformDraw(1 + (uint64_t{1} << 32), 2, 3));
  constexpr int kDraws = 100000;
  std::array<int, 20> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const double u = UniformDraw(42, i % 7, i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++counts[static_cast<int>(u * 20)];
  }
  double chi_squared = 0;
  for (const int count : counts) {
    chi_squared += std::pow(count - kDraws / 20.0, 2) / (kDraws / 20.0);
  }
  EXPECT_LT(chi_squared, 43.8);  // 19 degrees of freedom, p = 0.001
}

TEST(Draws, PickFollowsTheDistribution) {
  const TokenDistribution distribution{{3, 8, 20, 21}, {0.5f, 0.0f, 0.125f, 0.375f}};
  EXPECT_EQ(PickToken(distribution, 0), 3);
  EXPECT_EQ(PickToken(distribution, 0.49999), 3);
  EXPECT_EQ(PickToken(distribution, 0.5), 20);
  EXPECT_EQ(PickToken(distribution, 0.625), 21);
  EXPECT_EQ(PickToken(distribution, 1 - 0x1p-53), 21);
  std::map<int32_t, int> counts;
  for (int i = 0; i < 40000; ++i) ++counts[PickToken(distribution, UniformDraw(9, 0, i))];
  EXPECT_EQ(counts.count(8), 0u);
  EXPECT_NEAR(counts[3], 20000, 500);
  EXPECT_NEAR(counts[20], 5000, 350);
}

TEST(Select, FindsTheBoundaryOfASortedSum) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> keys(1 + random() % 200);
    std::vector<uint64_t> weights(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      keys[i] = round % 2 ? random() : random() % 16 << 24;
      weights[i] = random() % 3 == 0 ? 0 : random() % 1000;
    }
    const uint64_t limit = random() % (keys.size() * 400);
    const auto crosses = [&](uint64_t weight) { return weight > limit; };
    std::map<uint32_t, uint64_t> sums;
    for (size_t i = 0; i < keys.size(); ++i) sums[keys[i]] += weights[i];
    Boundary expected;
    uint64_t sum = 0;
    for (const auto& [key, weight] : sums) {
      expected = {false, key, sum};
      sum += weight;
      expected.found = crosses(sum);
      if (expected.found) break;
    }
    const Boundary boundary = SelectBoundary(
        std::span<const uint32_t>(keys), [&](size_t i) { return weights[i]; }, crosses);
    EXPECT_EQ(boundary.key, expected.key);
    EXPECT_EQ(boundary.found, expected.found);
    EXPECT_EQ(boundary.weight_before, expected.weight_before);
  }
}

TEST(ScoreRow, ExponentialIsWithinTwoUlp) {
  for (double x = -110; x <= 0; x += 0.00371) {
    const auto argument = static_cast<float>(x);
    const double exact = std::exp(static_cast<double>(argument));
    const double ulp = std::max(exact * 0x1p-23, 0x1p-149);
    EXPECT_LE(std::abs(ExpNegative(argument) - exact), 2 * ulp) << x;
  }
  EXPECT_EQ(ExpNegative(0), 1);
  EXPECT_EQ(ExpNegative(kRemoved), 0);
  EXPECT_TRUE(std::isnan(ExpNegative(std::nanf(""))));
}

// --- the vector passes ---

std::vector<const RowKernels*> AllKernels() {
  std::vector<const RowKernels*> all;
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kNeon}) {
    const RowKernels* kernels = &RowKernelsFor(HostCpuFeatures() & FeaturesOfLevel(isa));
    if (std::ranges::find(all, kernels) == all.end()) all.push_back(kernels);
  }
  return all;
}

enum class Rows {
  kNormal,
  kTies,
  kConstant,
  kAscending,
  kDescending,
  kRemoved,
  kHuge,
  kPeaked,
  kFlat,
  kTwoTies
};
constexpr Rows kAllRows[] = {Rows::kNormal,     Rows::kTies,    Rows::kConstant, Rows::kAscending,
                             Rows::kDescending, Rows::kRemoved, Rows::kHuge,     Rows::kPeaked,
                             Rows::kFlat,       Rows::kTwoTies};

std::vector<float> MakeRow(Rows kind, size_t size, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> row(size);
  for (size_t i = 0; i < size; ++i) {
    float& x = row[i];
    x = normal(random);
    switch (kind) {
      case Rows::kNormal:
        break;
      case Rows::kTies:  // as bfloat16 logits have them
        x = std::round(x * 4) / 4;
        break;
      case Rows::kConstant:
        x = -2.5f;
        break;
      case Rows::kAscending:
        x = static_cast<float>(i) * 1e-3f;
        break;
      case Rows::kDescending:
        x = static_cast<float>(i) * -1e-3f;
        break;
      case Rows::kRemoved:
        if (random() % 3 != 0) x = kRemoved;
        break;
      case Rows::kHuge:  // neighbours in float32 whose quotients are equal, and overflow of exp
        x = 1e6f + static_cast<float>(random() % 64) / 16;
        break;
      case Rows::kFlat:
        x /= 30;
        break;
      case Rows::kTwoTies:
        x = x > 3 ? 1.5f : 0.25f;
        break;
      case Rows::kPeaked:
        if (random() % 5000 == 0) x += 25;
        break;
    }
  }
  if (kind == Rows::kRemoved) row[random() % size] = 1;
  return row;
}

TEST(RowKernels, EveryTargetGivesTheBitsOfThePlainLoops) {
  std::mt19937 random(5);
  for (const RowKernels* kernels : AllKernels()) {
    SCOPED_TRACE(kernels->isa);
    for (const size_t size : {1u, 15u, 16u, 17u, 511u, 512u, 513u, 5000u}) {
      for (const Rows kind : kAllRows) {
        const auto x = MakeRow(kind, size, random);
        std::vector<float> maxima(MaximaOf(size));
        float max = 0;
        const bool finite = kernels->scan(x.data(), size, maxima.data(), &max);
        EXPECT_EQ(finite, std::ranges::all_of(x, [](float v) { return std::isfinite(v); }));
        std::vector<float> expected(maxima.size(), kRemoved);
        for (size_t i = 0; i < size; ++i) {
          float& best = expected[i / kBlockEntries * kColumns + i % kColumns];
          best = std::max(best, x[i]);
        }
        EXPECT_EQ(maxima, expected);
        EXPECT_EQ(max, MaxOf(x));
        const float threshold = x[random() % size];
        std::vector<int32_t> ids(size + kCollectSlack), wanted;
        std::vector<float> values(size + kCollectSlack);
        const size_t found =
            kernels->collect(x.data(), size, maxima.data(), threshold, ids.data(), values.data());
        for (size_t i = 0; i < size; ++i) {
          if (x[i] >= threshold) wanted.push_back(static_cast<int32_t>(i));
        }
        ids.resize(found);
        EXPECT_EQ(ids, wanted);
        for (size_t i = 0; i < found; ++i) EXPECT_EQ(values[i], x[ids[i]]);
        EXPECT_EQ(kernels->count_at_least(x.data(), size, threshold), found);
        for (const float divisor : {1.0f, 0.7f}) {
          const float best = MaxOf(x) / divisor;
          std::vector<float> e(size);
          std::array<double, kColumns> columns, plain = {};
          kernels->exponentials(x.data(), size, divisor, best, e.data(), columns.data());
          for (size_t i = 0; i < size; ++i) {
            const float one = ExpNegative(x[i] / divisor - best);
            ASSERT_EQ(e[i], one) << x[i];
            plain[i % kColumns] += one;
          }
          EXPECT_EQ(columns, plain);
        }
      }
    }
  }
}

TEST(RowKernels, TheExponentialIsTheSameEverywhere) {
  std::vector<float> x;
  for (double value = -110; value <= 0; value += 0.000371) x.push_back(static_cast<float>(value));
  x.push_back(kRemoved);
  std::vector<float> e(x.size());
  std::array<double, kColumns> columns;
  for (const RowKernels* kernels : AllKernels()) {
    kernels->exponentials(x.data(), x.size(), 1, 0, e.data(), columns.data());
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(e[i], ExpNegative(x[i])) << x[i];
  }
}

// kWeightError stands for this and for two roundings of a sum of four.
TEST(RowKernels, EstimatesAreNearTheExactExponentials) {
  std::vector<float> x;
  for (uint32_t bits = 0x80000000u; bits < 0xC2AC0000u; bits += 4999) {  // -0 to -86
    x.push_back(std::bit_cast<float>(bits));
  }
  std::vector<float> e(x.size());
  for (const RowKernels* kernels : AllKernels()) {
    kernels->estimate(x.data(), x.size(), 1, 0, e.data());
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(e[i] / double{ExpNegative(x[i])} - 1));
    }
    EXPECT_LE(worst, kWeightError - 2 * 6.0e-8) << kernels->isa;
    EXPECT_GT(worst, 0) << kernels->isa;
  }
}

TEST(RowKernels, WeightsAreTheSumsOfExponentials) {
  std::mt19937 random(31);
  for (const RowKernels* kernels : AllKernels()) {
    SCOPED_TRACE(kernels->isa);
    for (const size_t size : {1u, 17u, 511u, 512u, 600u, 5000u}) {
      for (const Rows kind : kAllRows) {
        const auto x = MakeRow(kind, size, random);
        float low = x[random() % size], high = x[random() % size];
        if (low > high) std::swap(low, high);
        for (const float divisor : {1.0f, 0.7f}) {
          const float best = MaxOf(x) / divisor;
          std::vector<int32_t> ids(size + kCollectSlack), wanted;
          std::vector<uint32_t> ends(BlocksOf(size));
          std::vector<double> weights(BlocksOf(size));
          const double below = kernels->weigh(x.data(), size, divisor, best, low, high, ids.data(),
                                              ends.data(), weights.data());
          std::vector<double> plain(weights.size());
          double plain_below = 0;
          for (size_t i = 0; i < size; ++i) {
            const double e = ExpNegative(x[i] / divisor - best);
            (x[i] >= high ? plain[i / kBlockEntries] : plain_below) += e;
            if (x[i] >= low && x[i] < high) wanted.push_back(static_cast<int32_t>(i));
            if (i % kBlockEntries == kBlockEntries - 1 || i + 1 == size) {
              EXPECT_EQ(ends[i / kBlockEntries], wanted.size());
            }
          }
          ids.resize(ends.back());
          EXPECT_EQ(ids, wanted);
          EXPECT_NEAR(below, plain_below, plain_below * kWeightError + 1e-30);
          for (size_t block = 0; block < plain.size(); ++block) {
            EXPECT_NEAR(weights[block], plain[block], plain[block] * kWeightError + 1e-30);
          }
          std::vector<float> e(size);
          kernels->exponentials(x.data(), size, divisor, best, e.data(),
                                std::array<double, kColumns>().data());
          double reaching = 0;
          for (size_t i = 0; i < size; ++i) reaching += x[i] >= low ? e[i] : 0.0f;
          EXPECT_NEAR(kernels->sum_at_least(x.data(), e.data(), size, low), reaching,
                      reaching * 2 * 6.0e-8);
        }
      }
    }
  }
}

// The partial arm against the full sort over rows as large as vocabularies are.
void ExpectArmsAgree(const std::vector<float>& logits, const SamplingParams& params,
                     std::span<const int32_t> ids, const std::string& where) {
  const auto sorted = ComputeDistribution(logits, params, ids, 2, SamplingArm::kFullSort);
  std::vector<float> memory = logits;
  for (const RowKernels* kernels : AllKernels()) {
    ScoreRow row(*kernels);
    row.Borrow(memory);
    const RowContext context{params, ids, 2};
    const Status status = ProcessRow(ActiveProcessors(params), context, SamplingArm::kPartial, row);
    ASSERT_EQ(status.code(), sorted.status().code()) << where << ", " << kernels->isa;
    if (!status.ok()) continue;
    TokenDistribution partial;
    // Before and after the row's entries are gathered.
    for (const double u : {0.0, 0.37, 0.8, 1 - 0x1p-53}) {
      EXPECT_EQ(DrawToken(row, u, partial), PickToken(*sorted, u)) << where << ", " << u;
    }
    Distribution(row, partial);
    ASSERT_EQ(partial.ids, sorted->ids) << where << ", " << kernels->isa;
    ASSERT_EQ(partial.probs, sorted->probs) << where << ", " << kernels->isa;
    for (const double u : {0.0, 0.37, 0.8, 1 - 0x1p-53}) {
      TokenDistribution scratch;
      EXPECT_EQ(DrawToken(row, u, scratch), PickToken(*sorted, u)) << where;
    }
    row.Release();
    ASSERT_EQ(std::memcmp(memory.data(), logits.data(), logits.size() * 4), 0) << where;
  }
}

TEST(Sampling, BothArmsAgreeOnWholeVocabularies) {
  std::mt19937 random(17);
  std::vector<int32_t> ids;
  for (const size_t size : {1u, 7u, 32u, 5000u, 49152u, 131072u}) {
    ids.clear();
    for (int i = 0; i < 50; ++i) ids.push_back(static_cast<int32_t>(random() % size));
    for (const Rows kind : kAllRows) {
      const auto logits = MakeRow(kind, size, random);
      const auto run = [&](const char* what, auto set) {
        SamplingParams params;
        params.do_sample = true;
        params.top_k = 0;
        set(params);
        ExpectArmsAgree(logits, params, ids,
                        fmt::format("{} of {}, row {}", what, size, static_cast<int>(kind)));
      };
      for (const int64_t k : {1, 2, 40, 50, 1000, 1 << 20}) {
        run("top_k", [&](auto& p) { p.top_k = k; });
      }
      run("top_k, T", [&](auto& p) { p.top_k = 50, p.temperature = 1.37; });
      run("top_k, T", [&](auto& p) { p.top_k = 40, p.temperature = 0.3; });
      for (const double top_p : {0.0, 0.1, 0.5, 0.9, 0.95, 0.999}) {
        run("top_p", [&](auto& p) { p.top_p = top_p; });
      }
      run("top_p, T", [&](auto& p) { p.top_p = 0.9, p.temperature = 1.7; });
      for (const double min_p : {0.0, 0.05, 0.5, 1.0})
        run("min_p", [&](auto& p) { p.min_p = min_p; });
      run("min_p, T", [&](auto& p) { p.min_p = 0.1, p.temperature = 0.6; });
      run("epsilon", [&](auto& p) { p.epsilon_cutoff = 3e-4; });
      run("eta", [&](auto& p) { p.eta_cutoff = 1e-3; });
      run("no processor", [&](auto&) {});
      run("top_h", [&](auto& p) { p.top_h = 0.4; });
      run("all", [&](auto& p) {
        p.top_k = 50, p.top_p = 0.9, p.min_p = 0.05, p.temperature = 0.8;
        p.repetition_penalty = 1.1;
        p.suppress_tokens = {0, 5};
      });
    }
  }
}

// Many draws from one row, and many edges: rows where the estimates decide and where they cannot.
TEST(Sampling, DrawsFromWholeRowsAreThoseOfTheFullSort) {
  std::mt19937 random(37);
  for (const Rows kind : kAllRows) {
    const auto logits = MakeRow(kind, 20000 + random() % 1000, random);
    for (int round = 0; round < 30; ++round) {
      SamplingParams params;
      params.do_sample = true;
      params.top_k = 0;
      if (round > 0) params.top_p = std::uniform_real_distribution<double>(0.01, 1)(random);
      if (round % 3 == 1) params.temperature = 0.7;
      const auto sorted = ComputeDistribution(logits, params, {}, 0, SamplingArm::kFullSort);
      ASSERT_TRUE(sorted.ok());
      std::vector<float> memory = logits;
      ScoreRow row;
      row.Borrow(memory);
      ASSERT_TRUE(
          ProcessRow(ActiveProcessors(params), {params, {}, 0}, SamplingArm::kPartial, row).ok());
      TokenDistribution scratch;
      for (int draw = 0; draw < 100; ++draw) {
        const double u = UniformDraw(3, static_cast<uint64_t>(round), static_cast<uint64_t>(draw));
        ASSERT_EQ(DrawToken(row, u, scratch), PickToken(*sorted, u))
            << static_cast<int>(kind) << ", top_p " << params.top_p << ", u " << u;
      }
      Distribution(row, scratch);
      ASSERT_EQ(scratch.ids, sorted->ids) << static_cast<int>(kind) << ", " << params.top_p;
    }
  }
}

TEST(Sampling, BothArmsAgreeOnTypicalRows) {
  std::mt19937 random(19);
  for (const Rows kind : kAllRows) {
    SamplingParams params;
    params.do_sample = true;
    params.top_k = 0;
    params.typical_p = 0.9;
    ExpectArmsAgree(MakeRow(kind, 20000, random), params, {}, "typical_p");
  }
}

TEST(ScoreRow, SmallestScoreBeforeDivision) {
  std::mt19937 random(23);
  for (int round = 0; round < 2000; ++round) {
    const float divisor = std::ldexp(1 + static_cast<float>(random() % 1000) / 1000,
                                     static_cast<int>(random() % 40) - 20);
    const float bound = std::ldexp(static_cast<float>(random() % 2000) - 1000,
                                   static_cast<int>(random() % 60) - 40);
    std::vector<float> logits = {1};
    ScoreRow row;
    row.Assign(logits);
    row.Divide(divisor);
    const float smallest = row.Undivided(bound);
    EXPECT_GE(smallest / divisor, bound);
    EXPECT_LT(std::nextafter(smallest, kRemoved) / divisor, bound);
  }
}

TEST(ScoreRow, MaximaFollowTheEdits) {
  std::mt19937 random(29);
  for (int round = 0; round < 200; ++round) {
    auto logits = MakeRow(round % 2 ? Rows::kTies : Rows::kNormal, 1 + random() % 3000, random);
    const auto before = logits;
    auto expected = logits;
    ScoreRow row;
    row.Borrow(logits);
    EXPECT_TRUE(row.IsFinite());
    for (int edit = 0; edit < 100; ++edit) {
      const auto id =
          static_cast<int32_t>(edit % 3 == 0 ? row.IndexOfMax() : random() % logits.size());
      const float score = edit % 5 == 0 ? kRemoved : static_cast<float>(random() % 20) - 10;
      expected[id] = score;
      row.Set(id, score);
      ASSERT_EQ(row.Max(), *std::ranges::max_element(expected));
      ASSERT_EQ(row.IndexOfMax(), std::ranges::max_element(expected) - expected.begin());
    }
    row.Release();
    ASSERT_EQ(logits, before);
  }
}

}  // namespace
}  // namespace fathom
