// Row 8. On: the k best scores are selected, softmax runs over what is kept. Off: the whole
// vocabulary is sorted. Both keep the same tokens. Obeyed by the sampler (SamplingArm).
#include <bit>

#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_top_k();

namespace {

Detection Detect(const RowInput& input) {
  return DetectOn(
      input, {DeviceState::kAvailable, Say(input.language, "the sampler selects without sorting",
                                           "采样器无需排序即可选出")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_top_k());
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  std::string reason = Say(input.language, "partial selection, when sampling with top_k or top_p",
                           "部分选择，用于 top_k 或 top_p 采样");
  if (input.model != nullptr) {
    reason = Say(input.language, "partial selection among {} tokens, when sampling",
                 "采样时从 {} 个 token 中部分选择", input.model->vocab_size);
  }
  return SwitchOutcome(input, device, optimization_top_k(), std::move(reason));
}

// Comparisons: one for each token of the vocabulary instead of a sort's log2 of them.
Estimate Save(const RowInput& input) {
  if (input.model == nullptr || input.model->vocab_size < 2) return {};
  const auto vocabulary = static_cast<uint64_t>(input.model->vocab_size);
  return {.flops_saved = static_cast<int64_t>(vocabulary * (std::bit_width(vocabulary - 1) - 1))};
}

}  // namespace

const Optimization& optimization_top_k() {
  static const Optimization row = {
      .number = 8,
      .id = "top_k",
      .name = {"top-k sampling", "top-k 采样"},
      .on_text = {"partial selection, then softmax over the tokens kept",
                  "部分选择，再对保留的 token 做 softmax"},
      .off_text = {"full sort of the vocabulary", "对整个词表排序"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false, .sampling = true},
  };
  return row;
}

}  // namespace fathom
