// A further row. On: weights that were packed once are kept in the user's cache folder and mapped
// by the next start. Off: every start packs them from the checkpoint. Obeyed by
// engine/weight_cache.h.
#include "backends/backend.h"
#include "base/cache_file.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_weight_cache();

namespace {

Detection Detect(const RowInput& input) {
  const std::string folder = CacheFolder();
  if (folder.empty()) {
    return DetectOn(input, {DeviceState::kUnavailable,
                            Say(input.language, "neither XDG_CACHE_HOME nor HOME names a folder",
                                "XDG_CACHE_HOME 与 HOME 均未指定文件夹")});
  }
  return DetectOn(input,
                  {DeviceState::kAvailable,
                   Say(input.language, "packed weights are kept in the cache folder and mapped",
                       "打包后的权重保存在缓存目录中并被映射")},
                  {folder + "/weights"});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_weight_cache());
}

// Why nothing is kept although the row is on; empty where something is.
std::string NothingKept(const RowInput& input, const EngineOptions& options) {
  if (IsPlainBackend(options.backend)) {
    return Say(input.language, "the {} backend packs nothing", "{} 后端不打包权重",
               options.backend);
  }
  if (!options.IsOn("compile")) {
    return Say(input.language, "without compile weights run as the checkpoint has them",
               "未启用 compile 时，权重按检查点原样使用");
  }
  if (!options.IsOn("low_cpu_mem_usage")) {
    return Say(input.language, "without low_cpu_mem_usage all is read and copied",
               "未启用 low_cpu_mem_usage 时，全部读入再复制");
  }
  if (input.model != nullptr && input.model->weights_bytes < kSmallestKeptBytes) {
    return Say(input.language, "{} are packed faster than they are looked for",
               "{} 的权重重新打包比查找更快", BytesText(input.model->weights_bytes));
  }
  return "";
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  RowOutcome outcome = SwitchOutcome(
      input, device, optimization_weight_cache(),
      Say(input.language, "packed once, mapped by later starts, pages shared by processes",
          "打包一次，之后启动直接映射，进程间共享页面"));
  if (outcome.state != RowState::kOn) return outcome;
  const std::string nothing = NothingKept(input, *options);
  if (nothing.empty()) return outcome;
  outcome.state = RowState::kNoEffect;
  outcome.reason = nothing;
  return outcome;
}

Estimate Save(const RowInput&) { return {}; }

}  // namespace

const Optimization& optimization_weight_cache() {
  static const Optimization row = {
      .number = 14,
      .id = "weight_cache",
      .name = {"packed weights kept", "保留打包权重"},
      .on_text = {"weights packed once, then mapped from the cache folder",
                  "权重打包一次，之后从缓存目录映射"},
      .off_text = {"packed at every start", "每次启动都打包"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
