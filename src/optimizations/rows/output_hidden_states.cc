// Row 7. On (transformers' False): a layer's output is gone once the next layer has read it. Off
// (True): the embeddings and the output of every layer are kept and returned.
#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_output_hidden_states();

namespace {

constexpr std::string_view kId = "output_hidden_states";

Detection Detect(const RowInput& input) {
  return DetectOn(input, {DeviceState::kAvailable,
                          Say(input.language, "hidden states need not outlive the next layer",
                              "隐藏状态在下一层之后无需保留")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  if (Detect(input).Of(device).state == DeviceState::kUnavailable) return {};
  Arm off{.value = "True", .on = false, .options = WithoutNaming(input.options, kId)};
  Arm on{.value = "False", .on = true, .options = off.options};
  off.options.output_hidden_states = true;
  on.options.output_hidden_states = false;
  return {std::move(off), std::move(on)};
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions* options) {
  const EngineOptions& asked = input.options;
  const bool disabled = IsDisabled(asked, kId);
  if (asked.output_hidden_states && IsEnabled(asked, kId)) {
    return Contradiction("--enable output_hidden_states", "--output-hidden-states",
                         "the row's on-arm returns none");
  }
  options->output_hidden_states = asked.output_hidden_states || disabled;
  const DeviceStatus status = Detect(input).Of(device);
  if (status.state == DeviceState::kUnavailable) {
    return RowOutcome{RowState::kUnavailable, "False", status.reason};
  }
  if (disabled) return RowOutcome{RowState::kOff, "True", DisabledReason(input, kId)};
  if (asked.output_hidden_states) {
    return RowOutcome{RowState::kOff, "True",
                      Say(input.language, "asked for by --output-hidden-states",
                          "由 --output-hidden-states 要求")};
  }
  return RowOutcome{RowState::kOn, "False",
                    Say(input.language, "hidden states are not kept", "不保留隐藏状态")};
}

// float32 states of every layer and the embeddings, of one token.
Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  const ModelFacts& model = *input.model;
  return {.bytes_saved = (model.num_hidden_layers + 1) * model.hidden_size *
                         static_cast<int64_t>(sizeof(float))};
}

}  // namespace

const Optimization& optimization_output_hidden_states() {
  static const Optimization row = {
      .number = 7,
      .id = kId,
      .name = {"hidden states not returned", "不返回隐藏状态"},
      .on_text = {"False: hidden states are not kept", "False：不保留隐藏状态"},
      .off_text = {"True: kept and returned", "True：保留并返回"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false},
  };
  return row;
}

}  // namespace fathom
