#include "measure/accuracy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "measure/statistics.h"
#include "tests/engine/golden.h"
#include "tests/measure/fake_arm.h"

namespace fathom {
namespace {

std::vector<float> Floats(const JsonValue& array) {
  std::vector<float> values;
  for (const double value : GoldenNumbers(array)) values.push_back(static_cast<float>(value));
  return values;
}

// torch's kl_div of log_softmaxes in double, and its argmax.
TEST(Accuracy, AsTorchFindsIt) {
  const JsonValue golden = ReadGolden(GoldenPath("measure/accuracy.json"));
  ASSERT_FALSE(golden.Find("cases")->as_array().empty());
  for (const JsonValue& item : golden.Find("cases")->as_array()) {
    SCOPED_TRACE(item.Find("name")->as_string());
    LogitComparison comparison;
    const JsonArray& reference = item.Find("reference")->as_array();
    for (size_t i = 0; i < reference.size(); ++i) {
      ASSERT_TRUE(comparison.Add(Floats(reference[i]), Floats(item.Find("arm")->as_array()[i])));
    }
    const ArmAccuracy found = comparison.Result();
    const double kl = item.Find("kl_divergence")->as_double();
    EXPECT_NEAR(found.kl_divergence, kl, 1e-12 + 1e-9 * kl);
    EXPECT_DOUBLE_EQ(found.max_abs_logit_difference,
                     item.Find("max_abs_logit_difference")->as_double());
    EXPECT_DOUBLE_EQ(found.greedy_agreement, item.Find("greedy_agreement")->as_double());
    EXPECT_EQ(found.tokens, static_cast<int64_t>(reference.size()));
  }
}

TEST(Accuracy, BinomialTailsAsExactFractions) {
  const JsonValue golden = ReadGolden(GoldenPath("measure/accuracy.json"));
  for (const JsonValue& item : golden.Find("binomial")->as_array()) {
    const double cdf = item.Find("cdf")->as_double();
    EXPECT_NEAR(BinomialHalfCdf(static_cast<int>(item.Find("n")->as_int()),
                                static_cast<int>(item.Find("k")->as_int())),
                cdf, 1e-9 * cdf);
  }
}

TEST(Accuracy, IdenticalLogitsAreIdentical) {
  LogitComparison comparison;
  const std::vector<float> row = {1, -30, 2.5, 0};
  ASSERT_TRUE(comparison.Add(row, row));
  EXPECT_EQ(comparison.Result().kl_divergence, 0);
  EXPECT_EQ(comparison.Result().max_abs_logit_difference, 0);
  EXPECT_EQ(comparison.Result().greedy_agreement, 1);
}

TEST(Accuracy, EveryWindowOfTheTextCounts) {
  FakeArm reference({.seed = 1}), same({.seed = 1}), other({.seed = 2});
  std::vector<int32_t> ids(21);
  for (int i = 0; i < 21; ++i) ids[i] = i % FakeArm::kVocab;
  const auto logits = ReferenceLogits::Create(reference, ids, 8, 1 << 20);
  ASSERT_TRUE(logits.ok());
  EXPECT_EQ(logits->tokens(), 21);
  EXPECT_EQ(logits->Compare(same)->max_abs_logit_difference, 0);
  EXPECT_EQ(logits->Compare(same)->tokens, 21);
  EXPECT_GT(logits->Compare(other)->kl_divergence, 0.1);
  // The bound on memory takes fewer.
  const auto fewer = ReferenceLogits::Create(reference, ids, 8, 5 * FakeArm::kVocab * 4);
  EXPECT_EQ(fewer->tokens(), 5);
}

TEST(Accuracy, NaNAndInfinityFailTheArmAndNameThePosition) {
  FakeArm reference({.seed = 1});
  const std::vector<int32_t> ids(12, 3);
  const auto logits = ReferenceLogits::Create(reference, ids, 5, 1 << 20);
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const FakeArmOptions options = {.seed = 1, .bad_position = 7, .bad_value = value, .window = 5};
    FakeArm broken(options), again(options);
    const auto found = logits->Compare(broken);
    ASSERT_FALSE(found.ok());
    EXPECT_THAT(found.status().message(), testing::HasSubstr("position 7"));
    EXPECT_FALSE(ReferenceLogits::Create(again, ids, 5, 1 << 20).ok());
  }
}

}  // namespace
}  // namespace fathom
