#include "measure/transformers_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "fathom/text.h"
#include "measure/ablation.h"
#include "measure/pair_sampler.h"
#include "measure/subprocess.h"
#include "measure/verdict.h"

namespace fathom {
namespace {

constexpr std::string_view kHowToGet =
    "install them there (python3 -m pip install torch transformers accelerate), or name a Python "
    "that has them with --python";

Status BadScript(std::string_view what) {
  return Status::RunTime(fmt::format("measure_transformers.py gave no measurement: {}", what));
}

std::string StringOf(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.Find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

double NumberOf(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.Find(key);
  return value != nullptr && value->is_number() ? value->as_double() : 0;
}

std::vector<double> NumbersOf(const JsonValue& object, std::string_view list,
                              std::string_view key) {
  std::vector<double> numbers;
  const JsonValue* lists = object.Find(list);
  const JsonValue* values = lists == nullptr ? nullptr : lists->Find(key);
  if (values == nullptr || !values->is_array()) return numbers;
  for (const JsonValue& value : values->as_array()) {
    if (value.is_number() && value.as_double() > 0) numbers.push_back(value.as_double());
  }
  return numbers;
}

PairRatios RatiosOf(const JsonValue& entry) {
  PairRatios ratios;
  ratios.prefill = NumbersOf(entry, "ratios", "prefill");
  ratios.decode = NumbersOf(entry, "ratios", "decode");
  ratios.load = NumbersOf(entry, "ratios", "load");
  ratios.tokenize = NumbersOf(entry, "ratios", "tokenize");
  return ratios;
}

ArmAccuracy AccuracyOf(const JsonValue& entry, std::string_view key) {
  ArmAccuracy accuracy;
  const JsonValue* found = entry.Find(key);
  if (found == nullptr || !found->is_object()) return accuracy;
  accuracy.max_abs_logit_difference = NumberOf(*found, "max_abs_logit_difference");
  accuracy.kl_divergence = NumberOf(*found, "kl_divergence");
  accuracy.greedy_agreement = NumberOf(*found, "greedy_agreement");
  accuracy.tokens = static_cast<int64_t>(NumberOf(*found, "tokens"));
  return accuracy;
}

double PerSecond(const std::vector<double>& seconds) {
  const double median = Median(seconds);
  return median > 0 ? 1 / median : 0;
}

MeasuredRow RowOf(const JsonValue& entry, double alpha, const FigureFactors& inflation,
                  const FigureFactors& resolution) {
  MeasuredRow row;
  row.id = StringOf(entry, "id");
  row.arm_on = StringOf(entry, "arm_on");
  row.arm_off = StringOf(entry, "arm_off");
  if (const Optimization* optimization = FindOptimization(row.id)) {
    row.acts_on = optimization->acts_on;
  }
  const std::string error = StringOf(entry, "error");
  if (!error.empty()) {
    const JsonValue* unavailable = entry.Find("unavailable");
    const bool missing = unavailable != nullptr && unavailable->is_bool() && unavailable->as_bool();
    row.verdict = missing ? Verdict::kUnavailable : Verdict::kFailed;
    row.reason = error;
    return row;
  }
  const PairRatios ratios = RatiosOf(entry);
  FillIntervals(ratios, alpha, inflation, resolution, row);
  row.load_ms_on = Median(NumbersOf(entry, "seconds", "load")) * 1e3;
  row.load_ms_off = row.load_ms_on * Median(ratios.load);
  row.accuracy_on = AccuracyOf(entry, "accuracy_on");
  row.accuracy_off = AccuracyOf(entry, "accuracy_off");
  row.peak_bytes_on = static_cast<int64_t>(NumberOf(entry, "peak_on"));
  row.peak_bytes_off = static_cast<int64_t>(NumberOf(entry, "peak_off"));
  JudgeInto(row);
  return row;
}

void FillBaseline(const JsonValue& entry, const FigureFactors& noise, Measurement& measurement) {
  measurement.baseline.prefill_tokens_per_s = PerSecond(NumbersOf(entry, "seconds", "prefill"));
  measurement.baseline.decode_tokens_per_s = PerSecond(NumbersOf(entry, "seconds", "decode"));
  measurement.baseline.load_ms = Median(NumbersOf(entry, "seconds", "load")) * 1e3;
  measurement.workload.noise_prefill = noise.prefill;
  measurement.workload.noise_decode = noise.decode;
  measurement.workload.noise_load = noise.load;
  measurement.workload.noise_tokenize = noise.tokenize;
  measurement.workload.noise_sampling = 1;
}

Result<JsonValue> SpecOf(const Measurement& ours, const TransformersOptions& options, int rounds,
                         double seconds) {
  const std::string model = StringOf(ours.model, "path");
  std::vector<int32_t> ids;
  const auto tokenizer = Tokenizer::OpenFolder(model);
  if (tokenizer.ok()) {
    FATHOM_ASSIGN(ids, tokenizer->Encode(options.text));
  }
  ids =
      PromptSource(std::move(ids),
                   std::max<int64_t>(static_cast<int64_t>(NumberOf(ours.model, "vocab_size")), 1));
  const auto first = [&](int64_t count) {
    const auto end = ids.begin() + std::min(count, static_cast<int64_t>(ids.size()));
    return JsonArray(ids.begin(), end);
  };
  return JsonValue(JsonObject{{"model", model},
                              {"rows", JsonArray(options.rows.begin(), options.rows.end())},
                              {"prompt_ids", first(ours.workload.prompt_tokens)},
                              {"decode_tokens", ours.workload.decode_tokens},
                              {"accuracy_ids", first(ours.workload.accuracy_tokens)},
                              {"text", options.text.substr(0, 2000)},
                              {"rounds", rounds},
                              {"seconds", seconds},
                              {"seed", ours.workload.seed},
                              {"threads", options.threads},
                              {"measure_peak", !ours.workload.quick}});
}

}  // namespace

Result<Measurement> MeasurementOfScript(const JsonValue& output, const Measurement& ours,
                                        double alpha) {
  if (!StringOf(output, "missing").empty()) {
    return Status::RunTime(fmt::format("this Python has no module {}", StringOf(output, "missing")),
                           std::string(kHowToGet));
  }
  if (!StringOf(output, "error").empty()) return BadScript(StringOf(output, "error"));
  const JsonValue* entries = output.Find("entries");
  if (entries == nullptr || !entries->is_array() || entries->as_array().empty()) {
    return BadScript("no entries");
  }
  Measurement measurement;
  measurement.machine = ours.machine;
  measurement.model = ours.model;
  measurement.stack = "transformers";
  measurement.stack_version = StringOf(output, "versions");
  measurement.when = ours.when;
  measurement.workload = ours.workload;
  const JsonValue& baseline = entries->as_array().front();
  if (!StringOf(baseline, "error").empty()) return BadScript(StringOf(baseline, "error"));
  std::vector<PairRatios> ratios;
  for (const JsonValue& entry : entries->as_array()) ratios.push_back(RatiosOf(entry));
  std::vector<const PairRatios*> all;
  for (const PairRatios& each : ratios) all.push_back(&each);
  const FigureFactors inflation = InflationOf(all);
  const FigureFactors resolution =
      ResolutionsOf(ratios.front(), ours.workload.quick ? kQuickLeast : kLeast, inflation);
  FillBaseline(baseline, resolution, measurement);
  for (size_t i = 1; i < entries->as_array().size(); ++i) {
    measurement.rows.push_back(RowOf(entries->as_array()[i], alpha, inflation, resolution));
    // With the cache on, all else as a script gets it: the baseline's memory.
    const MeasuredRow& row = measurement.rows.back();
    if (row.id == "use_cache") measurement.baseline.peak_resident_bytes = row.peak_bytes_on;
  }
  return measurement;
}

Result<Measurement> MeasureTransformers(const Measurement& ours,
                                        const TransformersOptions& options) {
  const double alpha = 1 - ours.workload.interval_level;
  const int rounds = RoundsNeeded(alpha) * (ours.workload.quick ? 1 : 2);
  const double seconds = options.seconds > 0 ? options.seconds : (ours.workload.quick ? 120 : 900);
  FATHOM_ASSIGN(const JsonValue spec, SpecOf(ours, options, rounds, seconds));
  SubprocessOptions process;
  process.arguments = {options.python, options.script, WriteJson(spec)};
  process.timeout_seconds = 20 * seconds + 600;
  process.stop = options.stop;
  process.on_error_line = options.on_progress;
  const auto start = std::chrono::steady_clock::now();
  auto result = RunSubprocess(process);
  if (!result.ok()) {
    if (result.status().code() == StatusCode::kInterrupted) return result.status();
    return Status::RunTime(result.status().detail().value,
                           "--stack transformers needs a Python with torch and transformers: "
                           "name it with --python");
  }
  if (result->timed_out) return BadScript("it did not come to an end");
  const auto output = ParseJson(result->out, "measure_transformers.py");
  if (!output.ok()) {
    std::string last = result->err;
    while (last.ends_with('\n')) last.pop_back();
    return BadScript(
        fmt::format("exit code {}, {}", result->exit_code, last.substr(last.rfind('\n') + 1)));
  }
  FATHOM_ASSIGN(Measurement measurement, MeasurementOfScript(*output, ours, alpha));
  measurement.workload.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return measurement;
}

}  // namespace fathom
