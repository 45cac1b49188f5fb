// The autotuner: what is slow is not chosen, what was chosen is found again, and a file that is no
// good hurts nobody.
#include "backends/cpu/tuner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "backends/cpu/heuristics.h"
#include "base/json.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

class TunerTest : public testing::Test {
 protected:
  TunerTest() {
    folder_ = testing::TempDir() + "/tuner_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
  }
  ~TunerTest() override { std::filesystem::remove_all(folder_); }

  TunerOptions Options() const {
    return {.folder = folder_, .machine = "a CPU | avx2 | 2 threads", .build = "7"};
  }
  TuningCandidate Sleeper(const std::string& name, int microseconds) {
    return {name, [this, microseconds] {
              ++runs_;
              std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
            }};
  }
  static void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  std::string folder_;
  int runs_ = 0;
};

TEST_F(TunerTest, APlantedSlowCandidateIsNotChosen) {
  Tuner tuner(Options());
  const std::vector<TuningCandidate> slow_first = {Sleeper("slow", 5000), Sleeper("fast", 50),
                                                   Sleeper("slower", 9000)};
  EXPECT_EQ(tuner.Choose("a", slow_first), 1u);
  const std::vector<TuningCandidate> fast_first = {Sleeper("fast", 50), Sleeper("slow", 5000)};
  EXPECT_EQ(tuner.Choose("b", fast_first), 0u);
  const TuningSummary summary = tuner.summary();
  EXPECT_EQ(summary.shapes, 2);
  EXPECT_EQ(summary.timed, 2);
  EXPECT_EQ(summary.changed, 1);
  EXPECT_THAT(summary.ToString(), HasSubstr("2 shapes tuned in"));
}

TEST_F(TunerTest, OneCandidateIsNeverTimed) {
  Tuner tuner(Options());
  EXPECT_EQ(tuner.Choose("a", std::vector{Sleeper("only", 10)}), 0u);
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ(tuner.summary().shapes, 0);
}

TEST_F(TunerTest, ChoicesAreFoundAgain) {
  const std::vector<TuningCandidate> candidates = {Sleeper("slow", 3000), Sleeper("fast", 20)};
  Tuner first(Options());
  EXPECT_EQ(first.Choose("a", candidates), 1u);
  first.Save();
  ASSERT_TRUE(std::filesystem::exists(first.path()));
  const int runs = runs_;
  Tuner second(Options());
  // Whichever is fast now: the file decides, and nothing is timed.
  const std::vector<TuningCandidate> turned = {Sleeper("slow", 20), Sleeper("fast", 3000)};
  EXPECT_EQ(second.Choose("a", turned), 1u);
  EXPECT_EQ(runs_, runs);
  const TuningSummary summary = second.summary();
  EXPECT_EQ(summary.timed, 0);
  EXPECT_EQ(summary.date.size(), 10u);
  EXPECT_TRUE(summary.notice.empty()) << summary.notice;
  EXPECT_THAT(summary.ToString(), HasSubstr("cached"));
  // A candidate that the table has no more is no choice.
  EXPECT_EQ(second.Choose("a", std::vector{Sleeper("slow", 3000), Sleeper("new", 20)}), 1u);
  EXPECT_GT(runs_, runs);
}

TEST_F(TunerTest, FilesThatAreNoGoodAreToldAndReplaced) {
  const std::string path = Tuner(Options()).path();
  const std::vector<TuningCandidate> candidates = {Sleeper("slow", 3000), Sleeper("fast", 20)};
  for (const char* text :
       {"", "{", "[]", "\xff\xfe", R"({"format":1})",
        R"({"format":1,"machine":"another","build":"7","shapes":{}})",
        R"({"format":9,"machine":"a CPU | avx2 | 2 threads","build":"7","shapes":{}})",
        R"({"format":1,"machine":"a CPU | avx2 | 2 threads","build":"7","shapes":[]})",
        R"({"format":1,"machine":"a CPU | avx2 | 2 threads","build":"7","shapes":{"a":3}})",
        R"({"format":1,"machine":"a CPU | avx2 | 2 threads","build":"7",)"
        R"("shapes":{"a":{"choice":7,"spent_ms":"x"}}})"}) {
    SCOPED_TRACE(text);
    Write(path, text);
    Tuner tuner(Options());
    EXPECT_THAT(tuner.summary().notice, HasSubstr("tuning-"));
    EXPECT_EQ(tuner.Choose("a", candidates), 1u);
    tuner.Save();
    const auto rewritten = ParseJsonFile(path);
    ASSERT_TRUE(rewritten.ok()) << rewritten.status().message();
    EXPECT_EQ(rewritten->Find("machine")->as_string(), Options().machine);
    EXPECT_TRUE(Tuner(Options()).summary().notice.empty());
  }
}

TEST_F(TunerTest, AnotherBuildTunesAnew) {
  const std::vector<TuningCandidate> candidates = {Sleeper("slow", 3000), Sleeper("fast", 20)};
  Tuner first(Options());
  first.Choose("a", candidates);
  first.Save();
  TunerOptions options = Options();
  options.build = "8";
  Tuner second(options);
  EXPECT_TRUE(second.summary().notice.empty());
  EXPECT_EQ(second.Choose("a", candidates), 1u);
  EXPECT_EQ(second.summary().timed, 1);
}

TEST_F(TunerTest, AFolderThatCannotBeWrittenIsFine) {
  TunerOptions options = Options();
  for (const char* folder : {"/proc/no/such", ""}) {
    options.folder = folder;
    Tuner tuner(options);
    EXPECT_EQ(tuner.Choose("a", std::vector{Sleeper("slow", 3000), Sleeper("fast", 20)}), 1u);
    tuner.Save();
    EXPECT_TRUE(tuner.summary().notice.empty());
  }
}

TEST_F(TunerTest, TheTimeForAllOfItIsBounded) {
  TunerOptions options = Options();
  options.total_ms = 1;
  Tuner tuner(options);
  const std::vector<TuningCandidate> candidates = {Sleeper("slow", 3000), Sleeper("fast", 20)};
  EXPECT_EQ(tuner.Choose("a", candidates), 1u);
  EXPECT_EQ(tuner.Choose("b", candidates), 0u);  // the fixed choice
  EXPECT_EQ(tuner.summary().skipped, 1);
  EXPECT_THAT(tuner.summary().ToString(), HasSubstr("1 not timed"));
}

}  // namespace
}  // namespace fathom
