// Row 11. On: weights narrower than float32: bfloat16, float16, or int8 and int4 made at load. Off:
// float32. `auto` is the checkpoint's type; nothing becomes lossier by itself. Obeyed by
// engine/plan_builder.cc.
#include "backends/backend.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_dtype();

namespace {

constexpr std::string_view kId = "dtype";

bool HasBf16Unit(const RowInput& input) {
  const CpuFeatures features = UsableFeatures(input);
  return features.Has(CpuFeature::kAvx512Bf16) || features.Has(CpuFeature::kAmxBf16);
}

Detection Detect(const RowInput& input) {
  std::vector<std::string> evidence;
  for (const char* fact : {"cpu.isa.avx512_bf16", "cpu.isa.amx_bf16", "cpu.isa.bf16"}) {
    AddMachineEvidence(input.machine, fact, evidence);
  }
  if (input.model != nullptr) {
    evidence.push_back("checkpoint: " + input.model->checkpoint_dtype);
  }
  DeviceStatus cpu = {
      DeviceState::kAvailable,
      HasBf16Unit(input)
          ? Say(input.language, "bfloat16 products in the CPU's own unit",
                "bfloat16 乘积由 CPU 自带单元计算")
          : Say(input.language,
                "weights are widened to float32 as they are read: no bfloat16 unit "
                "(avx512_bf16, amx_bf16)",
                "没有 bfloat16 单元（avx512_bf16、amx_bf16）：读取权重时展宽为 float32")};
  if (IsPlainBackend(input.options.backend)) {
    cpu = {DeviceState::kNoEffect, Say(input.language, "the {} backend holds float32 weights",
                                       "{} 后端只保存 float32 权重", input.options.backend)};
  }
  return DetectOn(input, std::move(cpu), std::move(evidence));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  std::vector<Arm> arms;
  for (const std::string_view value : {"float32", "bfloat16", "float16", "int8", "int4"}) {
    Arm arm{.value = std::string(value), .on = value != "float32"};
    arm.options = WithoutNaming(input.options, kId);
    arm.options.dtype = value;
    arms.push_back(std::move(arm));
  }
  return arms;
}

// Why the weights run in what they run in.
std::string WhyNarrow(const RowInput& input, const std::string& dtype) {
  const bool own = input.model != nullptr && dtype == input.model->checkpoint_dtype;
  std::string why;
  if (own) {
    why = Say(input.language, "the checkpoint's", "检查点本身的类型");
  } else if (input.options.dtype != "auto") {
    why = Say(input.language, "asked for by --dtype {}", "由 --dtype {} 要求", dtype);
  } else {
    why = Say(input.language, "asked for by --enable dtype", "由 --enable dtype 要求");
  }
  if (dtype == "bfloat16" && !HasBf16Unit(input)) {
    why += Say(input.language, "; products in float32, the CPU has no bfloat16 unit",
               "；CPU 没有 bfloat16 单元，乘积以 float32 计算");
  }
  return why;
}

std::string WhyFloat32(const RowInput& input) {
  if (IsDisabled(input.options, kId)) return DisabledReason(input, kId);
  if (input.options.dtype == "float32") {
    return Say(input.language, "asked for by --dtype float32", "由 --dtype float32 要求");
  }
  return Say(input.language, "the checkpoint is {}; a narrower type is yours to choose (--dtype)",
             "检查点是 {}；更窄的类型由你决定（--dtype）", input.model->checkpoint_dtype);
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  const bool narrow = asked.dtype != "auto" && asked.dtype != "float32";
  if (IsDisabled(asked, kId) && narrow) {
    return Contradiction("--dtype " + asked.dtype, "--disable dtype", "off is float32");
  }
  if (IsEnabled(asked, kId) && asked.dtype == "float32") {
    return Contradiction("--dtype float32", "--enable dtype", "float32 is off");
  }
  const std::string dtype = DTypeAsRun(input);
  const DeviceStatus status = Detect(input).Of(device);
  if (status.state == DeviceState::kUnavailable) {
    return RowOutcome{RowState::kUnavailable, "float32", status.reason};
  }
  if (dtype.empty()) {
    return RowOutcome{RowState::kOn, "auto",
                      Say(input.language, "the checkpoint's", "检查点的类型")};
  }
  // auto stays: resolving it may have something to tell (float64).
  if (asked.dtype != "auto" || dtype != input.model->checkpoint_dtype) options->dtype = dtype;
  if (dtype == "float32") return RowOutcome{RowState::kOff, dtype, WhyFloat32(input)};
  if (status.state == DeviceState::kNoEffect) {
    return RowOutcome{RowState::kNoEffect, dtype, status.reason};
  }
  return RowOutcome{RowState::kOn, dtype, WhyNarrow(input, dtype)};
}

Estimate Save(const RowInput& input) {
  const std::string dtype = DTypeAsRun(input);
  if (input.model == nullptr || dtype.empty()) return {};
  const auto parameters = static_cast<double>(input.model->parameters);
  return {.bytes_saved = static_cast<int64_t>(parameters * (32 - BitsPerWeight(dtype)) / 8)};
}

}  // namespace

const Optimization& optimization_dtype() {
  static const Optimization row = {
      .number = 11,
      .id = kId,
      .name = {"weight type", "权重类型"},
      .on_text = {"bfloat16, float16, int8 or int4 weights",
                  "bfloat16、float16、int8 或 int4 权重"},
      .off_text = {"float32 weights", "float32 权重"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
