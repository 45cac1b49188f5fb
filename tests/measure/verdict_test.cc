#include "measure/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "measure/measure_text.h"

namespace fathom {
namespace {

using testing::HasSubstr;
using testing::Not;

RatioInterval Ratio(double low, double median, double high) {
  return {.median = median, .low = low, .high = high, .rounds = 12};
}

MeasuredRow Row(RatioInterval decode, RatioInterval prefill = Ratio(0.97, 1, 1.03)) {
  MeasuredRow row;
  row.id = "planted";
  row.arm_on = "True";
  row.arm_off = "False";
  row.decode = decode;
  row.prefill = prefill;
  row.load = row.tokenize = row.sampling = Ratio(0.9, 1, 1.1);
  row.peak_bytes_on = row.peak_bytes_off = 100'000'000;
  row.accuracy_on = row.accuracy_off = {.tokens = 100};
  return row;
}

TEST(Verdict, FromTheIntervals) {
  EXPECT_EQ(Judge(Row(Ratio(1.28, 1.31, 1.34))).verdict, Verdict::kHelps);
  EXPECT_EQ(Judge(Row(Ratio(0.7, 0.75, 0.8))).verdict, Verdict::kHurts);
  EXPECT_EQ(Judge(Row(Ratio(0.97, 1.2, 1.4))).verdict, Verdict::kNoEffect);
  EXPECT_EQ(Judge(Row(Ratio(1.28, 1.31, 1.34), Ratio(0.3, 0.31, 0.32))).verdict, Verdict::kTrade);
  // product.md's float16: no gain in decode, prefill a third.
  EXPECT_EQ(Judge(Row(Ratio(0.99, 1.02, 1.04), Ratio(0.3, 0.31, 0.33))).verdict, Verdict::kHurts);
}

TEST(Verdict, AnOpenIntervalClaimsNothing) {
  MeasuredRow row =
      Row({.median = 9, .low = 0, .high = std::numeric_limits<double>::infinity(), .rounds = 4});
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kNoEffect);
  EXPECT_THAT(row.reason, HasSubstr("too few rounds (4)"));
}

TEST(Verdict, NoiseThatHidesIsSaid) {
  MeasuredRow row = Row(Ratio(0.4, 1.2, 3));
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kNoEffect);
  EXPECT_THAT(row.reason, HasSubstr("noise (up to 3.00x)"));
}

TEST(Verdict, MemoryAndItsPrice) {
  MeasuredRow row = Row(Ratio(0.97, 1, 1.03));
  row.peak_bytes_on = 51'000'000;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHelps);
  row.peak_bytes_on = 97'000'000;
  EXPECT_EQ(Judge(row).verdict, Verdict::kNoEffect);
  row.peak_bytes_on = 120'000'000;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHurts);
  // What a cache costs is no price beside what it buys (product.md: 1.08x, helps).
  row = Row(Ratio(6.1, 6.4, 6.7));
  row.peak_bytes_on = 108'000'000;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHelps);
  row.peak_bytes_on = 150'000'000;
  EXPECT_EQ(Judge(row).verdict, Verdict::kTrade);
}

TEST(Verdict, LoadCountsWhereAPersonWouldNotice) {
  MeasuredRow row = Row(Ratio(3.5, 4.4, 5.1));
  row.load = Ratio(0.45, 0.72, 0.94);
  row.load_ms_on = 16;
  row.load_ms_off = 11;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHelps);
  row.verdict = Verdict::kHelps;
  EXPECT_EQ(DescribeRow(row), "decode 4.40x [3.50, 5.10]");
  row.load_ms_on = 1600;
  row.load_ms_off = 1100;
  EXPECT_EQ(Judge(row).verdict, Verdict::kTrade);
  row.load_ms_on = row.load_ms_off = 0;  // of an earlier version: not known
  EXPECT_EQ(Judge(row).verdict, Verdict::kTrade);
}

TEST(Verdict, AccuracyIsAPrice) {
  MeasuredRow row = Row(Ratio(1.6, 1.7, 1.8));
  row.accuracy_on.kl_divergence = 0.002;
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kTrade);
  EXPECT_THAT(row.reason, HasSubstr("decode 1.70x [1.60, 1.80]; its price: KL 0.002"));
  row.accuracy_on.kl_divergence = 3e-7;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHelps);
  // Both arms are as far from fp32: the row is not to blame.
  row.accuracy_on.kl_divergence = row.accuracy_off.kl_divergence = 0.002;
  EXPECT_EQ(Judge(row).verdict, Verdict::kHelps);
}

TEST(Verdict, WhatARowCannotActOnDecidesNothing) {
  MeasuredRow row = Row(Ratio(1.02, 1.1, 1.2));
  row.tokenize = Ratio(25, 32, 40);
  row.acts_on = {.prefill = false, .decode = false};
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kNoEffect);
  EXPECT_EQ(DescribeRow(row), "no effect");
  // But a fault is told: so much is no noise.
  row.decode = Ratio(0.3, 0.4, 0.5);
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kHurts);
  EXPECT_THAT(row.reason, HasSubstr("decode 0.40x"));
}

TEST(Verdict, WhatARowActsOnDecides) {
  MeasuredRow row = Row(Ratio(0.97, 1, 1.03));
  row.tokenize = Ratio(3.8, 4.1, 4.4);
  row.acts_on.tokenize = true;
  JudgeInto(row);
  EXPECT_EQ(row.verdict, Verdict::kHelps);
  EXPECT_EQ(row.reason, "tokenize 4.10x [3.80, 4.40]");
  EXPECT_EQ(ReasonOf(row, Language::kChinese), "分词 4.10x [3.80, 4.40]");
  EXPECT_EQ(DescribeRow(row), "tokenize 4.10x [3.80, 4.40]");
}

TEST(MeasureText, Intervals) {
  // Nine cells from 1/4 to 4: 1 is in the middle.
  EXPECT_EQ(DrawInterval(Ratio(1.0 / 4, 1, 4), 0.25, 4, 9), "····●····");
  EXPECT_EQ(DrawInterval(Ratio(2, 2.9, 4), 0.25, 4, 9), "    ┆ ├●┤");
  EXPECT_EQ(DrawInterval(Ratio(0.25, 0.5, 0.7), 0.25, 4, 9), "├─●┤┆");
  EXPECT_EQ(DrawInterval(Ratio(2, 2, 2.05), 0.25, 4, 9), "    ┆ ●");
  EXPECT_EQ(DrawInterval({}, 0.25, 4, 9), "");
  EXPECT_EQ(DrawInterval(Ratio(1, 1, 1), 1, 1, 9), "");
}

Measurement Example() {
  Measurement measurement;
  measurement.rows.push_back(Row(Ratio(1.28, 1.31, 1.34)));
  JudgeInto(measurement.rows.back());
  MeasuredRow missing;
  missing.id = "float32_matmul_precision";
  missing.mode = MeasureMode::kOneAlone;
  missing.verdict = Verdict::kUnavailable;
  missing.reason = "the CPU has no bfloat16 unit";
  measurement.rows.push_back(missing);
  return measurement;
}

TEST(MeasureText, TableFollowsTheWidth) {
  const Measurement measurement = Example();
  const std::string wide = MeasurementToText(measurement, {.width = 160});
  EXPECT_THAT(wide, HasSubstr("1.31x [1.28, 1.34]"));
  EXPECT_THAT(wide, HasSubstr("●"));
  EXPECT_THAT(wide, HasSubstr("helps"));
  EXPECT_THAT(wide, HasSubstr("the CPU has no bfloat16 unit"));
  EXPECT_THAT(wide, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(MeasurementToText(measurement, {.width = 80}), Not(HasSubstr("●")));
  const std::string chinese =
      MeasurementToText(measurement, {.language = Language::kChinese, .width = 160});
  EXPECT_THAT(chinese, HasSubstr("有益"));
  EXPECT_THAT(chinese, HasSubstr("不可用"));
  EXPECT_THAT(chinese, Not(HasSubstr("helps")));
}

TEST(MeasureText, MarkdownKeepsItsColumns) {
  Measurement measurement = Example();
  measurement.rows[1].reason = "a | b";
  const std::string text = MeasurementToMarkdown(measurement, Language::kEnglish);
  EXPECT_THAT(text, HasSubstr("| `planted` True | 1.31x [1.28, 1.34] |"));
  EXPECT_THAT(text, HasSubstr("a \\| b |"));
}

}  // namespace
}  // namespace fathom
