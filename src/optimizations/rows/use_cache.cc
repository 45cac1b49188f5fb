// Row 5. On: keys and values of the tokens so far are kept. Off: the whole prefix is computed again
// for every token. Obeyed by engine/engine.cc (Request::use_cache).
#include <algorithm>

#include "optimizations/row_tools.h"

namespace fathom {

const Optimization& optimization_use_cache();

namespace {

Detection Detect(const RowInput& input) {
  return DetectOn(input,
                  {DeviceState::kAvailable,
                   Say(input.language, "a paged cache of keys and values", "键和值的分页缓存")});
}

std::vector<Arm> Arms(const RowInput& input, std::string_view device) {
  return SwitchArms(input, device, optimization_use_cache());
}

// Tokens of the context whose keys and values fit the memory beside the weights.
int64_t TokensThatFit(const RowInput& input) {
  const ModelFacts& model = *input.model;
  const auto usable = static_cast<int64_t>(input.machine.memory.usable_bytes);
  if (usable == 0 || model.cache_bytes_per_token == 0) return model.context_length;
  const int64_t room = std::max<int64_t>(usable - model.weights_bytes, 0);
  return std::min(model.context_length, room / model.cache_bytes_per_token);
}

Result<RowOutcome> Apply(const RowInput& input, std::string_view device, EngineOptions*) {
  std::string reason = Detect(input).cpu.reason;
  if (const ModelFacts* model = input.model; model != nullptr) {
    const int64_t tokens = TokensThatFit(input);
    reason = Say(input.language, "{} a token, {} tokens fit ({})",
                 "每个 token {}，可容纳 {} 个（{}）", BytesText(model->cache_bytes_per_token),
                 tokens, BytesText(tokens * model->cache_bytes_per_token));
  }
  return SwitchOutcome(input, device, optimization_use_cache(), std::move(reason));
}

// Without the cache every earlier token of the context is multiplied again.
Estimate Save(const RowInput& input) {
  if (input.model == nullptr) return {};
  const ModelFacts& model = *input.model;
  const int64_t context = model.context_length;
  const int64_t attention = 2 * model.num_hidden_layers * model.num_attention_heads *
                            model.head_dim * context;  // causal: half of 4 x keys x head_dim
  return {.flops_saved = (context - 1) * (2 * model.linear_parameters + attention)};
}

}  // namespace

const Optimization& optimization_use_cache() {
  static const Optimization row = {
      .number = 5,
      .id = "use_cache",
      .name = {"KV cache", "KV 缓存"},
      .on_text = {"keys and values are kept", "保留键和值"},
      .off_text = {"the whole prefix is recomputed for every token", "每个 token 都重算整个前缀"},
      .detect = Detect,
      .arms = Arms,
      .apply = Apply,
      .estimate = Save,
      .acts_on = {.load = false},
  };
  return row;
}

}  // namespace fathom
