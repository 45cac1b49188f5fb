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
constexpr double kClearly = 0.95;
// One that is this much slower than the best is not timed again.
constexpr double kHopeless = 2;
constexpr double kHopelessAtFirst = 8;
constexpr size_t kMaxEntries = 4096;
constexpr double kSampleMs = 0.05;
constexpr double kMaxRepeats = 200;
constexpr double kMostRounds = 0.7;
constexpr int kMinRounds = 5;
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
  if (entries_.size() > kMaxEntries) {  // of models that came and went
    std::erase_if(entries_, [&](const auto& entry) { return !used_.contains(entry.first); });
  }
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

// Rounds over all candidates in turn, so that what disturbs the machine disturbs all. Another than
// the fixed choice wins by its fastest sample and by being faster in most rounds.
std::optional<Tuner::Entry> Tuner::Time(std::span<const TuningCandidate> candidates) const {
  const auto begin = TimingClock::now();
  const auto run = [&](size_t i, int repeats) {
    const auto start = TimingClock::now();
    for (int repeat = 0; repeat < repeats; ++repeat) candidates[i].run();
    return MillisecondsSince(start) / repeats;
  };
  std::vector<double> best(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    best[i] = run(i, 1);  // finds nothing in the caches; what is slow anyway runs no second time
    if (best[i] < options_.shape_ms) best[i] = run(i, 1);
  }
  const std::vector<double> first = best;
  std::vector<int> wins(candidates.size(), 0), rounds(candidates.size(), 0);
  while (rounds[0] < kMaxRounds) {
    const double spent = MillisecondsSince(begin);
    if (spent > options_.limit_ms || (rounds[0] >= kMinRounds && spent > options_.shape_ms)) break;
    const double fastest = *std::min_element(best.begin(), best.end());
    double fixed = 0;
    for (size_t i = 0; i < candidates.size(); ++i) {
      // The fixed choice is never given up, another one not on one or two bad samples.
      const double limit = rounds[i] < 2 ? kHopelessAtFirst : kHopeless;
      if (i > 0 && best[i] > limit * fastest) continue;
      // A sample is long enough for the clock, and for one wake-up to be no matter.
      const double repeats = std::clamp(kSampleMs / first[i], 1.0, kMaxRepeats);
      const double sample = run(i, static_cast<int>(repeats));
      best[i] = std::min(best[i], sample);
      if (i == 0) fixed = sample;
      wins[i] += sample < fixed;
      ++rounds[i];
    }
  }
  if (rounds[0] < kMinRounds) return std::nullopt;
  size_t choice = 0;
  for (size_t i = 1; i < candidates.size(); ++i) {
    const bool often = rounds[i] >= kMinRounds && wins[i] > kMostRounds * rounds[i];
    if (often && best[i] < kClearly * best[0] && best[i] < best[choice]) choice = i;
  }
  return Entry{.choice = candidates[choice].name,
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
    const auto begin = TimingClock::now();
    const std::optional<Entry> entry = Time(candidates);
    spent_ms_ += MillisecondsSince(begin);
    if (!entry) {
      ++skipped_;
      return 0;
    }
    choice = index_of(entry->choice);
    entries_[shape] = *entry;
    ++timed_;
    dirty_ = true;
  }
  used_.insert(shape);
  return choice;
}

TuningSummary Tuner::Summarize(bool all) const {
  TuningSummary summary{.on = true, .file = path(), .notice = notice_};
  for (const auto& [shape, entry] : entries_) {
    if (!all && !used_.contains(shape)) continue;
    ++summary.shapes;
    // Only a clearly faster candidate takes the place of the fixed choice.
    summary.changed += entry.microseconds < entry.fixed_microseconds;
    summary.seconds += entry.spent_ms / 1e3;
    summary.date = std::max(summary.date, entry.date);
    summary.microseconds += entry.microseconds;
    summary.fixed_microseconds += entry.fixed_microseconds;
  }
  return summary;
}

TuningSummary Tuner::summary() const {
  const std::lock_guard lock(mutex_);
  TuningSummary summary = Summarize(false);
  summary.timed = timed_;
  summary.skipped = skipped_;
  return summary;
}

TuningSummary Tuner::remembered() const {
  const std::lock_guard lock(mutex_);
  return Summarize(true);
}

std::string TuningSummary::ToString() const {
  if (!on) return "fixed choices";
  std::string text =
      fmt::format("{} shapes tuned in {:.1f} s on {}{}; {} differ from the fixed choice", shapes,
                  seconds, date, timed == 0 ? ", cached" : "", changed);
  if (shapes == 0) text = "no shape has a choice";
  if (skipped > 0)
    text += fmt::format("; {} not timed: no time was left, or the machine was busy", skipped);
  return text;
}

}  // namespace fathom
