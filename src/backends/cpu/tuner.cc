#include "backends/cpu/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/cache_file.h"
#include "base/check.h"
#include "base/json.h"

namespace fathom {
namespace {

constexpr int64_t kFormat = 1;
// Another candidate must be faster than the fixed choice by this much: less is noise.
constexpr double kClearly = 0.96;
// One that is this much slower than the best is not timed again.
constexpr double kHopeless = 1.6;
constexpr int kMinRounds = 3;
constexpr int kMaxRounds = 40;

using TimingClock = std::chrono::steady_clock;

double MillisecondsSince(TimingClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(TimingClock::now() - begin).count();
}

// FNV-1a: names the file; the machine itself is written in it.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

std::string Today() {
  std::tm day{};
  const std::time_t now = std::time(nullptr);
  localtime_r(&now, &day);
  return fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

}  // namespace

Tuner::Tuner(TunerOptions options) : options_(std::move(options)) { Load(); }

std::string Tuner::path() const {
  if (options_.folder.empty()) return "";
  return fmt::format("{}/tuning-{:016x}.json", options_.folder, Hash(options_.machine));
}

void Tuner::Load() {
  const std::string file = path();
  std::error_code error;
  if (file.empty() || !std::filesystem::exists(file, error)) return;
  const auto reject = [&](std::string_view why) {
    entries_.clear();
    notice_ = fmt::format("{}: the tuned kernel choices {}: they are made anew", file, why);
  };
  const auto value = ParseJsonFile(file);
  if (!value.ok() || !value->is_object()) return reject("cannot be read");
  const auto text = [](const JsonValue& object, std::string_view key) {
    const JsonValue* field = object.Find(key);
    return field != nullptr && field->is_string() ? field->as_string() : std::string();
  };
  const auto number = [](const JsonValue& object, std::string_view key) {
    const JsonValue* field = object.Find(key);
    return field != nullptr && field->is_number() ? field->as_double() : -1;
  };
  if (number(*value, "format") != kFormat || text(*value, "machine") != options_.machine) {
    return reject("are another machine's");
  }
  // Another build of the program: replaced without a word.
  if (text(*value, "build") != options_.build) return;
  const JsonValue* shapes = value->Find("shapes");
  if (shapes == nullptr || !shapes->is_object()) return reject("cannot be read");
  for (const auto& [shape, entry] : shapes->as_object()) {
    Entry known{.choice = text(entry, "choice"),
                .microseconds = number(entry, "microseconds"),
                .fixed_microseconds = number(entry, "fixed_microseconds"),
                .spent_ms = number(entry, "spent_ms"),
                .date = text(entry, "date")};
    if (known.choice.empty() || known.spent_ms < 0 || known.date.empty()) {
      return reject("cannot be read");
    }
    entries_[shape] = std::move(known);
  }
}

void Tuner::Save() {
  const std::lock_guard lock(mutex_);
  const std::string file = path();
  if (!dirty_ || file.empty()) return;
  JsonObject shapes;
  for (const auto& [shape, entry] : entries_) {
    shapes.emplace_back(shape, JsonObject{{"choice", entry.choice},
                                          {"microseconds", entry.microseconds},
                                          {"fixed_microseconds", entry.fixed_microseconds},
                                          {"spent_ms", entry.spent_ms},
                                          {"date", entry.date}});
  }
  const JsonValue value = JsonObject{{"format", kFormat},
                                     {"machine", options_.machine},
                                     {"build", options_.build},
                                     {"shapes", std::move(shapes)}};
  WriteCacheFile(file, WriteJsonIndented(value) + "\n");
  dirty_ = false;
}

// Rounds over all candidates in turn, so that what disturbs the machine disturbs all; the fastest
// run of each counts.
Tuner::Entry Tuner::Time(std::span<const TuningCandidate> candidates) const {
  const auto begin = TimingClock::now();
  std::vector<double> cold(candidates.size(), 1e300), best(candidates.size(), 1e300);
  for (int round = 0; round < kMaxRounds; ++round) {
    if (round >= kMinRounds && MillisecondsSince(begin) > options_.shape_ms) break;
    if (round > 0 && MillisecondsSince(begin) > 10 * options_.shape_ms) break;
    std::vector<double>& times = round == 0 ? cold : best;  // the first round warms caches up
    const std::vector<double>& before = round < 2 ? cold : best;
    const double fastest = *std::min_element(before.begin(), before.end());
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (round > 0 && before[i] > kHopeless * fastest) continue;
      const auto start = TimingClock::now();
      candidates[i].run();
      times[i] = std::min(times[i], MillisecondsSince(start));
    }
  }
  // Who was never timed warm has lost already, or nobody was.
  if (*std::min_element(best.begin(), best.end()) == 1e300) best = cold;
  best[0] = std::min(best[0], cold[0]);
  const size_t winner =
      static_cast<size_t>(std::min_element(best.begin(), best.end()) - best.begin());
  const size_t choice = best[winner] < kClearly * best[0] ? winner : 0;
  return {.choice = candidates[choice].name,
          .microseconds = 1e3 * best[choice],
          .fixed_microseconds = 1e3 * best[0],
          .spent_ms = MillisecondsSince(begin),
          .date = Today()};
}

size_t Tuner::Choose(const std::string& shape, std::span<const TuningCandidate> candidates) {
  FATHOM_CHECK(!candidates.empty());
  if (candidates.size() == 1) return 0;
  const std::lock_guard lock(mutex_);
  const auto index_of = [&](const std::string& name) {
    const auto found = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const TuningCandidate& c) { return c.name == name; });
    return static_cast<size_t>(found - candidates.begin());
  };
  const auto known = entries_.find(shape);
  size_t choice = known == entries_.end() ? candidates.size() : index_of(known->second.choice);
  if (choice == candidates.size()) {
    if (spent_ms_ > options_.total_ms) {
      ++skipped_;
      return 0;
    }
    Entry entry = Time(candidates);
    spent_ms_ += entry.spent_ms;
    choice = index_of(entry.choice);
    entries_[shape] = std::move(entry);
    ++timed_;
    dirty_ = true;
  }
  used_[shape] = choice != 0;
  return choice;
}

TuningSummary Tuner::summary() const {
  const std::lock_guard lock(mutex_);
  TuningSummary summary{.on = true,
                        .shapes = static_cast<int>(used_.size()),
                        .timed = timed_,
                        .skipped = skipped_,
                        .file = path(),
                        .notice = notice_};
  for (const auto& [shape, changed] : used_) {
    const Entry& entry = entries_.at(shape);
    summary.changed += changed;
    summary.seconds += entry.spent_ms / 1e3;
    summary.date = std::max(summary.date, entry.date);
    summary.microseconds += entry.microseconds;
    summary.fixed_microseconds += entry.fixed_microseconds;
  }
  return summary;
}

TuningSummary Tuner::remembered() const {
  const std::lock_guard lock(mutex_);
  TuningSummary summary{.on = true,
                        .shapes = static_cast<int>(entries_.size()),
                        .file = path(),
                        .notice = notice_};
  for (const auto& [shape, entry] : entries_) {
    // Only a clearly faster candidate takes the place of the fixed choice.
    summary.changed += entry.microseconds < entry.fixed_microseconds;
    summary.seconds += entry.spent_ms / 1e3;
    summary.date = std::max(summary.date, entry.date);
    summary.microseconds += entry.microseconds;
    summary.fixed_microseconds += entry.fixed_microseconds;
  }
  return summary;
}

std::string TuningSummary::ToString() const {
  if (!on) return "fixed choices";
  std::string text =
      fmt::format("{} shapes tuned in {:.1f} s on {}{}; {} differ from the fixed choice", shapes,
                  seconds, date, timed == 0 ? ", cached" : "", changed);
  if (shapes == 0) text = "no shape has a choice";
  if (skipped > 0) text += fmt::format("; {} not timed: the time for it was over", skipped);
  return text;
}

}  // namespace fathom
