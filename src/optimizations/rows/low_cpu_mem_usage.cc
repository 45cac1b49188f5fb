// Row 1. On: weights are mapped, and repacked one tensor at a time, so that the peak is one copy.
// Off: everything is read into memory first, then copied, as torch.load did. Obeyed by
// engine/weight_loader.cc.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_low_cpu_mem_usage();

namespace {

Detection Detect(const RowInput& input) {
  return DetectOn(input, {DeviceState::kAvailable,
                          Say(input.language, "files are mapped and read one tensor at a time",
                              "文件被映射，逐个张量读取")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_low_cpu_mem_usage());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  std::string reason = Detect(input).cpu.reason;
  if (input.model != nullptr) {
    const std::string bytes = BytesText(input.model->weights_bytes);
    reason = Say(input.language, "mapped, one tensor at a time: {} once in memory, not twice",
                 "映射并逐个张量读取：{} 在内存中只有一份", bytes);
  }
  return SwitchOutcome(input, device, optimization_low_cpu_mem_usage(), std::move(reason));
}

Estimate Save(const RowInput& input) {
  return {.bytes_saved = input.model != nullptr ? input.model->weights_bytes : 0};
}

}  // namespace

const Optimization& optimization_low_cpu_mem_usage() {
  static const Optimization row = {
      .number = 1,
      .id = "low_cpu_mem_usage",
      .name = {"low-memory load", "低内存加载"},
      .on_text = {"weights mapped or repacked one tensor at a time", "权重映射，或逐个张量重排"},
      .off_text = {"all is read, then copied", "先全部读入，再复制"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.prefill = false, .decode = false},
  };
  return row;
}

}  // namespace fathom
