#include "measure/ablation.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "base/json.h"
#include "machine/machine_json.h"
#include "measure/accuracy.h"
#include "measure/engine_options_json.h"
#include "measure/pair_sampler.h"
#include "measure/verdict.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kQuickSeconds = 56, kFullSeconds = 900, kLeastSeconds = 20;
// Of a claim an interval beyond 1 is one half, the other one is a median beyond the resolution. In
// a quick measurement the second is the harder one, so each interval may be wrong in a hundredth of
// all cases, however many rows there are. In a long one, whose resolution is finer, all figures
// share the error.
constexpr double kQuickAlpha = 0.01, kFamilyAlpha = 0.05;
constexpr int kLooks = 2;  // an entry that is not decided at the first goes on while there is time
constexpr int64_t kMaxReferenceBytes = int64_t{256} << 20;
constexpr int64_t kScoreWindow = 256;
constexpr size_t kTokenizeBytes = 2000;
constexpr std::array<int64_t, 5> kPromptTokens = {224, 128, 64, 32, 16};
// A prompt of 224 and these are the 256 tokens that a use of the cache is judged at.
constexpr int64_t kDecodeTokens = 32;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string NowUtc() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

// Two arms to compare, or why there are none.
struct Entry {
  const Optimization* optimization = nullptr;  // null: the baseline against itself
  MeasureMode mode = MeasureMode::kLeaveOneOut;
  std::optional<Arm> on, off;
  MeasuredRow row;
  std::unique_ptr<PairSampler> sampler;  // null: nothing to time
  size_t looks = 0;                      // that were taken
  bool done = false;                     // more pairs would change nothing
  bool decided = false;                  // done because the figures say enough
  bool too_long = false;                 // a visit is, for the time that is left
  bool failed = false;                   // one of the arms; `row` says how
};

// What is known of an arm once, however many entries have it.
struct ArmFacts {
  Status status;
  ArmAccuracy accuracy;
  int64_t peak_bytes = 0;
};

class Ablation {
 public:
  Ablation(const Machine& machine, const ModelFacts& facts, const EngineOptions& options,
           std::span<const Optimization* const> rows, const MeasureOptions& measure,
           const MeasureHooks& hooks)
      : machine_(machine),
        facts_(facts),
        options_(options),
        rows_(rows),
        measure_(measure),
        hooks_(hooks),
        plain_(PlainOptions(machine, facts, options, kDevice, rows)),
        random_(measure.seed) {
    seconds_ = measure.seconds > 0 ? measure.seconds : measure.quick ? kQuickSeconds : kFullSeconds;
  }

  Result<Measurement> Run() {
    FATHOM_TRY(MakeEntries());
    DescribeWhat();
    FATHOM_TRY(MakeWork());
    FATHOM_TRY(MakeReference());
    const int looks = kLooks * std::max(FiguresToJudge(), 1);
    looks_ = PlanLooks(measure_.quick ? kQuickAlpha : kFamilyAlpha / looks, kLooks);
    measurement_.workload.interval_level = 1 - looks_.alpha;
    FATHOM_TRY(FindAllFacts());
    bool more = true;
    while (more) {
      FATHOM_ASSIGN(more, Sweep());
    }
    Conclude();
    measurement_.workload.seconds = SecondsSince(start_);
    return std::move(measurement_);
  }

 private:
  static constexpr std::string_view kDevice = "cpu";

  bool Stopped() {
    measurement_.interrupted = measurement_.interrupted || (hooks_.stop && hooks_.stop());
    return measurement_.interrupted;
  }
  void Tell(const Entry& entry) {
    if (!hooks_.on_progress) return;
    const auto over = [](const Entry& each) { return !each.on || each.done; };
    hooks_.on_progress({.done = static_cast<int>(std::ranges::count_if(entries_, over)),
                        .total = static_cast<int>(entries_.size()),
                        .id = entry.row.id,
                        .arm = entry.row.arm_on,
                        .rounds = PairsOf(entry)});
  }
  int EntriesToTime() const {
    return static_cast<int>(std::count_if(entries_.begin(), entries_.end(),
                                          [](const Entry& entry) { return entry.on.has_value(); }));
  }
  // Each may err, so they share the error.
  int FiguresToJudge() const {
    int count = 0;
    for (const Entry& entry : entries_) {
      if (entry.on && !entry.row.same_plan) count += entry.row.acts_on.count();
    }
    return count;
  }
  double BudgetFor(int entries_left) const {
    return std::max(seconds_ - SecondsSince(start_), 0.0) / std::max(entries_left, 1);
  }

  Status MakeEntries() {
    for (const std::string& id : measure_.rows) {
      const auto same = [&](const Optimization* row) { return row->id == id; };
      if (std::any_of(rows_.begin(), rows_.end(), same)) continue;
      std::vector<std::string_view> ids;
      for (const Optimization* row : rows_) ids.push_back(row->id);
      return Status::Usage("--rows", fmt::format("{} is no optimization", id),
                           fmt::format("known are {}", fmt::join(ids, ", ")));
    }
    for (const Optimization* row : rows_) {
      if (!measure_.rows.empty() && !EngineOptions::Contains(measure_.rows, std::string(row->id))) {
        continue;
      }
      // It acts on float32 weights alone, so it is judged where all else is plain.
      const bool alone_only = row->id == "float32_matmul_precision";
      if (measure_.leave_one_out && !alone_only) AddEntries(*row, MeasureMode::kLeaveOneOut);
      if (measure_.one_alone || alone_only) AddEntries(*row, MeasureMode::kOneAlone);
    }
    return Status::Ok();
  }

  void AddEntries(const Optimization& row, MeasureMode mode) {
    const EngineOptions& base = mode == MeasureMode::kOneAlone ? plain_ : options_;
    const RowInput input{machine_, &facts_, base};
    const std::vector<Arm> arms = row.arms(input, kDevice);
    const auto off = std::find_if(arms.begin(), arms.end(), [](const Arm& arm) { return !arm.on; });
    const auto made = [&] {
      Entry entry;
      entry.optimization = &row;
      entry.mode = entry.row.mode = mode;
      entry.row.id = std::string(row.id);
      entry.row.acts_on = row.acts_on;
      return entry;
    };
    int num_on = 0;
    for (const Arm& arm : arms) {
      if (!arm.on || off == arms.end()) continue;
      Entry entry = made();
      entry.on = arm;
      entry.off = *off;
      entry.row.arm_on = arm.value;
      entry.row.arm_off = off->value;
      TellSamePlan(row, arm, entry.row);
      entries_.push_back(std::move(entry));
      ++num_on;
    }
    if (num_on > 0) return;
    Entry entry = made();
    for (const Language language : {Language::kEnglish, Language::kChinese}) {
      const Detection detection = row.detect({machine_, &facts_, base, language});
      const DeviceStatus& status = detection.Of(kDevice);
      entry.row.verdict =
          status.state == DeviceState::kNoEffect ? Verdict::kNoEffect : Verdict::kUnavailable;
      std::string& reason = language == Language::kEnglish ? entry.row.reason : entry.row.reason_zh;
      reason = status.reason;
      if (!detection.remedy.empty()) {
        reason += Say(language, "; ", "；") + detection.remedy;
      }
    }
    entries_.push_back(std::move(entry));
  }

  // Where the row itself says that being on changes nothing here. It is run all the same.
  void TellSamePlan(const Optimization& row, const Arm& on, MeasuredRow& measured) const {
    const auto why = [&](Language language) -> std::string {
      const Detection detection = row.detect({machine_, &facts_, on.options, language});
      const DeviceStatus& status = detection.Of(kDevice);
      if (status.state != DeviceState::kNoEffect) return "";
      return Say(language, "both arms are the same plan: {}", "两侧方案相同：{}", status.reason);
    };
    measured.reason = why(Language::kEnglish);
    measured.reason_zh = why(Language::kChinese);
    measured.same_plan = !measured.reason.empty();
  }

  void DescribeWhat() {
    measurement_.machine = MachineToJsonValue(machine_);
    measurement_.model = JsonObject{{"path", facts_.path},
                                    {"architecture", facts_.architecture},
                                    {"dtype", facts_.checkpoint_dtype},
                                    {"parameters", facts_.parameters},
                                    {"weights_bytes", facts_.weights_bytes},
                                    {"vocab_size", facts_.vocab_size}};
    measurement_.stack_version = FATHOM_VERSION;
    measurement_.when = NowUtc();
    measurement_.workload.quick = measure_.quick;
    measurement_.workload.seed = measure_.seed;
    EngineOptions options = options_;
    const auto reports = RunOptimizations(machine_, &facts_, kDevice, &options);
    if (!reports.ok()) return;
    for (const OptimizationReport& report : *reports) {
      const std::string value = report.outcome.value.empty()
                                    ? std::string(RowStateName(report.outcome.state))
                                    : report.outcome.value;
      measurement_.baseline_rows.emplace_back(report.optimization->id, value);
    }
  }

  // The prompt and how long it is: what a round may cost decides.
  Status MakeWork() {
    FATHOM_ASSIGN(const auto arm, hooks_.open(options_));
    FATHOM_ASSIGN(auto ids, arm->Encode(measure_.text));
    ids_ = PromptSource(std::move(ids), arm->vocab_size());
    work_.text = measure_.text.substr(0, kTokenizeBytes);
    while (!work_.text.empty() && (work_.text.back() & 0x80) != 0) work_.text.pop_back();
    work_.seed = measure_.seed;
    const int64_t room = arm->context_length();
    work_.decode_tokens = std::clamp<int64_t>(room - 2, 1, measure_.quick ? 16 : kDecodeTokens);
    FATHOM_TRY(ChoosePrompt(*arm, room - work_.decode_tokens - 1));
    measurement_.workload.prompt_tokens = static_cast<int64_t>(work_.prompt_ids.size());
    measurement_.workload.decode_tokens = work_.decode_tokens;
    if (hooks_.read_stream) measurement_.baseline.roof_gb_per_s = hooks_.read_stream();
    const int64_t depth = measurement_.workload.prompt_tokens + work_.decode_tokens / 2;
    measurement_.baseline.decode_bytes_per_token = arm->DecodeBytes(depth);
    return Status::Ok();
  }

  Status ChoosePrompt(ArmRunner& arm, int64_t most) {
    const auto take = [&](int64_t count) {
      work_.prompt_ids.assign(
          ids_.begin(), ids_.begin() + std::clamp<int64_t>(count, 1, std::max<int64_t>(most, 1)));
    };
    take(kPromptTokens.back());
    FATHOM_TRY(arm.Run(work_).status());
    FATHOM_ASSIGN(const RoundTimes times, arm.Run(work_));
    const double round = BudgetFor(EntriesToTime() + 1) / (4.0 * RoundsNeeded(kFamilyAlpha / 100));
    for (const int64_t count : kPromptTokens) {
      if (measure_.quick && count > 64) continue;
      take(count);
      if (times.prefill * static_cast<double>(count) <= round) break;
    }
    return Status::Ok();
  }

  // The fp32 eager arm's logits over the text. Where it fails, no arm can be compared.
  Status MakeReference() {
    FATHOM_ASSIGN(const auto arm, hooks_.open(plain_));
    const int64_t window = std::min(kScoreWindow, arm->context_length());
    // A trial says how many tokens the budget has room for: a twentieth of it for all arms.
    const std::span<const int32_t> ids(ids_);
    const auto trial = ids.first(std::min<size_t>(ids.size(), static_cast<size_t>(window) / 4 + 1));
    const auto start = Clock::now();
    const auto brief = ReferenceLogits::Create(*arm, trial, window, kMaxReferenceBytes);
    if (!brief.ok()) return KeepReferenceFailure(brief.status());
    const double token = SecondsSince(start) / static_cast<double>(trial.size());
    const double share = seconds_ * 0.05 / (EntriesToTime() + 2);
    const auto count =
        std::clamp<size_t>(static_cast<size_t>(share / token), trial.size(), ids.size());
    auto reference = ReferenceLogits::Create(*arm, ids.first(count), window, kMaxReferenceBytes);
    if (!reference.ok()) return KeepReferenceFailure(reference.status());
    reference_ = *std::move(reference);
    measurement_.workload.accuracy_tokens = reference_->tokens();
    return Status::Ok();
  }

  Status KeepReferenceFailure(const Status& status) {
    reference_failure_ = Status::RunTime("the fp32 eager arm: " + status.message());
    return Status::Ok();
  }

  PairPlan PlanFor(const Entry& entry) {
    PairPlan plan;
    plan.work = work_;
    // Half as long again for rows that nobody tokenizes in would be time taken from all.
    plan.judged = entry.row.acts_on;
    if (entry.optimization != nullptr && !plan.judged.tokenize) plan.work.text.clear();
    plan.pairs = looks_.samples.front();
    plan.budget_seconds = share_seconds_;
    plan.seed = measure_.seed * 1000003 + ++num_plans_;
    return plan;
  }

  // Accuracy and memory of every arm; then what time is left is shared between the entries. The
  // baseline against itself is one of them: what differs there is the machine, not an optimization.
  Status FindAllFacts() {
    Entry same;
    same.on = same.off = Arm{.value = "A/A", .on = true, .options = options_};
    same.row.id = "baseline";
    same.row.arm_on = same.row.arm_off = "A/A";
    entries_.insert(entries_.begin(), std::move(same));
    for (Entry& entry : entries_) {
      if (!entry.on || Stopped()) continue;
      Tell(entry);
      FindFactsOf(entry);
    }
    const auto open = std::ranges::count_if(entries_, IsOpen);
    share_seconds_ =
        std::max(seconds_ - SecondsSince(start_), 0.0) / static_cast<double>(std::max(open, 1L));
    return Status::Ok();
  }

  void FindFactsOf(Entry& entry) {
    if (entry.optimization == nullptr) {
      FactsOfArm(options_);
      return;
    }
    if (NoTimeLeft(entry)) return;
    if (!reference_failure_.ok()) return Fail(entry, reference_failure_);
    for (const std::optional<Arm>* arm : {&entry.on, &entry.off}) {
      const ArmFacts& facts = FactsOfArm((*arm)->options);
      if (Stopped()) return;
      if (!facts.status.ok()) return Fail(entry, facts.status, *arm);
      (arm == &entry.on ? entry.row.accuracy_on : entry.row.accuracy_off) = facts.accuracy;
      (arm == &entry.on ? entry.row.peak_bytes_on : entry.row.peak_bytes_off) = facts.peak_bytes;
    }
  }

  // A budget that was too small for what comes before the rows leaves each its one pair.
  bool NoTimeLeft(Entry& entry) {
    if (SecondsSince(start_) <= std::max(1.1 * seconds_, kLeastSeconds)) return false;
    Fail(entry, Status::RunTime("no time was left to measure it; raise --seconds"));
    return true;
  }

  static bool IsOpen(const Entry& entry) { return entry.on && !entry.done; }
  static int PairsOf(const Entry& entry) { return entry.sampler ? entry.sampler->pairs() : 0; }

  // A visit to entries that are open, in a drawn order, so that the samples of an entry come from
  // all of the time that there is and a bad moment is one of them. False: nothing is left to do.
  Result<bool> Sweep() {
    ReopenUndecided();
    // Those with the fewest pairs: one that makes several in a visit waits for the others.
    std::vector<Entry*> open;
    int fewest = std::numeric_limits<int>::max();
    for (Entry& entry : entries_) {
      if (IsOpen(entry) && !entry.too_long) fewest = std::min(fewest, PairsOf(entry));
    }
    for (Entry& entry : entries_) {
      if (IsOpen(entry) && !entry.too_long && PairsOf(entry) == fewest) open.push_back(&entry);
    }
    // The baseline first at first: where it fails there is nothing to compare with.
    if (num_sweeps_++ > 0) std::shuffle(open.begin(), open.end(), random_);
    for (Entry* entry : open) {
      if (Stopped()) return false;
      // The first visit is made whatever it costs; no other one that would overrun the budget.
      entry->too_long =
          entry->sampler && SecondsSince(start_) + entry->sampler->visit_seconds() > seconds_;
      if (!entry->too_long) FATHOM_TRY(VisitEntry(*entry));
    }
    return !open.empty();
  }

  // What was decided when less was known of this run's noise may not be any more.
  void ReopenUndecided() {
    Evaluate();
    for (Entry& entry : entries_) {
      if (!entry.decided) continue;
      FillRow(entry);
      entry.done = entry.decided = Decided(entry.row, resolution_);
    }
  }

  Status VisitEntry(Entry& entry) {
    Tell(entry);
    Status status;
    if (!entry.sampler) {
      if (entry.optimization != nullptr && NoTimeLeft(entry)) return Status::Ok();
      entry.sampler = std::make_unique<PairSampler>(hooks_.open, entry.on->options,
                                                    entry.off->options, PlanFor(entry));
      status = entry.sampler->Prepare();
    }
    if (status.ok()) status = entry.sampler->Visit(PairSeconds(), hooks_.stop);
    if (!status.ok()) {
      if (entry.optimization == nullptr) return status;
      Fail(entry, status);
      return Status::Ok();
    }
    Look(entry);
    return Status::Ok();
  }

  // What a pair may cost for every open entry to come to its first look.
  double PairSeconds() const {
    int missing = 0;
    for (const Entry& entry : entries_) {
      if (!IsOpen(entry)) continue;
      missing += std::max(looks_.samples.front() + 1 - PairsOf(entry), 1);
    }
    return std::max(seconds_ - SecondsSince(start_), 0.0) / std::max(missing, 1);
  }

  void Look(Entry& entry) {
    entry.done = !entry.sampler->may_visit();
    bool due = false;
    while (entry.looks < looks_.samples.size() &&
           entry.sampler->pairs() >= looks_.samples[entry.looks]) {
      ++entry.looks;
      due = true;
    }
    if (!due) return;
    entry.done = entry.done || entry.row.same_plan || entry.looks == looks_.samples.size();
    if (entry.done || entry.optimization == nullptr) return;
    Evaluate();
    FillRow(entry);
    entry.done = entry.decided = Decided(entry.row, resolution_);
  }

  // What the samples of all entries together say of this run.
  void Evaluate() {
    // Pairs of one visit are more alike than those of several, so entries are told apart by that.
    std::vector<const PairRatios*> ratios, in_visits;
    for (const Entry& entry : entries_) {
      if (!entry.sampler) continue;
      const bool several = entry.sampler->pairs_a_visit() > 1;
      (several ? in_visits : ratios).push_back(&entry.sampler->samples().ratios);
    }
    inflation_ = InflationOf(ratios);
    inflation_in_visits_ = InflationOf(in_visits);
    const FigureFactors& least = measure_.quick ? kQuickLeast : kLeast;
    const Entry& same = entries_.front();
    resolution_ = same.sampler
                      ? ResolutionsOf(same.sampler->samples().ratios, least, InflationFor(same))
                      : least;
  }

  const FigureFactors& InflationFor(const Entry& entry) const {
    return entry.sampler->pairs_a_visit() > 1 ? inflation_in_visits_ : inflation_;
  }

  void FillRow(Entry& entry) {
    const PairSamples& samples = entry.sampler->samples();
    FillLoad(samples, entry.row);
    FillIntervals(samples.ratios, looks_.alpha, InflationFor(entry), resolution_, entry.row);
  }

  void Conclude() {
    Evaluate();
    MeasuredWorkload& workload = measurement_.workload;
    workload.noise_prefill = resolution_.prefill;
    workload.noise_decode = resolution_.decode;
    workload.noise_load = resolution_.load;
    workload.noise_tokenize = resolution_.tokenize;
    workload.noise_sampling = resolution_.sampling;
    FillBaseline();
    for (Entry& entry : entries_) {
      if (entry.optimization == nullptr) continue;
      if (entry.on && !entry.failed) {
        // What an interruption left without an interval says nothing.
        if (measurement_.interrupted && entry.looks == 0) continue;
        FillRow(entry);
        entry.row.roof_share_on =
            RoofShare(entry.sampler->samples().decode_bytes_on, entry.sampler->samples().on);
        JudgeInto(entry.row);
      }
      measurement_.rows.push_back(std::move(entry.row));
    }
  }

  void FillBaseline() {
    const Entry& same = entries_.front();
    if (!same.sampler || same.sampler->pairs() == 0) return;
    const PairSamples& samples = same.sampler->samples();
    MeasuredBaseline& baseline = measurement_.baseline;
    baseline.prefill_tokens_per_s = 1 / Median(samples.on.prefill);
    baseline.decode_tokens_per_s = 1 / Median(samples.on.decode);
    baseline.load_ms = Median(samples.on.load) * 1e3;
    baseline.roof_share = RoofShare(baseline.decode_bytes_per_token, samples.on);
    baseline.peak_resident_bytes = FactsOfArm(options_).peak_bytes;
  }

  double RoofShare(double bytes_per_token, const ArmSeconds& seconds) const {
    const double roof = measurement_.baseline.roof_gb_per_s;
    if (!(roof > 0) || seconds.decode.empty()) return 0;
    return bytes_per_token / Median(seconds.decode) / (roof * 1e9);
  }

  const ArmFacts& FactsOfArm(const EngineOptions& options) {
    const auto [at, added] = arms_.try_emplace(WriteJson(EngineOptionsToJson(options)));
    if (added) at->second = FindFacts(options);
    return at->second;
  }

  ArmFacts FindFacts(const EngineOptions& options) {
    ArmFacts facts;
    {
      const auto arm = hooks_.open(options);
      facts.status = arm.status();
      if (arm.ok() && reference_) {
        const auto accuracy = reference_->Compare(**arm);
        facts.status = accuracy.status();
        if (accuracy.ok()) facts.accuracy = *accuracy;
      }
    }
    if (!facts.status.ok() || !hooks_.peak) return facts;
    const PeakWork work{.prompt_tokens = static_cast<int64_t>(work_.prompt_ids.size()),
                        .decode_tokens = std::min<int64_t>(work_.decode_tokens, 8)};
    const auto peak = hooks_.peak(options, work);
    if (peak.ok()) {
      facts.peak_bytes = peak->resident_bytes;
    } else if (peak.status().code() != StatusCode::kInterrupted) {
      facts.status = peak.status();
    }
    return facts;
  }

  static void Fail(Entry& entry, const Status& status, const std::optional<Arm>& arm = {}) {
    entry.done = entry.failed = true;
    entry.row.verdict = Verdict::kFailed;
    entry.row.same_plan = false;
    entry.row.reason =
        arm ? fmt::format("the arm {}: {}", arm->value, status.message()) : status.message();
    entry.row.reason_zh =
        arm ? fmt::format("{} 一侧：{}", arm->value, status.message()) : status.message();
  }

  const Machine& machine_;
  const ModelFacts& facts_;
  const EngineOptions& options_;
  const std::span<const Optimization* const> rows_;
  const MeasureOptions& measure_;
  const MeasureHooks& hooks_;
  const EngineOptions plain_;
  const Clock::time_point start_ = Clock::now();
  double seconds_ = 0;
  uint64_t num_plans_ = 0;
  std::vector<Entry> entries_;
  std::vector<int32_t> ids_;  // of the text
  RoundWork work_;
  Looks looks_;
  FigureFactors inflation_, inflation_in_visits_, resolution_;
  double share_seconds_ = 0;  // of an entry
  int num_sweeps_ = 0;
  std::mt19937_64 random_;
  std::optional<ReferenceLogits> reference_;
  Status reference_failure_;
  std::map<std::string, ArmFacts> arms_;
  Measurement measurement_;
};

}  // namespace

std::vector<int32_t> PromptSource(std::vector<int32_t> ids_of_text, int64_t vocab_size) {
  for (auto i = static_cast<int64_t>(ids_of_text.size()); ids_of_text.size() < 512; ++i) {
    ids_of_text.push_back(static_cast<int32_t>((i * 7919 + 1) % vocab_size));
  }
  return ids_of_text;
}

EngineOptions PlainOptions(const Machine& machine, const ModelFacts& facts,
                           const EngineOptions& options, std::string_view device,
                           std::span<const Optimization* const> rows) {
  EngineOptions plain = options;
  for (const Optimization* row : rows) {
    // Without a cache every token costs the whole text again; what is returned beside the ids is
    // nothing that a plain script asks for.
    if (row->id == "use_cache" || row->id == "output_attentions" ||
        row->id == "output_hidden_states") {
      continue;
    }
    const EngineOptions before = plain;
    for (Arm& arm : row->arms(RowInput{machine, &facts, before}, device)) {
      if (!arm.on) plain = std::move(arm.options);
    }
  }
  return plain;
}

Result<Measurement> Measure(const Machine& machine, const ModelFacts& facts,
                            const EngineOptions& options, std::span<const Optimization* const> rows,
                            const MeasureOptions& measure, const MeasureHooks& hooks) {
  return Ablation(machine, facts, options, rows, measure, hooks).Run();
}

}  // namespace fathom
