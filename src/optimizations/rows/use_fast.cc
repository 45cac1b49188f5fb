// Row 2. On: the fast tokenizer. Off: the plain one that the fast one is tested against. Obeyed by
// whoever opens the tokenizer (cli/conversation.cc); both give the same ids.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_use_fast();

namespace {

Detection Detect(const RowInput& input) {
  DeviceStatus cpu = {DeviceState::kAvailable,
                      Say(input.language, "the fast tokenizer is built in", "内置快速分词器")};
  if (input.model != nullptr && !input.model->has_tokenizer_json) {
    cpu = {DeviceState::kNoEffect, Say(input.language, "the folder has no tokenizer.json: ids only",
                                       "文件夹中没有 tokenizer.json：只能用 id")};
  }
  return DetectOn(input, std::move(cpu));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_use_fast());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  return SwitchOutcome(input, device, optimization_use_fast(),
                       Say(input.language, "the fast tokenizer, same ids as the plain one",
                           "快速分词器，id 与普通分词器相同"));
}

Estimate Save(const RowInput&) { return {}; }

}  // namespace

const Optimization& optimization_use_fast() {
  static const Optimization row = {
      .number = 2,
      .id = "use_fast",
      .name = {"fast tokenizer", "快速分词器"},
      .on_text = {"the fast tokenizer", "快速分词器"},
      .off_text = {"the plain reference tokenizer", "普通的参考分词器"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.prefill = false, .decode = false, .tokenize = true},
  };
  return row;
}

}  // namespace fathom
