// Row 3. On: an activation's memory is used again once nothing reads it. Off: every activation of a
// step keeps bytes of its own, as autograd would keep it. Obeyed by engine/plan_builder.cc.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_inference_mode();

namespace {

Detection Detect(const RowInput& input) {
  return DetectOn(input, {DeviceState::kAvailable,
                          Say(input.language, "the memory plan knows when a value was last read",
                              "内存计划知道每个值最后一次被读取的时刻")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_inference_mode());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  std::string reason = Say(input.language, "activations share one arena", "激活值共用一块内存");
  if (const ModelFacts* model = input.model; model != nullptr) {
    reason = Say(input.language, "activations share {} instead of {} (a step of {} tokens)",
                 "激活值共用 {}，而不是 {}（每步 {} 个 token）",
                 BytesText(model->reused_activation_bytes), BytesText(model->activation_bytes),
                 model->step_tokens);
  }
  return SwitchOutcome(input, device, optimization_inference_mode(), std::move(reason));
}

Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  return {.bytes_saved = input.model->activation_bytes - input.model->reused_activation_bytes};
}

}  // namespace

const Optimization& optimization_inference_mode() {
  static const Optimization row = {
      .number = 3,
      .id = "inference_mode",
      .name = {"inference mode", "推理模式"},
      .on_text = {"activation buffers are reused", "激活缓冲区被重复使用"},
      .off_text = {"every activation is kept, as autograd would", "如自动求导那样保留每个激活值"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false},
  };
  return row;
}

}  // namespace fathom
