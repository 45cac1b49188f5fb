// Row 9. On: the kernels that fit a shape are timed once and the fastest is kept, remembered by
// machine and version. Off: the choice that is written in the backend's heuristics. What cuDNN's
// benchmark is to convolutions; here it is Fathom's own tuner.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_cudnn_benchmark();

namespace {

Detection Detect(const RowInput& input) {
  DeviceStatus cpu = {DeviceState::kAvailable,
                      Say(input.language, "Fathom's own tuner times the kernels that fit a shape",
                          "Fathom 自带调优器，对适合某形状的内核计时")};
  if (input.options.backend == "reference") {
    cpu = {DeviceState::kNoEffect, Say(input.language, "the reference backend has one loop a shape",
                                       "reference 后端对每种形状只有一个循环")};
  }
  return DetectOn(input, std::move(cpu));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_cudnn_benchmark());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  return SwitchOutcome(input, device, optimization_cudnn_benchmark(),
                       Say(input.language, "kernels timed once a shape, the choice cached",
                           "每种形状的内核计时一次，选择被缓存"));
}

Estimate Save(const RowInput&) { return {}; }

}  // namespace

const Optimization& optimization_cudnn_benchmark() {
  static const Optimization row = {
      .number = 9,
      .id = "cudnn_benchmark",
      .name = {"kernel tuning", "内核调优"},
      .on_text = {"candidate kernels timed per shape, the choice cached",
                  "按形状对候选内核计时，并缓存选择"},
      .off_text = {"the fixed choice", "固定的选择"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
