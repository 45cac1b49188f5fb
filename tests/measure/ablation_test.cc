#include "measure/ablation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "measure/engine_options_json.h"
#include "measure/verdict.h"
#include "tests/engine/golden.h"
#include "tests/measure/fake_arm.h"

namespace fathom {
namespace {

using testing::HasSubstr;

// A row of this test alone: on is written into `enabled`, which the factories below read.
Detection DetectPlanted(const RowInput&) {
  Detection detection;
  detection.cpu = {DeviceState::kAvailable, "planted by a test"};
  return detection;
}

std::vector<Arm> PlantedArms(const RowInput& input, std::string_view) {
  Arm off{.value = "False", .on = false, .options = input.options};
  std::erase(off.options.enabled, "planted");
  Arm on{.value = "True", .on = true, .options = off.options};
  on.options.enabled.push_back("planted");
  return {off, on};
}

std::vector<Arm> NoArms(const RowInput&, std::string_view) { return {}; }

Detection DetectMissing(const RowInput&) {
  Detection detection;
  detection.cpu = {DeviceState::kUnavailable, "the unit is missing"};
  detection.remedy = "another CPU";
  return detection;
}

const Optimization kPlanted = {.number = 90,
                               .id = "planted",
                               .detect = DetectPlanted,
                               .arms = PlantedArms,
                               .acts_on = {.tokenize = true, .sampling = true}};
// Says of itself that it changes nothing.
Detection DetectIdle(const RowInput& input) {
  Detection detection;
  detection.cpu = {DeviceState::kNoEffect, Say(input.language, "one device", "只有一个设备")};
  return detection;
}
const Optimization kIdle = {.number = 92, .id = "idle", .detect = DetectIdle, .arms = PlantedArms};
const Optimization kMissing = {
    .number = 91, .id = "missing", .detect = DetectMissing, .arms = NoArms};
const Optimization* const kRows[] = {&kPlanted, &kMissing};

bool IsPlanted(const EngineOptions& options) {
  return EngineOptions::Contains(options.enabled, "planted");
}

std::string TinyModel() { return GoldenPath("models/llama-default"); }

// Measures kRows over fake arms; `planted` is the arm with the row on.
class Faked {
 public:
  Faked(FakeArmOptions plain, FakeArmOptions planted) {
    hooks_.open = [this, plain,
                   planted](const EngineOptions& options) -> Result<std::unique_ptr<ArmRunner>> {
      ++opened;
      return std::unique_ptr<ArmRunner>(
          std::make_unique<FakeArm>(IsPlanted(options) ? planted : plain, &random_));
    };
    hooks_.peak = [this](const EngineOptions& options, const PeakWork&) -> Result<PeakMemory> {
      return PeakMemory{IsPlanted(options) ? peak_on : int64_t{100'000'000}, 1};
    };
    hooks_.read_stream = [] { return 10.0; };
  }
  Measurement Run(uint64_t seed = 0) {
    random_.seed(seed + 77);
    MeasureOptions options{.one_alone = false,
                           .quick = true,
                           .seconds = 60,
                           .seed = seed,
                           .text = std::string(400, 'x') + "some other words"};
    auto measured = Measure(Machine{}, ModelFacts{}, EngineOptions{}, kRows, options, hooks_);
    EXPECT_TRUE(measured.ok()) << measured.status().message();
    return measured.ok() ? *std::move(measured) : Measurement{};
  }
  MeasureHooks& hooks() { return hooks_; }

  int opened = 0;
  int64_t peak_on = 100'000'000;

 private:
  std::mt19937_64 random_;
  MeasureHooks hooks_;
};

TEST(Ablation, AFasterArmHelpsAndAMissingOneSaysWhy) {
  Faked faked({.scatter = 0.05}, {.decode = 1e-3, .scatter = 0.05});
  const Measurement measurement = faked.Run();
  ASSERT_EQ(measurement.rows.size(), 2u);
  const MeasuredRow& row = measurement.rows[0];
  EXPECT_EQ(row.verdict, Verdict::kHelps) << row.reason;
  EXPECT_NEAR(row.decode.median, 2, 0.2);
  EXPECT_TRUE(row.prefill.SpansOne());
  EXPECT_EQ(row.peak_memory_ratio(), 1);
  EXPECT_EQ(row.accuracy_on.kl_divergence, 0);
  EXPECT_GT(row.accuracy_on.tokens, 0);
  // 1 MB a token at 1 ms is a tenth of 10 GB/s.
  EXPECT_NEAR(row.roof_share_on, 0.1, 0.02);
  EXPECT_NEAR(measurement.baseline.roof_share, 0.05, 0.01);
  EXPECT_NEAR(measurement.baseline.decode_tokens_per_s, 500, 50);
  EXPECT_EQ(measurement.rows[1].verdict, Verdict::kUnavailable);
  EXPECT_EQ(measurement.rows[1].reason, "the unit is missing; another CPU");
}

TEST(Ablation, TheSignOfAClaimRepeats) {
  // A tenth slower, under three times as much scatter: told in every run, and never the other way.
  Faked faked({.scatter = 0.03}, {.decode = 2.4e-3, .scatter = 0.03});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const MeasuredRow row = faked.Run(seed).rows[0];
    EXPECT_EQ(row.verdict, Verdict::kHurts) << seed << ": " << row.reason;
  }
}

TEST(Ablation, IdenticalArmsClaimNothingHoweverNoisy) {
  for (const double scatter : {0.001, 0.05, 0.3, 1.0}) {
    Faked faked({.scatter = scatter}, {.scatter = scatter});
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const MeasuredRow row = faked.Run(seed).rows[0];
      EXPECT_EQ(row.verdict, Verdict::kNoEffect) << scatter << " " << seed << ": " << row.reason;
    }
  }
}

TEST(Ablation, LoadTokenizerSamplingAndMemoryAreMeasuredToo) {
  Faked faked({}, {.load = 0.002, .tokenize = 1e-4, .sampling = 1e-3});
  faked.peak_on = 51'000'000;
  const MeasuredRow row = faked.Run().rows[0];
  EXPECT_NEAR(row.load.median, 5, 1e-6);
  EXPECT_NEAR(row.load_ms_on, 2, 1e-6);
  EXPECT_NEAR(row.load_ms_off, 10, 1e-6);
  EXPECT_NEAR(row.tokenize.median, 10, 1e-6);
  EXPECT_NEAR(row.sampling.median, 0.1, 1e-6);
  EXPECT_NEAR(row.peak_memory_ratio(), 0.51, 1e-6);
  EXPECT_EQ(row.verdict, Verdict::kTrade);
  EXPECT_THAT(row.reason, HasSubstr("its price: sampling 0.10x"));
}

TEST(Ablation, TheSamePlanIsRunAndClaimsNothing) {
  Faked faked({}, {.decode = 1e-3});
  const Optimization* const rows[] = {&kIdle};
  MeasureOptions options{.one_alone = false, .quick = true, .seconds = 20, .text = "a text"};
  const auto measured =
      Measure(Machine{}, ModelFacts{}, EngineOptions{}, rows, options, faked.hooks());
  ASSERT_TRUE(measured.ok()) << measured.status().message();
  const MeasuredRow& row = measured->rows.at(0);
  EXPECT_TRUE(row.decode.measured());
  EXPECT_EQ(row.verdict, Verdict::kNoEffect);
  EXPECT_EQ(row.reason, "both arms are the same plan: one device");
  EXPECT_EQ(ReasonOf(row, Language::kChinese), "两侧方案相同：只有一个设备");
}

// The same machine gives both arms the same luck, so an identical arm must come out the same
// however it is chosen: every figure of every row, with all rows judged together.
TEST(Ablation, NoFigureOfIdenticalArmsExcludesOne) {
  Faked faked({.scatter = 0.2}, {.scatter = 0.2});
  int claims = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    claims += faked.Run(seed).rows[0].verdict != Verdict::kNoEffect;
  }
  // 5 % of error for all together would be five; the noise floor takes most of it.
  EXPECT_LE(claims, 3);
}

struct NamedWeather {
  const char* name;
  FakeWeather weather;
  double scatter, luck;
};
const NamedWeather kWeathers[] = {
    {"quiet", {}, 0.02, 0.05},
    {"drifting", {.drift = 0.3, .drift_rounds = 30}, 0.05, 0.08},
    {"bursty", {.bursts = 0.05, .burst_rounds = 6, .burst_factor = 3}, 0.05, 0.08},
    {"stormy",
     {.drift = 0.5, .drift_rounds = 10, .bursts = 0.1, .burst_rounds = 12, .burst_factor = 5},
     0.1,
     0.1}};

// Verdicts of `planted` against plain in `runs` runs, each on the machine as another run left it.
std::map<Verdict, int> VerdictsIn(const NamedWeather& named, double decode, int runs) {
  FakeWeather weather = named.weather;
  const FakeArmOptions plain = {.scatter = named.scatter, .luck = named.luck, .weather = &weather};
  FakeArmOptions planted = plain;
  planted.decode = decode;
  Faked faked(plain, planted);
  std::map<Verdict, int> verdicts;
  for (int run = 0; run < runs; ++run)
    ++verdicts[faked.Run(static_cast<uint64_t>(run)).rows[0].verdict];
  return verdicts;
}

// The row is judged by five figures, so this is 5 * 150 chances in each weather to claim falsely.
TEST(Ablation, IdenticalArmsOnAnUnsteadyMachineClaimNothing) {
  constexpr int kRuns = 150;
  int claims = 0;
  for (const NamedWeather& weather : kWeathers) {
    const auto verdicts = VerdictsIn(weather, FakeArmOptions().decode, kRuns);
    const int none = verdicts.contains(Verdict::kNoEffect) ? verdicts.at(Verdict::kNoEffect) : 0;
    EXPECT_GE(none, kRuns - 2) << weather.name;
    claims += kRuns - none;
  }
  EXPECT_LE(claims, 5);  // below 1 % of the runs
}

// An arm a quarter slower is told in all but the worst weather, there in most runs, and never
// called faster.
TEST(Ablation, ASlowerArmOnAnUnsteadyMachineIsToldAgainAndAgain) {
  for (const NamedWeather& weather : kWeathers) {
    auto verdicts = VerdictsIn(weather, 1.25 * FakeArmOptions().decode, 60);
    const bool stormy = std::string_view(weather.name) == "stormy";
    EXPECT_GE(verdicts[Verdict::kHurts], stormy ? 40 : 60) << weather.name;
    EXPECT_EQ(verdicts[Verdict::kHelps] + verdicts[Verdict::kTrade], 0) << weather.name;
  }
}

// What is smaller than two dozen pairs of a small model resolve is not told now and not told then.
TEST(Ablation, ADifferenceBelowTheResolutionIsNotClaimed) {
  for (const NamedWeather& weather : kWeathers) {
    auto verdicts = VerdictsIn(weather, 1.03 * FakeArmOptions().decode, 60);
    EXPECT_GE(verdicts[Verdict::kNoEffect], 58) << weather.name;
    EXPECT_EQ(verdicts[Verdict::kHelps], 0) << weather.name;
  }
}

TEST(Ablation, ABrokenArmFailsAloneAndIsNamed) {
  Faked faked({}, {.bad_position = 3, .bad_value = std::nanf("")});
  const Measurement measurement = faked.Run();
  EXPECT_EQ(measurement.rows[0].verdict, Verdict::kFailed);
  EXPECT_THAT(measurement.rows[0].reason, HasSubstr("the arm True: NaN or an infinity"));
  EXPECT_EQ(measurement.rows[1].verdict, Verdict::kUnavailable);
  faked.hooks().peak = [](const EngineOptions& options, const PeakWork&) -> Result<PeakMemory> {
    return Status::RunTime("killed");
  };
  EXPECT_THAT(faked.Run().rows[0].reason, HasSubstr("NaN"));
}

TEST(Ablation, AnArmThatDoesNotLoadFails) {
  Faked faked({}, {});
  const ArmFactory open = faked.hooks().open;
  faked.hooks().open = [open](const EngineOptions& options) -> Result<std::unique_ptr<ArmRunner>> {
    if (IsPlanted(options)) return Status::RunTime("no such kernel");
    return open(options);
  };
  const MeasuredRow row = faked.Run().rows[0];
  EXPECT_EQ(row.verdict, Verdict::kFailed);
  EXPECT_EQ(row.reason, "the arm True: no such kernel");
  EXPECT_FALSE(row.decode.measured());
}

TEST(Ablation, InterruptedKeepsWhatThereIs) {
  Faked faked({}, {});
  int asked = 0;
  faked.hooks().stop = [&asked] { return ++asked > 8; };
  const Measurement measurement = faked.Run();
  EXPECT_TRUE(measurement.interrupted);
  // What can be said without measuring is; a row with too few rounds is not there.
  ASSERT_EQ(measurement.rows.size(), 1u);
  EXPECT_EQ(measurement.rows[0].verdict, Verdict::kUnavailable);
}

TEST(Ablation, AnUnknownRowIsRefused) {
  Faked faked({}, {});
  const auto measured = Measure(Machine{}, ModelFacts{}, EngineOptions{}, kRows,
                                {.rows = {"use_cash"}}, faked.hooks());
  EXPECT_EQ(measured.status().code(), StatusCode::kUsage);
  EXPECT_THAT(measured.status().message(), HasSubstr("planted, missing"));
}

// A real engine on a tiny model, one arm of it with a sleep: an arm as anybody could write it.
class SleepyArm final : public ArmRunner {
 public:
  explicit SleepyArm(std::unique_ptr<ArmRunner> inner) : inner_(std::move(inner)) {}
  Result<RoundTimes> Run(const RoundWork& work) override {
    auto times = inner_->Run(work);
    if (!times.ok()) return times;
    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    times->decode +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return times;
  }
  Status Score(std::span<const int32_t> ids,
               const std::function<void(int64_t, std::span<const float>)>& on_rows) override {
    return inner_->Score(ids, on_rows);
  }
  Result<std::vector<int32_t>> Encode(const std::string& text) override {
    return inner_->Encode(text);
  }
  int64_t vocab_size() const override { return inner_->vocab_size(); }
  int64_t context_length() const override { return inner_->context_length(); }
  double DecodeBytes(int64_t depth) const override { return inner_->DecodeBytes(depth); }
  double load_seconds() const override { return inner_->load_seconds(); }

 private:
  std::unique_ptr<ArmRunner> inner_;
};

TEST(Ablation, APlantedSleepIsFoundAndNamed) {
  MeasureHooks hooks;
  hooks.open = [](const EngineOptions& options) -> Result<std::unique_ptr<ArmRunner>> {
    EngineOptions real = options;
    std::erase(real.enabled, "planted");
    FATHOM_ASSIGN(auto arm, OpenEngineArm(TinyModel(), real, nullptr));
    if (!IsPlanted(options)) return arm;
    return std::unique_ptr<ArmRunner>(std::make_unique<SleepyArm>(std::move(arm)));
  };
  const Machine machine = DetectMachine({.gpus = false});
  const auto facts = FactsOf(TinyModel(), EngineOptions{});
  ASSERT_TRUE(facts.ok()) << facts.status().message();
  const auto measured =
      Measure(machine, *facts, EngineOptions{}, kRows,
              {.one_alone = false, .rows = {"planted"}, .quick = true, .seconds = 12}, hooks);
  ASSERT_TRUE(measured.ok()) << measured.status().message();
  const MeasuredRow& row = measured->rows.at(0);
  EXPECT_EQ(row.id, "planted");
  EXPECT_EQ(row.verdict, Verdict::kHurts) << row.reason;
  EXPECT_THAT(row.reason, HasSubstr("decode 0."));
  EXPECT_EQ(row.accuracy_on.max_abs_logit_difference, row.accuracy_off.max_abs_logit_difference);
}

// The rows of the program: each has an entry, and the plain arm is what product.md says.
TEST(Ablation, EveryRowOfTheTableHasAnEntry) {
  const Machine machine = DetectMachine({.gpus = false});
  const auto facts = FactsOf(TinyModel(), EngineOptions{});
  ASSERT_TRUE(facts.ok()) << facts.status().message();
  MeasureHooks hooks;
  std::set<std::string> arms;
  hooks.open = [&arms](const EngineOptions& options) -> Result<std::unique_ptr<ArmRunner>> {
    arms.insert(WriteJson(EngineOptionsToJson(options)));
    return std::unique_ptr<ArmRunner>(std::make_unique<FakeArm>(FakeArmOptions{}));
  };
  const auto measured = Measure(machine, *facts, EngineOptions{}, AllOptimizations(),
                                {.quick = true, .text = "a text"}, hooks);
  ASSERT_TRUE(measured.ok()) << measured.status().message();
  for (const Optimization* optimization : AllOptimizations()) {
    const auto rows = measured->RowsOf(optimization->id);
    ASSERT_FALSE(rows.empty()) << optimization->id;
    for (const MeasuredRow* row : rows) {
      if (row->verdict == Verdict::kUnavailable) continue;
      EXPECT_NE(row->arm_on, row->arm_off) << row->id;
      EXPECT_TRUE(row->decode.measured()) << row->id;
    }
  }
  EXPECT_EQ(measured->baseline_rows.size(), AllOptimizations().size());
  const EngineOptions plain =
      PlainOptions(machine, *facts, EngineOptions{}, "cpu", AllOptimizations());
  EXPECT_EQ(plain.dtype, "float32");
  EXPECT_EQ(plain.attn_implementation, "eager");
  EXPECT_FALSE(plain.IsOn("compile"));
  EXPECT_FALSE(plain.IsOn("cudnn_benchmark"));
  EXPECT_TRUE(plain.IsOn("use_cache"));
  EXPECT_FALSE(plain.output_attentions);
  // Every switched arm was really another one.
  EXPECT_GT(arms.size(), 2 * 10u);
}

}  // namespace
}  // namespace fathom
