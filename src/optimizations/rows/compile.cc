// Row 10. On: the graph is fused, its memory planned, its weights packed. Off: one operation at a
// time on weights as they are mapped (the eager arm). Obeyed by engine/plan_builder.cc.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_compile();

namespace {

Detection Detect(const RowInput& input) {
  return DetectOn(input, {DeviceState::kAvailable,
                          Say(input.language, "the graph can be fused and its weights packed",
                              "计算图可以融合，权重可以重排")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_compile());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  std::string reason = Say(input.language, "fused, packed plan", "融合并重排的计划");
  if (const ModelFacts* model = input.model; model != nullptr) {
    reason = Say(input.language, "{} operations a step instead of {}, weights packed",
                 "每步 {} 个运算，而不是 {} 个；权重重排", model->num_fused_operations,
                 model->num_operations);
  }
  return SwitchOutcome(input, device, optimization_compile(), std::move(reason));
}

Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  return {.launches_saved = input.model->num_operations - input.model->num_fused_operations};
}

}  // namespace

const Optimization& optimization_compile() {
  static const Optimization row = {
      .number = 10,
      .id = "compile",
      .name = {"compiled plan", "编译的计划"},
      .on_text = {"fused, memory-planned, packed plan", "融合、规划内存、重排权重的计划"},
      .off_text = {"one operation at a time", "一次一个运算"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
  };
  return row;
}

}  // namespace fathom
