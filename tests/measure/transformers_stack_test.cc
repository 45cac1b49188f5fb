#include "measure/transformers_stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/measure_text.h"

namespace fathom {
namespace {

using testing::HasSubstr;

// What the script prints, with `pairs` equal ratios an entry.
JsonValue Output(int pairs) {
  const auto list = [&](double value) { return JsonArray(static_cast<size_t>(pairs), value); };
  const auto entry = [&](const char* id, const char* on, const char* off, double decode) {
    return JsonObject{
        {"id", id},
        {"arm_on", on},
        {"arm_off", off},
        {"error", nullptr},
        {"ratios", JsonObject{{"prefill", list(1)}, {"decode", list(decode)}, {"load", list(1)}}},
        {"seconds",
         JsonObject{{"prefill", list(0.001)}, {"decode", list(0.01)}, {"load", list(0.5)}}},
        {"accuracy_on", JsonObject{{"kl_divergence", 1e-6},
                                   {"max_abs_logit_difference", 0.01},
                                   {"greedy_agreement", 1},
                                   {"tokens", 64}}},
        {"peak_on", 600},
        {"peak_off", 500}};
  };
  JsonObject broken = {{"id", "attn_implementation"},
                       {"arm_on", "flash_attention_2"},
                       {"arm_off", "eager"},
                       {"error", "ImportError: no flash_attn"},
                       {"unavailable", true}};
  return JsonObject{
      {"versions", "transformers 5, torch 2"},
      {"entries", JsonArray{entry("baseline", "A", "A", 1), entry("use_cache", "True", "False", 3),
                            entry("top_k", "50", "0", 1), std::move(broken)}}};
}

TEST(TransformersStack, SameStatisticsAsOurs) {
  const auto measured = MeasurementOfScript(Output(14), Measurement{}, 0.05 / 17);
  ASSERT_TRUE(measured.ok()) << measured.status().message();
  EXPECT_EQ(measured->stack, "transformers");
  EXPECT_EQ(measured->stack_version, "transformers 5, torch 2");
  EXPECT_NEAR(measured->baseline.decode_tokens_per_s, 100, 1e-9);
  EXPECT_NEAR(measured->baseline.prefill_tokens_per_s, 1000, 1e-9);
  EXPECT_EQ(measured->baseline.peak_resident_bytes, 600);
  ASSERT_EQ(measured->rows.size(), 3u);
  EXPECT_EQ(measured->rows[0].verdict, Verdict::kTrade) << measured->rows[0].reason;
  EXPECT_EQ(measured->rows[0].decode.median, 3);
  EXPECT_EQ(measured->rows[2].verdict, Verdict::kUnavailable);
  EXPECT_THAT(measured->rows[2].reason, HasSubstr("flash_attn"));
}

TEST(TransformersStack, FewPairsClaimNothing) {
  const auto measured = MeasurementOfScript(Output(4), Measurement{}, 0.05 / 17);
  EXPECT_FALSE(measured->rows[0].decode.bounded());
  EXPECT_TRUE(measured->rows[0].decode.SpansOne());
}

TEST(TransformersStack, WhatIsMissingIsSaid) {
  const auto missing =
      MeasurementOfScript(JsonObject{{"missing", "transformers"}}, Measurement{}, 0.01);
  EXPECT_EQ(missing.status().code(), StatusCode::kRunTime);
  EXPECT_THAT(missing.status().message(), HasSubstr("pip install torch transformers"));
  for (const JsonValue& output : {JsonValue(), JsonValue(JsonObject{{"entries", JsonArray{}}}),
                                  JsonValue(JsonObject{{"error", "NaN"}})}) {
    EXPECT_FALSE(MeasurementOfScript(output, Measurement{}, 0.01).ok());
  }
}

TEST(TransformersStack, ArmsOfTheSameValueStandSideBySide) {
  Measurement ours;
  for (const auto& [id, arm] : {std::pair("top_k", "True"), {"attn_implementation", "eager"}}) {
    MeasuredRow row;
    row.id = id;
    row.arm_on = arm;
    row.decode = {.median = 2, .low = 1.5, .high = 2.5, .rounds = 12};
    ours.rows.push_back(row);
  }
  const auto other = MeasurementOfScript(Output(14), Measurement{}, 0.05 / 17);
  const std::string text = StacksToMarkdown(ours, *other, Language::kEnglish);
  EXPECT_THAT(text, HasSubstr("| top_k | 2.00x [1.50, 2.50] | 1.00x ["));
  EXPECT_THAT(text, HasSubstr("| use_cache | - | 3.00x"));
  EXPECT_THAT(text, HasSubstr("T attn_implementation flash_attention_2: ImportError"));
}

}  // namespace
}  // namespace fathom
