// The one runner of the rows.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "optimizations/optimization.h"
#include "optimizations/placement.h"

namespace fathom {

namespace {

Status CheckIds(const EngineOptions& options) {
  for (const auto* ids : {&options.disabled, &options.enabled, &options.required}) {
    for (const std::string& id : *ids) {
      if (FindOptimization(id) != nullptr) continue;
      std::vector<std::string_view> known;
      for (const Optimization* row : AllOptimizations()) known.push_back(row->id);
      return Status::Usage(id, "is no optimization",
                           fmt::format("known are {}", fmt::join(known, ", ")));
    }
  }
  return Status::Ok();
}

Status CheckChoice(std::string_view option, const std::string& value,
                   std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, value) != known.end()) return Status::Ok();
  return Status::Usage(std::string(option),
                       fmt::format("{} is none of {}", value, fmt::join(known, ", ")));
}

// Why a row that --require names is not on.
Status Unmet(const Optimization& row, const RowOutcome& outcome, const std::string& remedy) {
  return Status::RunTime(fmt::format("{} is required, but {}: {}", row.id,
                                     RowStateName(outcome.state), outcome.reason),
                         outcome.state == RowState::kUnavailable ? remedy : "");
}

}  // namespace

std::string_view DeviceStateName(DeviceState state) {
  switch (state) {
    case DeviceState::kAvailable:
      return "available";
    case DeviceState::kNoEffect:
      return "no_effect";
    case DeviceState::kUnavailable:
      break;
  }
  return "unavailable";
}

std::string_view RowStateName(RowState state) {
  switch (state) {
    case RowState::kOn:
      return "on";
    case RowState::kOff:
      return "off";
    case RowState::kNoEffect:
      return "no_effect";
    case RowState::kUnavailable:
      break;
  }
  return "unavailable";
}

const DeviceStatus& Detection::Of(std::string_view device) const {
  if (device == "mps") return mps;
  return device == "cuda" ? cuda : cpu;
}

Status CheckOptionValues(const EngineOptions& options) {
  FATHOM_TRY(CheckIds(options));
  FATHOM_TRY(CheckChoice("--dtype", options.dtype,
                         {"auto", "float32", "bfloat16", "float16", "int8", "int4"}));
  FATHOM_TRY(CheckChoice("--float32-matmul-precision", options.float32_matmul_precision,
                         {"highest", "high", "medium"}));
  if (!options.attn_implementation.empty()) {
    FATHOM_TRY(CheckChoice("--attn-implementation", options.attn_implementation,
                           {"flash_attention_2", "sdpa", "eager"}));
  }
  if (!options.device_map.empty()) FATHOM_TRY(ParseDeviceMap(options.device_map).status());
  if (!options.max_memory.empty()) FATHOM_TRY(ParseMaxMemory(options.max_memory).status());
  return Status::Ok();
}

Result<std::vector<OptimizationReport>> RunOptimizations(const Machine& machine,
                                                         const ModelFacts* model,
                                                         std::string_view device,
                                                         EngineOptions* options,
                                                         Language language) {
  FATHOM_TRY(CheckOptionValues(*options));
  std::vector<OptimizationReport> reports;
  for (const Optimization* row : ApplicationOrder()) {
    // A copy: what a row sees must not change under it while it writes.
    const EngineOptions asked = *options;
    const RowInput input{machine, model, asked, language};
    OptimizationReport report{.optimization = row, .detection = row->detect(input)};
    FATHOM_ASSIGN(report.outcome, row->apply(input, device, options));
    report.estimate = row->estimate(input);
    FATHOM_CHECK(!report.outcome.reason.empty());
    const bool on = report.outcome.state == RowState::kOn;
    FATHOM_CHECK(!on || report.detection.Of(device).state == DeviceState::kAvailable);
    if (!on && EngineOptions::Contains(options->required, row->id)) {
      return Unmet(*row, report.outcome, report.detection.remedy);
    }
    reports.push_back(std::move(report));
  }
  std::ranges::sort(reports, {},
                    [](const OptimizationReport& report) { return report.optimization->number; });
  return reports;
}

std::vector<std::string> UnmetWishes(const EngineOptions& asked,
                                     std::span<const OptimizationReport> reports) {
  std::vector<std::string> wishes;
  for (const OptimizationReport& report : reports) {
    const std::string_view id = report.optimization->id;
    const bool valued =
        id == "float32_matmul_precision" && asked.float32_matmul_precision != "highest";
    const bool wanted = EngineOptions::Contains(asked.enabled, id) || valued;
    const RowOutcome& outcome = report.outcome;
    if (!wanted || outcome.state == RowState::kOn) continue;
    wishes.push_back(fmt::format("{} ({}): {}", id, RowStateName(outcome.state), outcome.reason));
  }
  return wishes;
}

}  // namespace fathom
