// Row 4. On: float32 weights are multiplied as three bfloat16 products (high) or one (medium).
// Off: highest, the default. Acts on float32 weights alone, and only where the CPU has a bfloat16
// unit; elsewhere it falls back to highest, as torch does, and says so. Obeyed by the kernels
// (Plan::float32_matmul_precision).
#include "backends/backend.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_float32_matmul_precision();

namespace {

constexpr std::string_view kId = "float32_matmul_precision";

// The units that our kernels have a path for.
std::vector<std::string_view> Units(const RowInput& input) {
  std::vector<std::string_view> units;
  const CpuFeatures features = UsableFeatures(input);
  for (const CpuFeature unit : {CpuFeature::kAvx512Bf16, CpuFeature::kAmxBf16}) {
    if (features.Has(unit)) units.push_back(CpuFeatureName(unit));
  }
  return units;
}

DeviceStatus OnCpu(const RowInput& input, bool units) {
  if (IsPlainBackend(input.options.backend)) {
    return {DeviceState::kNoEffect,
            Say(input.language, "the {} backend multiplies float32 in plain loops",
                "{} 后端以普通循环计算 float32", input.options.backend)};
  }
  if (!units && input.machine.cpu.features.Has(CpuFeature::kNeon)) {
    return {DeviceState::kUnavailable,
            Say(input.language,
                "Fathom has bfloat16 products for avx512_bf16 and amx_bf16, not for Arm",
                "Fathom 的 bfloat16 乘积只支持 avx512_bf16 和 amx_bf16，不支持 Arm")};
  }
  if (!units) {
    return {
        DeviceState::kUnavailable,
        Say(input.language, "the CPU has no bfloat16 unit: avx512_bf16 and amx_bf16 are missing",
            "CPU 没有 bfloat16 单元：缺少 avx512_bf16 和 amx_bf16")};
  }
  const std::string dtype = DTypeAsRun(input);
  if (!dtype.empty() && dtype != "float32") {
    return {DeviceState::kNoEffect, Say(input.language, "weights are {}; it acts on float32 only",
                                        "权重是 {}；它只作用于 float32", dtype)};
  }
  return {DeviceState::kAvailable, Say(input.language, "float32 weights and a bfloat16 unit",
                                       "float32 权重，并有 bfloat16 单元")};
}

Detection Detect(const RowInput& input) {
  const auto units = Units(input);
  std::vector<std::string> evidence;
  for (const std::string_view unit : units) {
    AddMachineEvidence(input.machine, "cpu.isa." + std::string(unit), evidence);
  }
  Detection detection = DetectOn(input, OnCpu(input, !units.empty()), std::move(evidence));
  if (units.empty()) {
    detection.evidence.push_back("cpu.isa: " + UsableFeatures(input).ToString());
    std::string cpu = Say(input.language,
                          "a CPU with AVX-512 BF16 (from Zen 4, Cooper Lake) or AMX (from Sapphire "
                          "Rapids)",
                          "换用带 AVX-512 BF16（Zen 4、Cooper Lake 起）或 AMX（Sapphire Rapids "
                          "起）的 CPU");
    if (!detection.remedy.empty()) cpu += "; " + detection.remedy;
    detection.remedy = std::move(cpu);
  }
  return detection;
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  std::vector<Arm> arms;
  for (const std::string_view value : {"highest", "high", "medium"}) {
    Arm arm{.value = std::string(value), .on = value != "highest"};
    arm.options = WithoutNaming(input.options, kId);
    arm.options.float32_matmul_precision = value;
    arms.push_back(std::move(arm));
  }
  return arms;
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  std::string& value = options->float32_matmul_precision;
  if (IsDisabled(input.options, kId) && value != "highest") {
    return Contradiction("--float32-matmul-precision " + value,
                         "--disable float32_matmul_precision", "off is highest");
  }
  if (IsEnabled(input.options, kId) && value == "highest") value = "high";
  const DeviceStatus status = Detect(input).Of(device);
  if (status.state == DeviceState::kUnavailable) {
    value = "highest";
    return RowOutcome{RowState::kUnavailable, value, status.reason};
  }
  if (IsDisabled(input.options, kId)) {
    return RowOutcome{RowState::kOff, value, DisabledReason(input, kId)};
  }
  if (status.state == DeviceState::kNoEffect) {
    return RowOutcome{RowState::kNoEffect, value, status.reason};
  }
  if (value == "highest") {
    return RowOutcome{RowState::kOff, value,
                      Say(input.language,
                          "highest is the default; high and medium round products, which is yours "
                          "to choose",
                          "默认为 highest；high 和 medium 会舍入乘积，由你决定")};
  }
  const bool three = value == "high";
  return RowOutcome{RowState::kOn, value,
                    three ? Say(input.language, "three bfloat16 products for one of float32",
                                "以三个 bfloat16 乘积代替一个 float32 乘积")
                          : Say(input.language, "one bfloat16 product for one of float32",
                                "以一个 bfloat16 乘积代替一个 float32 乘积")};
}

Estimate Save(const RowInput&) { return {}; }

}  // namespace

const Optimization& optimization_float32_matmul_precision() {
  static const Optimization row = {
      .number = 4,
      .id = kId,
      .name = {"float32 matmul precision", "float32 矩阵乘精度"},
      .on_text = {"high: three bfloat16 products; medium: one",
                  "high：三个 bfloat16 乘积；medium：一个"},
      .off_text = {"highest: float32 throughout", "highest：全程 float32"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
