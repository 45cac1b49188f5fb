// Row 13. On: attention in tiles with a softmax that is carried along (flash_attention_2; sdpa is
// the same kernel here). Off: eager, all scores of a query written out. Obeyed by the backends
// (Plan::attn_implementation).
#include "backends/backend.h"
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_attn_implementation();

namespace {

constexpr std::string_view kId = "attn_implementation";

Detection Detect(const RowInput& input) {
  DeviceStatus cpu = {
      DeviceState::kAvailable,
      Say(input.language, "tiled attention for every instruction set", "每个指令集都有分块注意力")};
  if (IsPlainBackend(input.options.backend)) {
    cpu = {DeviceState::kNoEffect, Say(input.language, "the {} backend has one attention",
                                       "{} 后端只有一种注意力", input.options.backend)};
  }
  return DetectOn(input, std::move(cpu));
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  std::vector<Arm> arms;
  for (const std::string_view value : {"eager", "flash_attention_2"}) {
    Arm arm{.value = std::string(value), .on = value != "eager"};
    arm.options = WithoutNaming(input.options, kId);
    arm.options.attn_implementation = value;
    arms.push_back(std::move(arm));
  }
  return arms;
}

// Why attention is eager.
std::string WhyEager(const RowInput& input) {
  if (IsDisabled(input.options, kId)) return DisabledReason(input, kId);
  if (input.options.output_attentions) {
    return Say(input.language, "output_attentions returns scores, which eager alone writes out",
               "output_attentions 要返回注意力分数，只有 eager 会写出");
  }
  return Say(input.language, "asked for by --attn-implementation eager",
             "由 --attn-implementation eager 要求");
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  std::string& value = options->attn_implementation;
  if (IsDisabled(asked, kId) && !value.empty() && value != "eager") {
    return Contradiction("--attn-implementation " + value, "--disable attn_implementation",
                         "off is eager");
  }
  if (IsEnabled(asked, kId) && value == "eager") {
    return Contradiction("--attn-implementation eager", "--enable attn_implementation",
                         "eager is off");
  }
  const DeviceStatus status = Detect(input).Of(device);
  const bool eager = IsDisabled(asked, kId) || asked.output_attentions || value == "eager";
  if (status.state == DeviceState::kUnavailable || eager) value = "eager";
  if (value.empty()) value = "flash_attention_2";
  if (status.state == DeviceState::kUnavailable) {
    return RowOutcome{RowState::kUnavailable, value, status.reason};
  }
  if (eager) return RowOutcome{RowState::kOff, value, WhyEager(input)};
  if (status.state == DeviceState::kNoEffect) {
    return RowOutcome{RowState::kNoEffect, value, status.reason};
  }
  return RowOutcome{RowState::kOn, value,
                    Say(input.language, "{}: tiled, online softmax; scores are never written out",
                        "{}：分块、在线 softmax，不写出分数", value)};
}

// The scores of one layer for one token at the whole context: written, then read.
Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  const ModelFacts& model = *input.model;
  return {.bytes_saved = 2 * model.num_hidden_layers * model.num_attention_heads *
                         model.context_length * static_cast<int64_t>(sizeof(float))};
}

}  // namespace

const Optimization& optimization_attn_implementation() {
  static const Optimization row = {
      .number = 13,
      .id = kId,
      .name = {"attention", "注意力实现"},
      .on_text = {"flash_attention_2: tiled, online softmax",
                  "flash_attention_2：分块、在线 softmax"},
      .off_text = {"eager: scores materialized", "eager：写出分数"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false},
  };
  return row;
}

}  // namespace fathom
