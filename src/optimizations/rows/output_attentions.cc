// Row 6. On (transformers' False): attention weights are never materialized. Off (True): the
// weights of every layer are computed and returned, which only eager attention can. As in
// transformers (configuration_utils.py, output_attentions): asked for with nothing said about
// attention, attention becomes eager; with another implementation named, it is refused.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_output_attentions();

namespace {

constexpr std::string_view kId = "output_attentions";

Detection Detect(const RowInput& input) {
  return DetectOn(input, {DeviceState::kAvailable,
                          Say(input.language, "attention weights can be left unmaterialized",
                              "注意力权重可以不写入内存")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  Arm off{.value = "True", .on = false, .options = WithoutNaming(input.options, kId)};
  Arm on{.value = "False", .on = true, .options = off.options};
  off.options.output_attentions = true;
  on.options.output_attentions = false;
  return {std::move(off), std::move(on)};
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  const bool disabled = IsDisabled(asked, kId);
  if (asked.output_attentions && IsEnabled(asked, kId)) {
    return Contradiction("--enable output_attentions", "--output-attentions",
                         "the row's on-arm returns none");
  }
  options->output_attentions = asked.output_attentions || disabled;
  if (!options->output_attentions) {
    const DeviceStatus status = Detect(input).Of(device);
    if (status.state == DeviceState::kUnavailable) {
      return RowOutcome{RowState::kUnavailable, "False", status.reason};
    }
    return RowOutcome{
        RowState::kOn, "False",
        Say(input.language, "attention weights are never materialized", "注意力权重从不写入内存")};
  }
  const std::string_view cause = disabled ? "--disable output_attentions" : "--output-attentions";
  const std::string& implementation = asked.attn_implementation;
  if (!implementation.empty() && implementation != "eager") {
    return Contradiction("--attn-implementation " + implementation, cause,
                         "only eager attention has weights to return");
  }
  if (IsEnabled(asked, "attn_implementation")) {
    return Contradiction("--enable attn_implementation", cause,
                         "only eager attention has weights to return");
  }
  return RowOutcome{RowState::kOff, "True",
                    disabled ? DisabledReason(input, kId)
                             : Say(input.language, "asked for by --output-attentions",
                                   "由 --output-attentions 要求")};
}

// float32 weights of every layer and head for one token at the whole context.
Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  const ModelFacts& model = *input.model;
  return {.bytes_saved = model.num_hidden_layers * model.num_attention_heads *
                         model.context_length * static_cast<int64_t>(sizeof(float))};
}

}  // namespace

const Optimization& optimization_output_attentions() {
  static const Optimization row = {
      .number = 6,
      .id = kId,
      .name = {"attentions not returned", "不返回注意力"},
      .on_text = {"False: attention weights are never materialized",
                  "False：注意力权重从不写入内存"},
      .off_text = {"True: materialized and returned", "True：写入内存并返回"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false},
  };
  return row;
}

}  // namespace fathom
