// Row 12. On: the layers are placed over the devices there are; what fits none of them stays on
// disk, mapped, and is read as it is needed. Off: one device holds all.
#include <algorithm>

#include "optimizations/placement.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_device_map();

namespace {

constexpr std::string_view kId = "device_map";

// What --device-map says by itself: nothing, a way to place, one device, or a device a module.
enum class Asked { kNothing, kPlaced, kOneDevice, kMap };

Asked AskedFor(const EngineOptions& options) {
  if (options.device_map.empty()) return Asked::kNothing;
  const auto choice = ParseDeviceMap(options.device_map);
  if (!choice.ok() || !choice->mode.empty()) return Asked::kPlaced;
  const bool one =
      std::ranges::all_of(choice->map, [](const auto& entry) { return entry.second == "cpu"; });
  return one ? Asked::kOneDevice : Asked::kMap;
}

// What the CPU may hold: what --max-memory gives it, else 0.9 of what is usable as transformers
// takes it; 0: not known.
int64_t CpuBudget(const RowInput& input) {
  if (!input.options.max_memory.empty()) {
    const auto budgets = ParseMaxMemory(input.options.max_memory);
    for (const DeviceBudget& budget : budgets.ok() ? *budgets : std::vector<DeviceBudget>{}) {
      if (budget.device == "cpu") return budget.bytes;
    }
  }
  return static_cast<int64_t>(kUsableShare *
                              static_cast<double>(input.machine.memory.usable_bytes));
}

// The weights in the type in which they run.
int64_t WeightsBytes(const RowInput& input) {
  const auto parameters = static_cast<double>(input.model->parameters);
  return static_cast<int64_t>(parameters * BitsPerWeight(DTypeAsRun(input)) / 8);
}

// Whether they exceed the budget.
bool Overflows(const RowInput& input) {
  if (input.model == nullptr) return false;
  const int64_t budget = CpuBudget(input);
  return budget > 0 && WeightsBytes(input) > budget;
}

DeviceStatus OnCpu(const RowInput& input) {
  if (AskedFor(input.options) == Asked::kMap) {
    return {DeviceState::kAvailable,
            Say(input.language, "what the map leaves on disk runs mapped from there",
                "映射表留在磁盘上的部分从磁盘映射运行")};
  }
  if (Overflows(input)) {
    return {DeviceState::kAvailable,
            Say(input.language, "{} of weights do not fit {}: the rest runs mapped from disk",
                "{} 的权重放不进 {}：其余从磁盘映射运行", BytesText(WeightsBytes(input)),
                BytesText(CpuBudget(input)))};
  }
  return {DeviceState::kNoEffect,
          input.model == nullptr
              ? Say(input.language, "one device", "只有一个设备")
              : Say(input.language, "one device, and the model fits it ({} of {})",
                    "只有一个设备，模型放得下（{} / {}）", BytesText(WeightsBytes(input)),
                    BytesText(CpuBudget(input)))};
}

Detection Detect(const RowInput& input) {
  std::vector<std::string> evidence;
  AddMachineEvidence(input.machine, "memory.usable_bytes", evidence);
  return DetectOn(input, OnCpu(input), std::move(evidence));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  Arm off{.value = "cpu", .on = false, .options = WithoutNaming(input.options, kId)};
  Arm on{.value = "auto", .on = true, .options = off.options};
  off.options.device_map = "cpu";
  on.options.device_map = "auto";
  return {std::move(off), std::move(on)};
}

Status CheckContradictions(const EngineOptions& asked) {
  const Asked map = AskedFor(asked);
  if (IsDisabled(asked, kId) && (map == Asked::kPlaced || map == Asked::kMap)) {
    return Contradiction("--device-map " + asked.device_map, "--disable device_map",
                         "off is one device");
  }
  if (IsDisabled(asked, kId) && !asked.max_memory.empty()) {
    return Contradiction("--max-memory " + asked.max_memory, "--disable device_map",
                         "off is one device that holds all");
  }
  if (IsEnabled(asked, kId) && map == Asked::kOneDevice) {
    return Contradiction("--device-map " + asked.device_map, "--enable device_map",
                         "off is one device");
  }
  return Status::Ok();
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  FATHOM_TRY(CheckContradictions(asked));
  const DeviceStatus status = Detect(input).Of(device);
  const std::string value = asked.device_map.empty() ? "auto" : asked.device_map;
  if (status.state == DeviceState::kUnavailable) {
    return RowOutcome{RowState::kUnavailable, "cpu", status.reason};
  }
  if (IsDisabled(asked, kId)) {
    options->device_map = "cpu";
    return RowOutcome{RowState::kOff, "cpu", DisabledReason(input, kId)};
  }
  if (AskedFor(asked) == Asked::kOneDevice) {
    return RowOutcome{RowState::kOff, value,
                      Say(input.language, "asked for by --device-map", "由 --device-map 要求")};
  }
  if (status.state == DeviceState::kNoEffect) {
    return RowOutcome{RowState::kNoEffect, value, status.reason};
  }
  options->device_map = value;
  return RowOutcome{RowState::kOn, value, status.reason};
}

Estimate Save(const RowInput& input) {
  if (!Overflows(input)) return {};
  return {.bytes_saved = WeightsBytes(input) - CpuBudget(input)};
}

}  // namespace

const Optimization& optimization_device_map() {
  static const Optimization row = {
      .number = 12,
      .id = kId,
      .name = {"device map", "设备分配"},
      .on_text = {"auto: layers over the devices, what fits none from disk",
                  "auto：各层分到各设备，放不下的从磁盘运行"},
      .off_text = {"one device", "一个设备"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
