// Row 12. On: the layers are placed over the devices there are; what fits none of them stays on
// disk, mapped, and is read as it is needed. Off: one device holds all.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_device_map();

namespace {

constexpr std::string_view kId = "device_map";

// Whether the weights exceed what the CPU may hold.
bool Overflows(const RowInput& input) {
  if (input.model == nullptr) return false;
  const auto usable = static_cast<int64_t>(input.machine.memory.usable_bytes);
  return usable > 0 && input.model->weights_bytes > usable;
}

Detection Detect(const RowInput& input) {
  DeviceStatus cpu = {
      DeviceState::kNoEffect,
      Say(input.language, "one device, and the model fits it", "只有一个设备，模型放得下")};
  if (input.model == nullptr) {
    cpu.reason = Say(input.language, "one device", "只有一个设备");
  } else if (Overflows(input)) {
    cpu = {DeviceState::kAvailable,
           Say(input.language, "{} of weights do not fit {}: the rest runs from disk",
               "{} 的权重放不进 {}：其余从磁盘运行", BytesText(input.model->weights_bytes),
               BytesText(static_cast<int64_t>(input.machine.memory.usable_bytes)))};
  }
  std::vector<std::string> evidence;
  AddMachineEvidence(input.machine, "memory.usable_bytes", evidence);
  return DetectOn(input, std::move(cpu), std::move(evidence));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  Arm off{.value = "cpu", .on = false, .options = WithoutNaming(input.options, kId)};
  Arm on{.value = "auto", .on = true, .options = off.options};
  off.options.device_map = "cpu";
  on.options.device_map = "auto";
  return {std::move(off), std::move(on)};
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  const bool placed = !asked.device_map.empty() && asked.device_map != "cpu";
  if (IsDisabled(asked, kId) && placed) {
    return Contradiction("--device-map " + asked.device_map, "--disable device_map",
                         "off is one device");
  }
  if (IsEnabled(asked, kId) && asked.device_map == "cpu") {
    return Contradiction("--device-map cpu", "--enable device_map", "cpu is one device");
  }
  const DeviceStatus status = Detect(input).Of(device);
  if (asked.device_map.empty()) options->device_map = IsDisabled(asked, kId) ? "cpu" : "auto";
  const std::string& value = options->device_map;
  if (status.state == DeviceState::kUnavailable) {
    return RowOutcome{RowState::kUnavailable, value, status.reason};
  }
  if (IsDisabled(asked, kId)) return RowOutcome{RowState::kOff, value, DisabledReason(input, kId)};
  if (value == "cpu") {
    return RowOutcome{
        RowState::kOff, value,
        Say(input.language, "asked for by --device-map cpu", "由 --device-map cpu 要求")};
  }
  const bool inert = status.state == DeviceState::kNoEffect;
  return RowOutcome{inert ? RowState::kNoEffect : RowState::kOn, value, status.reason};
}

Estimate Save(const RowInput& input) {
  if (!Overflows(input)) return {};
  return {.bytes_saved =
              input.model->weights_bytes - static_cast<int64_t>(input.machine.memory.usable_bytes)};
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
