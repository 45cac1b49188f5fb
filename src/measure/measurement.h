// What `fathom measure` found: plain data, its JSON form, and how a row of it reads in one line.
// explain, audit and report show it through results_store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "fathom/status.h"
#include "measure/statistics.h"
#include "optimizations/optimization.h"

namespace fathom {

enum class Verdict : uint8_t { kHelps, kHurts, kNoEffect, kTrade, kUnavailable, kFailed };
// "helps", "hurts", "no_effect", "trade", "unavailable", "failed".
std::string_view VerdictName(Verdict verdict);
std::optional<Verdict> VerdictFromName(std::string_view name);

enum class MeasureMode : uint8_t { kLeaveOneOut, kOneAlone };
std::string_view MeasureModeName(MeasureMode mode);  // "leave_one_out", "one_alone"

// An arm against the fp32 eager arm, over the text that ships with the program.
struct ArmAccuracy {
  double max_abs_logit_difference = 0;
  double kl_divergence = 0;     // nats a token, of the arm from the fp32 eager arm
  double greedy_agreement = 1;  // share of positions whose largest logit is the same token
  int64_t tokens = 0;           // positions compared; 0: not measured
};

// One row (or one of its arms) switched on against off, all else equal. Ratios are arm_on / arm_off
// in speed (load and tokenize: in inverse time): above 1 is faster with arm_on.
struct MeasuredRow {
  std::string id;
  MeasureMode mode = MeasureMode::kLeaveOneOut;
  std::string arm_on, arm_off;  // as transformers writes the value
  RatioInterval prefill, decode, load;
  RatioInterval tokenize;                  // text to ids
  RatioInterval sampling;                  // logits to the next id, with do_sample and top_k
  double load_ms_on = 0, load_ms_off = 0;  // 0: not known
  // Resident bytes at most, each in a fresh process that loads and generates; 0: not measured.
  int64_t peak_bytes_on = 0, peak_bytes_off = 0;
  ArmAccuracy accuracy_on, accuracy_off;
  // Of the read stream, while decoding with arm_on; 0: not known.
  double roof_share_on = 0;
  Figures acts_on;  // what the row is judged by
  Verdict verdict = Verdict::kFailed;
  // In English, as JSON has it, and in Chinese where no figure decides: why both arms are the same
  // plan, why there is no other arm.
  std::string reason, reason_zh;
  bool same_plan = false;  // both arms run the same by construction: `reason` says why

  double peak_memory_ratio() const;  // 0: not measured
};

// Whether loading differs by what a person can notice; yes where it is not known how long it took.
bool LoadCounts(const MeasuredRow& row);

// A speed by which a row is judged, with its name for people.
struct JudgedSpeed {
  Words name;
  const RatioInterval* ratio = nullptr;
};
// Those that the row can act on, and of prefill, decode and load also one that it has no business
// with where the whole interval is beyond kForeignFactor: so much is no noise but a fault. Loading
// only where LoadCounts. None where both arms are the same plan.
std::vector<JudgedSpeed> JudgedSpeeds(const MeasuredRow& row);

// The arm that others are compared with.
struct MeasuredBaseline {
  double prefill_tokens_per_s = 0;
  double decode_tokens_per_s = 0;
  int64_t peak_resident_bytes = 0;
  double load_ms = 0;
  double decode_bytes_per_token = 0;
  double roof_gb_per_s = 0;  // read stream; 0: not known
  double roof_share = 0;     // of decode; above 1 where the weights fit a cache; 0: not known
};

// The work of a round.
struct MeasuredWorkload {
  int64_t prompt_tokens = 0;
  int64_t decode_tokens = 0;
  int64_t accuracy_tokens = 0;
  uint64_t seed = 0;
  bool quick = false;
  // The least factors that are told of: identical arms (A/A) were seen apart by so much, or less
  // would not be worth telling. An interval of a median nearer to 1 includes 1.
  double noise_prefill = 1, noise_decode = 1, noise_load = 1, noise_tokenize = 1,
         noise_sampling = 1;
  double seconds = 0;            // the whole measurement
  double interval_level = 0.95;  // at which each interval holds
};

struct Measurement {
  JsonValue machine;             // {}
  JsonValue model;               // {"path", "architecture", "dtype", "parameters", "weights_bytes"}
  std::string stack = "fathom";  // or "transformers"
  std::string stack_version;
  std::string when;  // UTC, "2026-11-22T21:40:00Z"
  bool interrupted = false;
  MeasuredBaseline baseline;
  // Every row's state in the baseline: (id, value), in the table's order.
  std::vector<std::pair<std::string, std::string>> baseline_rows;
  MeasuredWorkload workload;
  std::vector<MeasuredRow> rows;

  // The entries of a row, in order; several for a row of several arms and modes.
  std::vector<const MeasuredRow*> RowsOf(std::string_view id) const;
};

// Memory that differs by less than this factor, and a divergence (nats a token) below this, are no
// effect: allocators and the last bits of sums move both.
inline constexpr double kMemoryThreshold = 1.05;
inline constexpr double kKlThreshold = 1e-4;
inline constexpr double kForeignFactor = 1.5;
// The limit below which an answer seems immediate (R. B. Miller, Response time in man-computer
// conversational transactions, 1968).
inline constexpr double kLoadDifferenceMs = 100;

std::string FormatRatio(double ratio);  // "1.31", "12.4", "140", "0.031"
std::string FormatKl(double kl);        // "0.002", "3e-07"

// {"machine": {}, "model": {}, "baseline": {}, "workload": {}, "rows": []}. What was not measured
// is null, as is the end of an interval that too few rounds leave open.
JsonValue MeasurementToJson(const Measurement& measurement);
// kBadFile (naming `what`) where it is not of that form.
Result<Measurement> MeasurementFromJson(const JsonValue& document, std::string_view what);

// "decode 1.31x [1.28, 1.34], memory 0.51x": what of this entry differs from 1, the farthest first;
// "no effect" where nothing does. Empty where it was not measured.
std::string DescribeRow(const MeasuredRow& row, Language language = Language::kEnglish);
// The line for one row of the table: the leave_one_out entry first, several arms named
// ("int8: decode 1.70x [1.6, 1.8], KL 0.002"). Empty where there is none.
std::string DescribeRows(const Measurement& measurement, std::string_view id,
                         Language language = Language::kEnglish);

}  // namespace fathom
