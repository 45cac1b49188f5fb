#include "measure/slower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

RatioInterval Ratio(double low, double median, double high) {
  return {.median = median, .low = low, .high = high, .rounds = 12};
}

MeasuredRow DtypeRow(const std::string& arm, RatioInterval prefill, RatioInterval decode) {
  MeasuredRow row;
  row.id = "dtype";
  row.arm_on = arm;
  row.arm_off = "float32";
  row.prefill = prefill;
  row.decode = decode;
  row.verdict = Verdict::kTrade;
  return row;
}

// A bfloat16 model: float16 prefills slower than float32, int8 decodes slower than bfloat16.
Measurement Example() {
  Measurement measurement;
  measurement.baseline_rows = {{"dtype", "bfloat16"}};
  measurement.rows = {
      DtypeRow("bfloat16", Ratio(2.9, 3.0, 3.1), Ratio(1.8, 1.9, 2.0)),
      DtypeRow("float16", Ratio(0.25, 0.27, 0.29), Ratio(1.7, 1.9, 2.1)),
      DtypeRow("int8", Ratio(2.9, 3.0, 3.2), Ratio(1.1, 1.2, 1.3)),
  };
  return measurement;
}

TEST(Slower, AgainstTheOffArmAndAgainstWhatRuns) {
  const auto slower = SlowerSettings(Example());
  std::vector<std::string> lines;
  for (const SlowerSetting& each : slower) lines.push_back(SlowerText(each, Language::kEnglish));
  EXPECT_THAT(lines,
              testing::ElementsAre("dtype float16: prefill 0.27x [0.25, 0.29] of float32's",
                                   "dtype float16: prefill 0.090x [0.081, 0.10] of bfloat16's",
                                   "dtype int8: decode 0.63x [0.55, 0.72] of bfloat16's"));
  EXPECT_EQ(SlowerText(slower[2], Language::kChinese),
            "dtype int8：生成 为 bfloat16 的 0.63x [0.55, 0.72]");
}

TEST(Slower, WhatRunsIsNamed) {
  Measurement measurement = Example();
  measurement.baseline_rows = {{"dtype", "float16"}};
  const auto slower = SlowerSettings(measurement);
  ASSERT_FALSE(slower.empty());
  EXPECT_TRUE(slower[0].runs);
  EXPECT_THAT(SlowerText(slower[0], Language::kEnglish),
              testing::HasSubstr(", and it is what runs here"));
}

TEST(Slower, IntervalsThatSpanOneSayNothing) {
  Measurement measurement = Example();
  for (MeasuredRow& row : measurement.rows) row.prefill = row.decode = Ratio(0.6, 0.9, 1.01);
  EXPECT_TRUE(SlowerSettings(measurement).empty());
  measurement = Example();
  for (MeasuredRow& row : measurement.rows) row.same_plan = true;
  EXPECT_TRUE(SlowerSettings(measurement).empty());
}

}  // namespace
}  // namespace fathom
