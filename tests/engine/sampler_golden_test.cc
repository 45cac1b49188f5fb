// Every case of tests/goldens/samplers, in both arms: what is kept, and with which probabilities.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "fathom/sampling.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

// Both sides compute in float32: exp and the sum differ by some ulp of 2^-23 (a processor before
// softmax adds its own), relative to the probability; a probability below 1e-30 may be denormal.
constexpr double kTolerance = 64.0 / (1 << 23);

void ExpectRow(const TokenDistribution& ours, const JsonValue& expected, const std::string& where,
               double& worst) {
  // The last bit of a sum decides what stays, and the sum is not ours to the bit.
  if (expected.Find("rounding") != nullptr) return;
  const auto ids = GoldenIds(*expected.Find("ids"));
  ASSERT_EQ(ours.ids, ids) << where;
  const auto probs = GoldenNumbers(*expected.Find("probs"));
  for (size_t i = 0; i < ids.size(); ++i) {
    const double error = std::abs(ours.probs[i] - probs[i]);
    EXPECT_LE(error, kTolerance * probs[i] + 1e-30) << where << ", token " << ids[i];
    if (probs[i] > 1e-30) worst = std::max(worst, error / probs[i]);
  }
}

TEST(SamplerGoldens, KeepWhatGenerateKeeps) {
  const JsonValue cases = ReadGolden(GoldenPath("samplers/cases.json"));
  size_t rows = 0, rounding = 0;
  double worst = 0;
  for (const JsonValue& entry : cases.Find("cases")->as_array()) {
    const std::string name = entry.Find("name")->as_string();
    const GoldenRows logits = ReadRows(GoldenPath("samplers/" + entry.Find("logits")->as_string()));
    const auto ids = GoldenIds(*entry.Find("ids"));
    const int64_t prompt_length = entry.Find("prompt_length")->as_int();
    const auto params = ReadSamplingParams(
        GoldenPath("samplers/" + entry.Find("config")->as_string()), prompt_length);
    ASSERT_TRUE(params.ok()) << name << ": " << params.status().message();
    const JsonArray& expected = entry.Find("expected")->as_array();
    ASSERT_EQ(static_cast<int64_t>(expected.size()), logits.rows);
    for (int64_t row = 0; row < logits.rows; ++row) {
      for (const SamplingArm arm : {SamplingArm::kPartial, SamplingArm::kFullSort}) {
        const std::string where = name + ", row " + std::to_string(row) +
                                  (arm == SamplingArm::kPartial ? ", partial" : ", full sort");
        const auto ours = ComputeDistribution(logits.row(row), *params, ids, prompt_length, arm);
        ASSERT_TRUE(ours.ok()) << where << ": " << ours.status().message();
        ExpectRow(*ours, expected[row], where, worst);
      }
      ++rows;
      rounding += expected[row].Find("rounding") != nullptr;
    }
  }
  EXPECT_GT(rows, 250u);
  EXPECT_LT(rounding, rows / 20);
  std::printf("%zu rows, %zu decided by the last bit, worst relative error %.2e\n", rows, rounding,
              worst);
}

}  // namespace
}  // namespace fathom
