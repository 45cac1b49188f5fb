#include "models/common/decoder.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/activation_function.h"

namespace fathom {

Result<Graph> DecoderBuilder::Build() {
  if (!FindActivationFunction(config_.hidden_act)) {
    return Status::BadFile(config_.file, "hidden_act", fmt::format("\"{}\"", config_.hidden_act),
                           "is not an activation function that this build has");
  }
  FATHOM_ASSIGN(rope_, MakeRope(config_, config_.rope_parameters[0].parameters));
  builder_.set_cache_depends_on_length(rope_.depends_on_length);
  const ValueId table = EmbeddingTable();
  ValueId x = Embed(table);
  rotary_table_ = builder_.Add1(
      "rotary_table", "rotary_emb",
      {builder_.Input(step_input::kPositions), builder_.Input(step_input::kRopeLengths)},
      rope_.attributes);
  builder_.HiddenState(x);
  for (int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    x = Layer(layer, x);
    builder_.HiddenState(x);
  }
  builder_.SetScope(-1, "");
  x = builder_.Add1("gather_rows", "logit_rows", {x, builder_.Input(step_input::kLogitRows)});
  x = Norm(x, "norm", "model.norm");
  return builder_.Finish(Head(x, table), config_.num_hidden_layers, config_.vocab_size);
}

ValueId DecoderBuilder::Embed(ValueId table) {
  return builder_.Add1("embedding", "embed_tokens", {builder_.Input(step_input::kTokenIds), table},
                       {{"scale", 1.0}});
}

ValueId DecoderBuilder::Head(ValueId x, ValueId table) {
  const ValueId head = config_.tie_word_embeddings
                           ? table
                           : builder_.Matrix("lm_head.weight", "lm_head.weight", config_.vocab_size,
                                             config_.hidden_size);
  return builder_.Add1("linear", "lm_head", {x, head, kAbsent});
}

ValueId DecoderBuilder::EmbeddingTable() {
  return builder_.Weight({.name = "embed_tokens.weight",
                          .role = WeightRole::kEmbedding,
                          .sources = {"model.embed_tokens.weight"},
                          .rows = config_.vocab_size,
                          .cols = config_.hidden_size});
}

ValueId DecoderBuilder::Norm(ValueId x, const std::string& name, const std::string& source) {
  const ValueId weight = builder_.Vector(name + ".weight", source + ".weight", config_.hidden_size);
  return builder_.Add1("rms_norm", name, {x, weight}, {{"eps", config_.rms_norm_eps}});
}

ValueId DecoderBuilder::HeadNorm(ValueId x, const std::string& name, const std::string& source) {
  const int64_t head_dim = config_.head_dim;
  const ValueId weight = builder_.Vector(name + ".weight", source + name + ".weight", head_dim);
  return builder_.Add1("rms_norm", name, {x, weight},
                       {{"eps", config_.rms_norm_eps}, {"head_dim", head_dim}});
}

ValueId DecoderBuilder::Linear(ValueId x, const std::string& name, const std::string& source,
                               int64_t out, int64_t in, bool bias, WeightSplit split) {
  const ValueId weight = builder_.Matrix(name + ".weight", source + ".weight", out, in, split);
  ValueId bias_value = kAbsent;
  if (bias) {
    const WeightSplit of_bias = split == WeightSplit::kRows ? split : WeightSplit::kNone;
    bias_value = builder_.Vector(name + ".bias", source + ".bias", out, of_bias);
  }
  return builder_.Add1("linear", name, {x, weight, bias_value});
}

ValueId DecoderBuilder::Layer(int64_t layer, ValueId x) {
  const std::string scope = fmt::format("layers.{}.", layer);
  const std::string source = "model." + scope;
  const auto index = static_cast<int32_t>(layer);
  builder_.SetScope(index, scope);
  ValueId normed = Norm(x, "input_layernorm", source + "input_layernorm");
  builder_.SetScope(index, scope + "self_attn.");
  const ValueId attention = Attention(layer, normed, source + "self_attn.");
  builder_.SetScope(index, scope);
  x = builder_.Add1("add", "attention_residual", {x, attention});
  normed = Norm(x, "post_attention_layernorm", source + "post_attention_layernorm");
  builder_.SetScope(index, scope + "mlp.");
  const ValueId mlp = Mlp(normed, source + "mlp.");
  builder_.SetScope(index, scope);
  return builder_.Add1("add", "mlp_residual", {x, mlp});
}

ValueId DecoderBuilder::Attention(int64_t layer, ValueId x, const std::string& source) {
  const int64_t heads = config_.num_attention_heads / builder_.parallel().size;
  const int64_t kv_heads = config_.num_key_value_heads / builder_.parallel().size;
  const int64_t head_dim = config_.head_dim;
  const int64_t hidden = config_.hidden_size;
  const bool bias = options_.qkv_bias;
  ValueId q =
      Linear(x, "q_proj", source + "q_proj", heads * head_dim, hidden, bias, WeightSplit::kRows);
  ValueId k =
      Linear(x, "k_proj", source + "k_proj", kv_heads * head_dim, hidden, bias, WeightSplit::kRows);
  const ValueId v =
      Linear(x, "v_proj", source + "v_proj", kv_heads * head_dim, hidden, bias, WeightSplit::kRows);
  if (options_.qk_norm) {
    q = HeadNorm(q, "q_norm", source);
    k = HeadNorm(k, "k_norm", source);
  }
  const Attributes rotary = {{"head_dim", head_dim}};
  q = builder_.Add1("rotary", "q_rotary", {q, rotary_table_}, rotary);
  k = builder_.Add1("rotary", "k_rotary", {k, rotary_table_}, rotary);
  const int64_t window = options_.window ? options_.window(layer) : 0;
  const int group = builder_.Group(window);
  const ValueId key_cache = builder_.Cache("key", group, kv_heads, head_dim);
  const ValueId value_cache = builder_.Cache("value", group, kv_heads, head_dim);
  builder_.Add("cache_write", "cache_write",
               {k, v, builder_.Input(step_input::Slots(group)), key_cache, value_cache});
  const ValueId context = builder_.Add1(
      "attention", "attention",
      {q, key_cache, value_cache, builder_.Input(step_input::BlockTable(group)),
       builder_.Input(step_input::kSequenceStart), builder_.Input(step_input::kCacheOffset)},
      {{"num_heads", heads},
       {"scale", 1.0 / std::sqrt(static_cast<double>(head_dim))},
       {"window", window},
       {"softcap", 0.0}});
  return builder_.AllReduce(Linear(context, "o_proj", source + "o_proj", hidden, heads * head_dim,
                                   options_.o_bias, WeightSplit::kCols));
}

ValueId DecoderBuilder::Mlp(ValueId x, const std::string& source) {
  const int64_t width = config_.intermediate_size / builder_.parallel().size;
  const int64_t hidden = config_.hidden_size;
  const bool bias = options_.mlp_bias;
  const ValueId gate =
      Linear(x, "gate_proj", source + "gate_proj", width, hidden, bias, WeightSplit::kRows);
  const ValueId up =
      Linear(x, "up_proj", source + "up_proj", width, hidden, bias, WeightSplit::kRows);
  const ValueId y =
      builder_.Add1("gated_activation", "act_fn", {gate, up}, {{"activation", config_.hidden_act}});
  return builder_.AllReduce(
      Linear(y, "down_proj", source + "down_proj", hidden, width, bias, WeightSplit::kCols));
}

Result<Graph> BuildDecoder(const ModelConfig& config, const Parallel& parallel,
                           const DecoderOptions& options) {
  return DecoderBuilder(config, parallel, options).Build();
}

}  // namespace fathom
