#include "measure/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

constexpr std::array<std::string_view, 6> kVerdicts = {"helps", "hurts",       "no_effect",
                                                       "trade", "unavailable", "failed"};

// A number, or null where there is none: not measured, or an open end.
JsonValue NumberOrNull(double value, bool known) {
  return known && std::isfinite(value) ? JsonValue(value) : JsonValue();
}

JsonValue RatioToJson(const RatioInterval& ratio) {
  return JsonObject{{"median", NumberOrNull(ratio.median, ratio.measured())},
                    {"low", NumberOrNull(ratio.low, ratio.bounded())},
                    {"high", NumberOrNull(ratio.high, ratio.bounded())},
                    {"rounds", ratio.rounds}};
}

struct NamedFigure {
  std::string_view name;
  bool Figures::*figure;
};
constexpr std::array<NamedFigure, 5> kFigures = {{{"prefill", &Figures::prefill},
                                                  {"decode", &Figures::decode},
                                                  {"load", &Figures::load},
                                                  {"tokenize", &Figures::tokenize},
                                                  {"sampling", &Figures::sampling}}};

JsonValue FiguresToJson(const Figures& figures) {
  JsonArray names;
  for (const NamedFigure& each : kFigures) {
    if (figures.*each.figure) names.push_back(each.name);
  }
  return names;
}

JsonValue AccuracyToJson(const ArmAccuracy& accuracy) {
  if (accuracy.tokens == 0) return {};
  return JsonObject{{"max_abs_logit_difference", accuracy.max_abs_logit_difference},
                    {"kl_divergence", accuracy.kl_divergence},
                    {"greedy_agreement", accuracy.greedy_agreement},
                    {"tokens", accuracy.tokens}};
}

JsonValue RowToJson(const MeasuredRow& row) {
  const bool peak = row.peak_memory_ratio() > 0;
  const bool accuracy = row.accuracy_on.tokens > 0;
  const ArmAccuracy& on = row.accuracy_on;
  return JsonObject{
      {"id", row.id},
      {"mode", MeasureModeName(row.mode)},
      {"arm_on", row.arm_on},
      {"arm_off", row.arm_off},
      {"prefill_ratio", RatioToJson(row.prefill)},
      {"decode_ratio", RatioToJson(row.decode)},
      {"load_ratio", RatioToJson(row.load)},
      {"tokenize_ratio", RatioToJson(row.tokenize)},
      {"sampling_ratio", RatioToJson(row.sampling)},
      {"load_ms_on", row.load_ms_on},
      {"load_ms_off", row.load_ms_off},
      {"peak_memory_ratio", NumberOrNull(row.peak_memory_ratio(), peak)},
      {"peak_resident_bytes_on", row.peak_bytes_on},
      {"peak_resident_bytes_off", row.peak_bytes_off},
      {"max_abs_logit_difference", NumberOrNull(on.max_abs_logit_difference, accuracy)},
      {"kl_divergence", NumberOrNull(on.kl_divergence, accuracy)},
      {"greedy_agreement", NumberOrNull(on.greedy_agreement, accuracy)},
      {"accuracy_tokens", on.tokens},
      {"accuracy_off", AccuracyToJson(row.accuracy_off)},
      {"share_of_roof", NumberOrNull(row.roof_share_on, row.roof_share_on > 0)},
      {"judged_by", FiguresToJson(row.acts_on)},
      {"same_plan", row.same_plan},
      {"verdict", VerdictName(row.verdict)},
      {"reason", row.reason},
      {"reason_zh", row.reason_zh}};
}

JsonValue BaselineToJson(const Measurement& measurement) {
  const MeasuredBaseline& baseline = measurement.baseline;
  JsonArray rows;
  for (const auto& [id, value] : measurement.baseline_rows) {
    rows.push_back(JsonObject{{"id", id}, {"value", value}});
  }
  return JsonObject{{"prefill_tokens_per_s", baseline.prefill_tokens_per_s},
                    {"decode_tokens_per_s", baseline.decode_tokens_per_s},
                    {"peak_resident_bytes", baseline.peak_resident_bytes},
                    {"load_ms", baseline.load_ms},
                    {"decode_bytes_per_token", baseline.decode_bytes_per_token},
                    {"read_stream_gb_per_s", baseline.roof_gb_per_s},
                    {"share_of_roof", baseline.roof_share},
                    {"rows", std::move(rows)}};
}

JsonValue WorkloadToJson(const MeasuredWorkload& workload) {
  return JsonObject{{"prompt_tokens", workload.prompt_tokens},
                    {"decode_tokens", workload.decode_tokens},
                    {"accuracy_tokens", workload.accuracy_tokens},
                    {"seed", workload.seed},
                    {"quick", workload.quick},
                    {"noise", JsonObject{{"prefill", workload.noise_prefill},
                                         {"decode", workload.noise_decode},
                                         {"load", workload.noise_load},
                                         {"tokenize", workload.noise_tokenize},
                                         {"sampling", workload.noise_sampling}}},
                    {"seconds", workload.seconds},
                    {"interval_level", workload.interval_level}};
}

// Reads members of one object; a missing or null number is `otherwise`, another type an error.
class Reader {
 public:
  Reader(const JsonValue& object, std::string_view what) : object_(object), what_(what) {}

  double Number(std::string_view key, double otherwise = 0) {
    const JsonValue* value = Find(key);
    if (value == nullptr || value->is_null()) return otherwise;
    if (!value->is_number()) return Wrong(key, "a number"), otherwise;
    return value->as_double();
  }
  int64_t Int(std::string_view key) {
    const double value = Number(key);
    if (!(std::abs(value) < 9e18)) return Wrong(key, "an integer"), 0;
    return static_cast<int64_t>(value);
  }
  bool Bool(std::string_view key) {
    const JsonValue* value = Find(key);
    return value != nullptr && value->is_bool() && value->as_bool();
  }
  std::string String(std::string_view key, std::string_view otherwise = "") {
    const JsonValue* value = Find(key);
    if (value == nullptr || value->is_null()) return std::string(otherwise);
    if (!value->is_string()) return Wrong(key, "a string"), "";
    return value->as_string();
  }
  JsonValue Tree(std::string_view key) {
    const JsonValue* value = Find(key);
    return value == nullptr ? JsonValue() : *value;
  }
  RatioInterval Ratio(std::string_view key) {
    const JsonValue tree = Tree(key);
    if (!tree.is_object()) return {};
    Reader inner(tree, what_);
    RatioInterval ratio;
    ratio.rounds = static_cast<int>(std::clamp<double>(inner.Number("rounds"), 0, 1e9));
    ratio.median = inner.Number("median");
    ratio.low = inner.Number("low", 0);
    ratio.high =
        inner.Number("high", ratio.measured() ? std::numeric_limits<double>::infinity() : 0);
    Take(inner);
    return ratio;
  }
  void Take(const Reader& inner) {
    if (status_.ok()) status_ = inner.status_;
  }
  const Status& status() const { return status_; }

 private:
  const JsonValue* Find(std::string_view key) const { return object_.Find(key); }
  void Wrong(std::string_view key, std::string_view wanted) {
    if (!status_.ok()) return;
    const JsonValue* value = Find(key);
    status_ = Status::BadFile(std::string(what_), std::string(key), std::string(value->TypeName()),
                              fmt::format("must be {}", wanted));
  }

  const JsonValue& object_;
  std::string_view what_;
  Status status_;
};

// Missing: written before rows were judged by some of their figures.
Figures ReadFigures(const JsonValue& names) {
  if (!names.is_array()) return {.tokenize = true, .sampling = true};
  Figures figures;
  for (const NamedFigure& each : kFigures) {
    const auto same = [&](const JsonValue& name) {
      return name.is_string() && name.as_string() == each.name;
    };
    figures.*each.figure = std::ranges::any_of(names.as_array(), same);
  }
  return figures;
}

ArmAccuracy ReadAccuracy(Reader reader) {
  return {reader.Number("max_abs_logit_difference"), reader.Number("kl_divergence"),
          reader.Number("greedy_agreement", 1), reader.Int("tokens")};
}

Result<MeasuredRow> RowFromJson(const JsonValue& value, std::string_view what) {
  Reader reader(value, what);
  MeasuredRow row;
  row.id = reader.String("id");
  row.mode =
      reader.String("mode") == "one_alone" ? MeasureMode::kOneAlone : MeasureMode::kLeaveOneOut;
  row.arm_on = reader.String("arm_on");
  row.arm_off = reader.String("arm_off");
  row.prefill = reader.Ratio("prefill_ratio");
  row.decode = reader.Ratio("decode_ratio");
  row.load = reader.Ratio("load_ratio");
  row.tokenize = reader.Ratio("tokenize_ratio");
  row.sampling = reader.Ratio("sampling_ratio");
  row.load_ms_on = reader.Number("load_ms_on");
  row.load_ms_off = reader.Number("load_ms_off");
  row.peak_bytes_on = reader.Int("peak_resident_bytes_on");
  row.peak_bytes_off = reader.Int("peak_resident_bytes_off");
  row.accuracy_on = ReadAccuracy(reader);
  row.accuracy_on.tokens = reader.Int("accuracy_tokens");
  const JsonValue off = reader.Tree("accuracy_off");
  if (off.is_object()) row.accuracy_off = ReadAccuracy(Reader(off, what));
  row.roof_share_on = reader.Number("share_of_roof");
  const auto verdict = VerdictFromName(reader.String("verdict"));
  row.acts_on = ReadFigures(reader.Tree("judged_by"));
  row.same_plan = reader.Bool("same_plan");
  row.reason = reader.String("reason");
  row.reason_zh = reader.String("reason_zh");
  FATHOM_TRY(reader.status());
  if (row.id.empty() || !verdict) {
    return Status::BadFile(std::string(what), "rows", "an entry without id or verdict");
  }
  row.verdict = *verdict;
  return row;
}

std::string RatioText(std::string_view name, const RatioInterval& ratio) {
  return fmt::format("{} {}x [{}, {}]", name, FormatRatio(ratio.median), FormatRatio(ratio.low),
                     FormatRatio(ratio.high));
}

}  // namespace

std::string FormatRatio(double ratio) {
  if (!std::isfinite(ratio)) return "inf";
  if (ratio >= 100) return fmt::format("{:.0f}", ratio);
  if (ratio >= 10) return fmt::format("{:.1f}", ratio);
  if (ratio >= 0.095) return fmt::format("{:.2f}", ratio);
  return fmt::format("{:.3f}", ratio);
}

std::string FormatKl(double kl) {
  if (!(kl > 0)) return "0";
  return kl < 1e-3 ? fmt::format("{:.0e}", kl) : fmt::format("{:.2g}", kl);
}

std::string_view VerdictName(Verdict verdict) { return kVerdicts[static_cast<size_t>(verdict)]; }

std::optional<Verdict> VerdictFromName(std::string_view name) {
  for (size_t i = 0; i < kVerdicts.size(); ++i) {
    if (kVerdicts[i] == name) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

std::string_view MeasureModeName(MeasureMode mode) {
  return mode == MeasureMode::kOneAlone ? "one_alone" : "leave_one_out";
}

double MeasuredRow::peak_memory_ratio() const {
  if (peak_bytes_on <= 0 || peak_bytes_off <= 0) return 0;
  return static_cast<double>(peak_bytes_on) / static_cast<double>(peak_bytes_off);
}

std::vector<const MeasuredRow*> Measurement::RowsOf(std::string_view id) const {
  std::vector<const MeasuredRow*> found;
  for (const MeasuredRow& row : rows) {
    if (row.id == id) found.push_back(&row);
  }
  return found;
}

JsonValue MeasurementToJson(const Measurement& measurement) {
  JsonArray rows;
  for (const MeasuredRow& row : measurement.rows) rows.push_back(RowToJson(row));
  return JsonObject{{"machine", measurement.machine},
                    {"model", measurement.model},
                    {"stack", measurement.stack},
                    {"stack_version", measurement.stack_version},
                    {"when", measurement.when},
                    {"interrupted", measurement.interrupted},
                    {"baseline", BaselineToJson(measurement)},
                    {"workload", WorkloadToJson(measurement.workload)},
                    {"rows", std::move(rows)}};
}

Result<Measurement> MeasurementFromJson(const JsonValue& document, std::string_view what) {
  const JsonValue* rows = document.Find("rows");
  if (rows == nullptr || !rows->is_array()) {
    return Status::BadFile(std::string(what), "rows", "is missing or no array");
  }
  Reader reader(document, what);
  Measurement measurement;
  measurement.machine = reader.Tree("machine");
  measurement.model = reader.Tree("model");
  measurement.stack = reader.String("stack", "fathom");
  measurement.stack_version = reader.String("stack_version");
  measurement.when = reader.String("when");
  measurement.interrupted = reader.Bool("interrupted");
  FATHOM_TRY(reader.status());
  const JsonValue baseline_tree = reader.Tree("baseline");
  Reader baseline(baseline_tree, what);
  measurement.baseline = {
      baseline.Number("prefill_tokens_per_s"),   baseline.Number("decode_tokens_per_s"),
      baseline.Int("peak_resident_bytes"),       baseline.Number("load_ms"),
      baseline.Number("decode_bytes_per_token"), baseline.Number("read_stream_gb_per_s"),
      baseline.Number("share_of_roof")};
  FATHOM_TRY(baseline.status());
  const JsonValue states = baseline.Tree("rows");
  if (states.is_array()) {
    for (const JsonValue& state : states.as_array()) {
      Reader one(state, what);
      measurement.baseline_rows.emplace_back(one.String("id"), one.String("value"));
      FATHOM_TRY(one.status());
    }
  }
  const JsonValue workload_tree = reader.Tree("workload");
  Reader workload(workload_tree, what);
  const JsonValue noise_tree = workload.Tree("noise");
  Reader noise(noise_tree, what);
  measurement.workload = {workload.Int("prompt_tokens"),
                          workload.Int("decode_tokens"),
                          workload.Int("accuracy_tokens"),
                          static_cast<uint64_t>(std::max<int64_t>(workload.Int("seed"), 0)),
                          workload.Bool("quick"),
                          noise.Number("prefill", 1),
                          noise.Number("decode", 1),
                          noise.Number("load", 1),
                          noise.Number("tokenize", 1),
                          noise.Number("sampling", 1),
                          workload.Number("seconds"),
                          workload.Number("interval_level", 0.95)};
  FATHOM_TRY(workload.status());
  FATHOM_TRY(noise.status());
  for (const JsonValue& row : rows->as_array()) {
    FATHOM_ASSIGN(MeasuredRow read, RowFromJson(row, what));
    measurement.rows.push_back(std::move(read));
  }
  return measurement;
}

bool LoadCounts(const MeasuredRow& row) {
  if (!(row.load_ms_on > 0) || !(row.load_ms_off > 0)) return true;
  return std::abs(row.load_ms_on - row.load_ms_off) >= kLoadDifferenceMs;
}

std::vector<JudgedSpeed> JudgedSpeeds(const MeasuredRow& row) {
  std::vector<JudgedSpeed> speeds;
  if (row.same_plan) return speeds;
  const auto add = [&](const Words& name, const RatioInterval& ratio, bool judged, bool told) {
    const bool gross =
        told && ratio.bounded() && (ratio.low > kForeignFactor || ratio.high < 1 / kForeignFactor);
    if (judged || gross) speeds.push_back({name, &ratio});
  };
  const Figures& own = row.acts_on;
  add({"decode", "生成"}, row.decode, own.decode, true);
  add({"prefill", "预填充"}, row.prefill, own.prefill, true);
  if (LoadCounts(row)) add({"load", "加载"}, row.load, own.load, true);
  // What a slow neighbour leaves in the caches moves these two; generation has them in it anyway.
  add({"tokenize", "分词"}, row.tokenize, own.tokenize, false);
  add({"sampling", "采样"}, row.sampling, own.sampling, false);
  return speeds;
}

std::string DescribeRow(const MeasuredRow& row, Language language) {
  if (row.verdict == Verdict::kUnavailable || row.verdict == Verdict::kFailed) return "";
  std::vector<std::pair<double, std::string>> parts;
  for (const auto& [name, ratio] : JudgedSpeeds(row)) {
    if (ratio->SpansOne()) continue;
    parts.emplace_back(std::abs(std::log(ratio->median)), RatioText(name.In(language), *ratio));
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> texts;
  for (auto& [size, text] : parts) texts.push_back(std::move(text));
  const double memory = row.peak_memory_ratio();
  if (memory > 0 && std::abs(std::log(memory)) > std::log(kMemoryThreshold)) {
    texts.push_back(Say(language, "memory {}x", "内存 {}x", FormatRatio(memory)));
  }
  const double kl = row.accuracy_on.kl_divergence;
  if (row.accuracy_on.tokens > 0 && kl > kKlThreshold) {
    texts.push_back(fmt::format("KL {}", FormatKl(kl)));
  }
  return texts.empty() ? Say(language, "no effect", "无效果")
                       : fmt::format("{}", fmt::join(texts, ", "));
}

std::string DescribeRows(const Measurement& measurement, std::string_view id, Language language) {
  std::vector<const MeasuredRow*> rows = measurement.RowsOf(id);
  // The mode that answers "what does it do for me" counts where both were run.
  const auto alone = [](const MeasuredRow* row) { return row->mode == MeasureMode::kOneAlone; };
  if (!std::all_of(rows.begin(), rows.end(), alone)) std::erase_if(rows, alone);
  std::vector<std::string> texts;
  for (const MeasuredRow* row : rows) {
    const std::string text = DescribeRow(*row, language);
    if (text.empty()) continue;
    texts.push_back(rows.size() > 1 ? fmt::format("{}: {}", row->arm_on, text) : text);
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

}  // namespace fathom
