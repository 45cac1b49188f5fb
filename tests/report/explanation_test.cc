// What was measured on this machine reaches the table, and nothing that was measured elsewhere.
#include "report/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "measure/results_store.h"

namespace fathom {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string DemoPath() { return std::string(FATHOM_SOURCE_DIR) + "/models/fathom-tales"; }

// A cache of its own, gone afterwards.
class ExplanationTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / "fathom_explanation_XXXXXX";
    std::string name = folder_.string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setenv("XDG_CACHE_HOME", name.c_str(), 1);
    machine_ = DetectMachine({.gpus = false});
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    std::filesystem::remove_all(folder_);
  }

  Explanation Explain(const Machine& machine) {
    auto explanation = ExplainModel(machine, DemoPath(), {}, Language::kEnglish, nullptr);
    EXPECT_TRUE(explanation.ok()) << explanation.status().message();
    return explanation.ok() ? *std::move(explanation) : Explanation();
  }

  std::filesystem::path folder_;
  Machine machine_;
};

MeasuredRow Row(const std::string& id, double decode, Verdict verdict) {
  MeasuredRow row;
  row.id = id;
  row.arm_on = "True";
  row.arm_off = "False";
  row.decode = {.median = decode, .low = decode - 0.03, .high = decode + 0.03, .rounds = 9};
  row.verdict = verdict;
  return row;
}

const JsonValue& MeasuredOf(const JsonValue& json, int number) {
  const JsonValue& row = json.Find("optimizations")->as_array()[static_cast<size_t>(number - 1)];
  return *row.Find("measured");
}

TEST_F(ExplanationTest, ShowsWhatWasMeasuredHere) {
  const std::string before = ExplanationToText(Explain(machine_), {});
  EXPECT_THAT(before, HasSubstr("`fathom measure` measures"));
  Measurement measurement;
  measurement.when = "2026-11-22T21:40:00Z";
  measurement.rows = {Row("use_cache", 6.4, Verdict::kHelps),
                      Row("cudnn_benchmark", 0.8, Verdict::kHurts)};
  const Status stored = StoreMeasurement(machine_, DemoPath(), measurement);
  ASSERT_TRUE(stored.ok()) << stored.message();
  const Explanation explanation = Explain(machine_);
  const std::string text = ExplanationToText(explanation, {.width = 160});
  EXPECT_THAT(text, HasSubstr("decode 6.4"));
  EXPECT_THAT(text, HasSubstr("hurts: decode 0.8"));
  EXPECT_THAT(before, Not(HasSubstr("6.4")));
  const JsonValue json = ExplanationToJson(explanation);
  EXPECT_TRUE(MeasuredOf(json, 1).is_null());
  EXPECT_EQ(MeasuredOf(json, 5).Find("when")->as_string(), measurement.when);
  EXPECT_EQ(MeasuredOf(json, 5).Find("rows")->as_array().size(), 1u);
  // Another machine's description shows nothing of it.
  Machine other = machine_;
  other.cpu.model = "another CPU";
  EXPECT_TRUE(MeasuredOf(ExplanationToJson(Explain(other)), 5).is_null());
}

TEST_F(ExplanationTest, TheLastLineSaysWhatToDoNext) {
  Measurement measurement;
  measurement.when = "2026-11-22T21:40:00Z";
  for (const Optimization* row : AllOptimizations()) {
    measurement.rows.push_back(Row(std::string(row->id), 1.5, Verdict::kHelps));
    // The arm that runs here.
    if (row->id == "dtype") measurement.rows.back().arm_on = "bfloat16";
  }
  ASSERT_TRUE(StoreMeasurement(machine_, DemoPath(), measurement).ok());
  Explanation explanation = Explain(machine_);
  explanation.model_argument = "a folder's model";
  EXPECT_THAT(ExplanationToText(explanation, {.width = 160}),
              HasSubstr(R"(Next: `fathom run 'a folder'\''s model'` runs the model)"));
  explanation.measured->rows[9].verdict = Verdict::kHurts;
  EXPECT_THAT(ExplanationToText(explanation, {.width = 160}),
              HasSubstr("--disable compile` runs without what was measured to hurt here"));
  explanation.machine.source = "machine.json";
  EXPECT_THAT(ExplanationToText(explanation, {.width = 160}), HasSubstr("on that machine itself"));
}

}  // namespace
}  // namespace fathom
