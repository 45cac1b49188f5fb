#include "measure/results_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "measure/engine_options_json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

MeasuredRow Row(const std::string& id, MeasureMode mode, double decode) {
  MeasuredRow row;
  row.id = id;
  row.mode = mode;
  row.arm_on = "True";
  row.arm_off = "False";
  row.decode = {.median = decode, .low = decode * 0.98, .high = decode * 1.02, .rounds = 12};
  row.prefill = {
      .median = 1.5, .low = 0, .high = std::numeric_limits<double>::infinity(), .rounds = 3};
  row.peak_bytes_on = 50;
  row.peak_bytes_off = 100;
  row.accuracy_on = {0.25, 1e-3, 0.98, 400};
  row.accuracy_off = {0, 0, 1, 400};
  row.roof_share_on = 0.9;
  row.verdict = Verdict::kTrade;
  row.reason = "because | \"so\"";
  return row;
}

Measurement Example() {
  Measurement measurement;
  measurement.machine = JsonObject{{"cpu", "some"}};
  measurement.when = "2026-11-22T21:40:00Z";
  measurement.baseline = {100, 50, 1 << 20, 12.5, 1e6, 20, 0.5};
  measurement.baseline_rows = {{"use_cache", "True"}};
  measurement.workload.prompt_tokens = 64;
  measurement.workload.noise_decode = 1.04;
  measurement.rows = {Row("use_cache", MeasureMode::kLeaveOneOut, 6.4),
                      Row("compile", MeasureMode::kOneAlone, 1.3)};
  return measurement;
}

TEST(MeasurementJson, RoundTrips) {
  const JsonValue json = MeasurementToJson(Example());
  const auto text = WriteJson(json);
  const auto read = MeasurementFromJson(*ParseJson(text, "test"), "test");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(WriteJson(MeasurementToJson(*read)), text);
}

TEST(MeasurementJson, HasTheFormOfTheProduct) {
  const JsonValue json = MeasurementToJson(Example());
  for (const char* key : {"machine", "model", "baseline", "rows"}) {
    EXPECT_NE(json.Find(key), nullptr) << key;
  }
  for (const char* key :
       {"prefill_tokens_per_s", "decode_tokens_per_s", "peak_resident_bytes", "load_ms"}) {
    EXPECT_NE(json.Find("baseline")->Find(key), nullptr) << key;
  }
  const JsonValue& row = json.Find("rows")->as_array()[0];
  for (const char* key : {"id", "mode", "arm_on", "arm_off", "prefill_ratio", "decode_ratio",
                          "load_ratio", "peak_memory_ratio", "max_abs_logit_difference",
                          "kl_divergence", "greedy_agreement", "verdict", "reason"}) {
    EXPECT_NE(row.Find(key), nullptr) << key;
  }
  EXPECT_EQ(row.Find("mode")->as_string(), "leave_one_out");
  EXPECT_DOUBLE_EQ(row.Find("decode_ratio")->Find("median")->as_double(), 6.4);
  // An open interval has no ends; nor was loading measured.
  EXPECT_TRUE(row.Find("prefill_ratio")->Find("low")->is_null());
  EXPECT_TRUE(row.Find("load_ratio")->Find("median")->is_null());
  EXPECT_DOUBLE_EQ(row.Find("peak_memory_ratio")->as_double(), 0.5);
}

TEST(MeasurementJson, RefusesWhatIsNone) {
  for (const char* text :
       {"{}", "[]", R"({"rows":{}})", R"({"rows":[{"id":"x"}]})", R"({"rows":[3]})",
        R"({"rows":[{"id":"x","verdict":"splendid"}]})", R"({"rows":[{"id":7,"verdict":"helps"}]})",
        R"({"rows":[{"id":"x","verdict":"helps","decode_ratio":{"median":"1"}}]})"}) {
    EXPECT_FALSE(MeasurementFromJson(*ParseJson(text, "test"), "test").ok()) << text;
  }
}

TEST(DescribeRows, LeaveOneOutComesFirst) {
  Measurement measurement = Example();
  EXPECT_EQ(DescribeRows(measurement, "use_cache"),
            "decode 6.40x [6.27, 6.53], memory 0.50x, KL 0.001");
  EXPECT_EQ(DescribeRows(measurement, "top_k"), "");
  measurement.rows.push_back(Row("use_cache", MeasureMode::kOneAlone, 99));
  EXPECT_THAT(DescribeRows(measurement, "use_cache"), testing::Not(HasSubstr("99")));
}

class Store : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("fathom_store_" + std::to_string(getpid()));
    fs::create_directories(folder_ / "model");
    Write(folder_ / "model/config.json", "{\"a\":1}");
    setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
    machine_.cpu.model = "a CPU";
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    fs::remove_all(folder_);
  }
  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  std::string model() const { return (folder_ / "model").string(); }

  fs::path folder_;
  Machine machine_;
};

TEST_F(Store, KeepsWhatWasMeasured) {
  EXPECT_FALSE(LoadMeasurement(machine_, model(), nullptr).has_value());
  ASSERT_TRUE(StoreMeasurement(machine_, model(), Example()).ok());
  const auto read = LoadMeasurement(machine_, model(), nullptr);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(WriteJson(MeasurementToJson(*read)), WriteJson(MeasurementToJson(Example())));
  // A later one of other rows keeps the earlier ones; the same row is replaced.
  Measurement later = Example();
  later.rows = {Row("use_cache", MeasureMode::kLeaveOneOut, 3),
                Row("top_k", MeasureMode::kLeaveOneOut, 2)};
  ASSERT_TRUE(StoreMeasurement(machine_, model(), later).ok());
  const auto joined = LoadMeasurement(machine_, model(), nullptr);
  ASSERT_EQ(joined->rows.size(), 3u);
  EXPECT_EQ(joined->RowsOf("use_cache")[0]->decode.median, 3);
  EXPECT_EQ(joined->RowsOf("compile").size(), 1u);
}

TEST_F(Store, AnotherMachineModelOrStackIsAnother) {
  ASSERT_TRUE(StoreMeasurement(machine_, model(), Example()).ok());
  EXPECT_FALSE(LoadMeasurement(machine_, model(), nullptr, "transformers").has_value());
  Machine other = machine_;
  other.cpu.features.Add(CpuFeature::kAvx2);
  EXPECT_FALSE(LoadMeasurement(other, model(), nullptr).has_value());
  Write(folder_ / "model/config.json", "{\"a\":2}");
  EXPECT_FALSE(LoadMeasurement(machine_, model(), nullptr).has_value());
}

TEST_F(Store, TheLastOneIsFoundWithoutItsModel) {
  EXPECT_FALSE(LastMeasurement(machine_).has_value());
  EXPECT_TRUE(MeasuredGains(LastMeasurement(machine_), Language::kEnglish).empty());
  Measurement measured = Example();
  measured.stack_version = "1.2";
  measured.model = JsonObject{{"path", model() + "/"}};
  ASSERT_TRUE(StoreMeasurement(machine_, model(), measured).ok());
  const auto gains = MeasuredGains(LastMeasurement(machine_), Language::kEnglish);
  EXPECT_EQ(gains.size(), 2u);
  EXPECT_EQ(gains.find("use_cache")->second,
            "decode 6.40x [6.27, 6.53], memory 0.50x, KL 0.001 (fathom 1.2, model, 2026-11-22)");
  Machine other = machine_;
  other.cpu.model = "another CPU";
  EXPECT_FALSE(LastMeasurement(other).has_value());
  EXPECT_FALSE(LastMeasurement(machine_, "transformers").has_value());
}

TEST_F(Store, ACorruptFileIsIgnoredWithANotice) {
  ASSERT_TRUE(StoreMeasurement(machine_, model(), Example()).ok());
  const auto path = MeasurementFile(machine_, model());
  for (const char* text : {"", "{\"rows\":", "{\"rows\":7}", "\xff\xfe"}) {
    Write(*path, text);
    NoticeList notices;
    EXPECT_FALSE(LoadMeasurement(machine_, model(), &notices).has_value()) << text;
    EXPECT_EQ(notices.Take().size(), 1u) << text;
  }
  // And the next measurement takes its place.
  EXPECT_TRUE(StoreMeasurement(machine_, model(), Example()).ok());
  EXPECT_TRUE(LoadMeasurement(machine_, model(), nullptr).has_value());
}

TEST_F(Store, NoModelIsAStatus) {
  const auto path = MeasurementFile(machine_, (folder_ / "nowhere").string());
  EXPECT_EQ(path.status().code(), StatusCode::kBadFile);
  EXPECT_FALSE(LoadMeasurement(machine_, (folder_ / "nowhere").string(), nullptr).has_value());
}

TEST(EngineOptionsJson, RoundTripsEveryMember) {
  EngineOptions options;
  options.backend = "reference";
  options.threads = 3;
  options.dtype = "int8";
  options.disabled = {"compile", "use_cache"};
  options.cache_bytes = int64_t{1} << 40;
  options.load_tokenizer = false;
  const JsonValue json = EngineOptionsToJson(options);
  const auto read = EngineOptionsFromJson(*ParseJson(WriteJson(json), "test"), "test");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(EngineOptionsToJson(*read), json);
  EXPECT_EQ(read->disabled, options.disabled);
  EXPECT_EQ(read->cache_bytes, options.cache_bytes);
  for (const char* text : {"[]", R"({"nothing":1})", R"({"threads":"3"})", R"({"disabled":[1]})",
                           R"({"threads":1e30})"}) {
    EXPECT_FALSE(EngineOptionsFromJson(*ParseJson(text, "test"), "test").ok()) << text;
  }
}

}  // namespace
}  // namespace fathom
