#include "optimizations/row_tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/backend.h"

namespace fathom {

namespace {

bool BuildHasBackend(std::string_view device) {
  return std::ranges::any_of(AllBackends(), [&](const BackendRecord* record) {
    return record->name == device || (device == "mps" && record->name == "mlx");
  });
}

const GpuInfo* FindGpu(const Machine& machine, std::string_view kind) {
  for (const GpuInfo& gpu : machine.gpus) {
    if (gpu.kind == kind) return &gpu;
  }
  return nullptr;
}

std::string_view DeviceTitle(std::string_view device) { return device == "cuda" ? "CUDA" : "MPS"; }

// The machine's evidence is English; what it says most often, in the reader's language. Messages of
// the system behind it stay as they are.
std::string EvidenceIn(Language language, std::string_view how) {
  constexpr std::string_view kNone = "none: ", kMetal = "Metal is on macOS only",
                             kDriver = "no NVIDIA driver: ";
  if (how.starts_with(kNone)) how.remove_prefix(kNone.size());
  if (language == Language::kChinese && how == kMetal) return "Metal 只在 macOS 上";
  if (language == Language::kChinese && how.starts_with(kDriver)) {
    return fmt::format("没有 NVIDIA 驱动：{}", how.substr(kDriver.size()));
  }
  return std::string(how);
}

// Why there is no such device, as the machine's evidence says it.
std::string WhyNoDevice(const RowInput& input, std::string_view device) {
  const std::string how =
      EvidenceIn(input.language, input.machine.EvidenceOf(fmt::format("gpus.{}", device)));
  const std::string_view gpu = device == "cuda" ? "NVIDIA GPU" : "Apple GPU";
  if (how.empty()) return Say(input.language, "no {}", "没有 {}", gpu);
  return Say(input.language, "no {} found ({})", "未发现 {}（{}）", gpu, how);
}

}  // namespace

EngineOptions WithoutNaming(const EngineOptions& options, std::string_view id) {
  EngineOptions plain = options;
  for (auto* rows : {&plain.enabled, &plain.disabled, &plain.required}) std::erase(*rows, id);
  return plain;
}

bool IsEnabled(const EngineOptions& options, std::string_view id) {
  return EngineOptions::Contains(options.enabled, id);
}
bool IsDisabled(const EngineOptions& options, std::string_view id) { return !options.IsOn(id); }

CpuFeatures UsableFeatures(const RowInput& input) {
  const CpuFeatures features = input.machine.cpu.features;
  if (input.options.isa.empty()) return features;
  const auto isa = ParseIsa(input.options.isa);
  return isa.ok() ? features & FeaturesOfLevel(*isa) : features;
}

std::string DTypeAsRun(const RowInput& input) {
  if (IsDisabled(input.options, "dtype")) return "float32";
  if (input.options.dtype != "auto") return input.options.dtype;
  if (input.model == nullptr) return "";
  const std::string& own = input.model->checkpoint_dtype;
  if (own == "float32" && IsEnabled(input.options, "dtype")) return "bfloat16";
  return own == "float64" ? "float32" : own;
}

double BitsPerWeight(std::string_view dtype) {
  if (dtype == "int8") return 8.5;
  if (dtype == "int4") return 4.75;
  return dtype == "bfloat16" || dtype == "float16" ? 16 : 32;
}

DeviceStatus DeviceWithoutBackend(const RowInput& input, std::string_view device) {
  const GpuInfo* gpu = FindGpu(input.machine, device);
  const bool asked = input.machine.EvidenceOf("gpus").empty();
  std::string reason;
  if (gpu != nullptr) {
    reason = Say(input.language, "{} is there", "有 {}", gpu->name.empty() ? gpu->kind : gpu->name);
  } else if (asked) {
    reason = WhyNoDevice(input, device);
  }
  if (BuildHasBackend(device)) {
    const auto state = gpu != nullptr ? DeviceState::kAvailable : DeviceState::kUnavailable;
    return {state, std::move(reason)};
  }
  if (!reason.empty()) {
    reason +=
        gpu == nullptr ? Say(input.language, "; ", "；") : Say(input.language, ", but ", "，但");
  }
  reason += Say(input.language, "this build has no {} backend", "此构建没有 {} 后端",
                DeviceTitle(device));
  return {DeviceState::kUnavailable, std::move(reason)};
}

std::string RemedyForDevices(const RowInput& input) {
  const bool cuda = FindGpu(input.machine, "cuda") != nullptr;
  const bool mps = FindGpu(input.machine, "mps") != nullptr;
  if (!cuda && !mps) return "";
  return Say(input.language, "on {}: a build with the {} backend", "在 {} 上：需要带 {} 后端的构建",
             cuda ? "cuda" : "mps", cuda ? "CUDA" : "MPS");
}

void AddMachineEvidence(const Machine& machine, std::string_view fact,
                        std::vector<std::string>& evidence) {
  const std::string_view how = machine.EvidenceOf(fact);
  if (!how.empty()) evidence.push_back(fmt::format("{}: {}", fact, how));
}

Detection DetectOn(const RowInput& input, DeviceStatus cpu, std::vector<std::string> evidence) {
  Detection detection;
  detection.cpu = std::move(cpu);
  detection.mps = DeviceWithoutBackend(input, "mps");
  detection.cuda = DeviceWithoutBackend(input, "cuda");
  detection.remedy = RemedyForDevices(input);
  detection.evidence = std::move(evidence);
  AddMachineEvidence(input.machine, "gpus.mps", detection.evidence);
  AddMachineEvidence(input.machine, "gpus.cuda", detection.evidence);
  return detection;
}

std::vector<Arm> SwitchArms(const RowInput& input, std::string_view device, const Optimization& row,
                            std::string_view on_value, std::string_view off_value) {
  if (row.detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  Arm off{.value = std::string(off_value), .on = false};
  off.options = WithoutNaming(input.options, row.id);
  Arm on{.value = std::string(on_value), .on = true, .options = off.options};
  off.options.disabled.emplace_back(row.id);
  return {std::move(off), std::move(on)};
}

RowOutcome SwitchOutcome(const RowInput& input, std::string_view device, const Optimization& row,
                         std::string reason, std::string_view on_value,
                         std::string_view off_value) {
  const Detection detection = row.detect(input);
  const DeviceStatus& status = detection.Of(device);
  if (status.state == DeviceState::kUnavailable) {
    return {RowState::kUnavailable, std::string(off_value), status.reason};
  }
  if (IsDisabled(input.options, row.id)) {
    return {RowState::kOff, std::string(off_value), DisabledReason(input, row.id)};
  }
  if (status.state == DeviceState::kNoEffect) {
    return {RowState::kNoEffect, std::string(on_value), status.reason};
  }
  return {RowState::kOn, std::string(on_value), std::move(reason)};
}

std::string DisabledReason(const RowInput& input, std::string_view id) {
  return Say(input.language, "turned off by --disable {}", "已由 --disable {} 关闭", id);
}

Status Contradiction(std::string_view one, std::string_view other, std::string why) {
  return Status::Usage(std::string(one), fmt::format("contradicts {}: {}", other, why),
                       "give one of the two");
}

}  // namespace fathom
