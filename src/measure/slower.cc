#include "measure/slower.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr Words kDecode = {"decode", "生成"};
constexpr Words kPrefill = {"prefill", "预填充"};

struct Speed {
  Words name;
  RatioInterval MeasuredRow::*ratio;
  bool Figures::*judged;
};
constexpr Speed kSpeeds[] = {{kDecode, &MeasuredRow::decode, &Figures::decode},
                             {kPrefill, &MeasuredRow::prefill, &Figures::prefill}};

// a / b, each known to lie within its interval.
RatioInterval Quotient(const RatioInterval& a, const RatioInterval& b) {
  if (!a.bounded() || !b.bounded()) return {};
  return {.median = a.median / b.median,
          .low = a.low / b.high,
          .high = a.high / b.low,
          .rounds = std::min(a.rounds, b.rounds)};
}

bool IsSlower(const RatioInterval& ratio) { return ratio.bounded() && ratio.high < 1; }

// What `run` has of a row: "bfloat16"; empty: not known.
std::string ValueThatRuns(const Measurement& measurement, std::string_view id) {
  for (const auto& [row, value] : measurement.baseline_rows) {
    if (row == id) return value;
  }
  return "";
}

bool Comparable(const MeasuredRow& row) {
  return !row.same_plan && row.verdict != Verdict::kFailed && row.verdict != Verdict::kUnavailable;
}

}  // namespace

std::vector<SlowerSetting> SlowerSettings(const Measurement& measurement) {
  std::vector<SlowerSetting> found;
  for (const MeasuredRow& row : measurement.rows) {
    if (row.mode != MeasureMode::kLeaveOneOut || !Comparable(row)) continue;
    const std::string runs = ValueThatRuns(measurement, row.id);
    const auto of_run = std::ranges::find_if(measurement.rows, [&](const MeasuredRow& other) {
      return other.id == row.id && other.mode == row.mode && other.arm_on == runs &&
             Comparable(other) && &other != &row;
    });
    for (const Speed& speed : kSpeeds) {
      if (!(row.acts_on.*speed.judged)) continue;
      const auto add = [&](const std::string& against, const RatioInterval& ratio) {
        if (!IsSlower(ratio)) return;
        found.push_back({row.id, row.arm_on, against, speed.name, ratio, row.arm_on == runs});
      };
      add(row.arm_off, row.*speed.ratio);
      if (of_run == measurement.rows.end()) continue;
      add(runs, Quotient(row.*speed.ratio, (*of_run).*speed.ratio));
    }
  }
  return found;
}

std::string SlowerText(const SlowerSetting& slower, Language language) {
  return Say(
      language, "{} {}: {} {}x [{}, {}] of {}'s{}", "{0} {1}：{2} 为 {6} 的 {3}x [{4}, {5}]{7}",
      slower.id, slower.setting, slower.figure.In(language), FormatRatio(slower.ratio.median),
      FormatRatio(slower.ratio.low), FormatRatio(slower.ratio.high), slower.against,
      slower.runs ? Say(language, ", and it is what runs here", "，而这正是此处运行的设置") : "");
}

}  // namespace fathom
