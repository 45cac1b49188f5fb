// Row 9. On: the kernels that fit a shape are timed once and the fastest is kept, remembered by
// machine and version. Off: the choice that is written in the backend's heuristics. What cuDNN's
// benchmark is to convolutions; here it is Fathom's own tuner.
#include "backends/backend.h"
#include "base/cache_file.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_cudnn_benchmark();

namespace {

TuningSummary Remembered(const RowInput& input) {
  const EngineOptions& options = input.options;
  return RememberedTuning(
      options.backend, input.machine,
      {.threads = options.threads, .isa = options.isa, .cache_folder = CacheFolder()});
}

Detection Detect(const RowInput& input) {
  const BackendRecord* backend = FindBackend(input.options.backend);
  if (backend != nullptr && backend->remembered == nullptr) {
    return DetectOn(input,
                    {DeviceState::kNoEffect, Say(input.language, "the {} backend has no tuner",
                                                 "{} 后端没有调优器", backend->name)});
  }
  std::vector<std::string> evidence;
  const TuningSummary tuning = Remembered(input);
  if (tuning.shapes > 0) evidence.push_back(tuning.file);
  return DetectOn(input,
                  {DeviceState::kAvailable,
                   Say(input.language, "Fathom's own tuner times the kernels that fit a shape",
                       "Fathom 自带调优器，对适合某形状的内核计时")},
                  std::move(evidence));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_cudnn_benchmark());
}

// What the tuner has kept for this machine, and what the fixed choices would cost.
std::string Reason(const RowInput& input) {
  const TuningSummary tuning = Remembered(input);
  if (tuning.shapes == 0) {
    return Say(input.language, "the first run times the kernels of each shape and keeps the choice",
               "首次运行对每种形状的内核计时并保存选择");
  }
  std::string reason = Say(input.language, "{} shapes tuned in {:.1f} s on {}, cached",
                           "{} 种形状，用时 {:.1f} 秒，于 {} 调优并缓存", tuning.shapes,
                           tuning.seconds, tuning.date);
  if (tuning.changed > 0 && tuning.microseconds > 0) {
    reason += Say(input.language, "; the fixed choice was slower for {} of them, {:.2f}x in sum",
                  "；其中 {} 种的固定选择较慢，合计 {:.2f} 倍", tuning.changed,
                  tuning.fixed_microseconds / tuning.microseconds);
  }
  return reason;
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  return SwitchOutcome(input, device, optimization_cudnn_benchmark(), Reason(input));
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
