// The decoder that llama made common: pre-norm blocks of rotary grouped-query attention and a gated
// feed-forward layer. Architectures that differ in biases, head norms and windows say so in
// DecoderOptions; what differs in a part overrides that part of DecoderBuilder in its own file.
#pragma once

#include <functional>
#include <string>

#include "checkpoint/model_config.h"
#include "graph/builder.h"
#include "models/common/rope.h"

namespace fathom {

struct DecoderOptions {
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  // Each head of q and k goes through an rms_norm of its own before the rotation: weights
  // `q_norm`, `k_norm` [head_dim] (Qwen3Attention).
  bool qk_norm = false;
  // Keys that a query of the layer sees, itself included; 0: all.
  std::function<int64_t(int64_t layer)> window;
};

// Weights under `model.` as transformers' LlamaForCausalLM names them, the head under `lm_head.`.
// `name` is within the builder's scope; `source` is the module's full name in the checkpoint, and
// for Attention, HeadNorm and Mlp the prefix of the names in it ("model.layers.3.mlp.").
class DecoderBuilder {
 public:
  // config outlives the decoder.
  DecoderBuilder(const ModelConfig& config, const Parallel& parallel, const DecoderOptions& options)
      : config_(config), options_(options), builder_(parallel) {}
  virtual ~DecoderBuilder() = default;
  Result<Graph> Build();

 protected:
  // What enters the first layer, [num_tokens, hidden_size].
  virtual ValueId Embed(ValueId table);
  // y of x [num_tokens, hidden_size], shaped alike.
  virtual ValueId Norm(ValueId x, const std::string& name, const std::string& source);
  // The same for each head of x [num_tokens, heads * head_dim] by itself.
  virtual ValueId HeadNorm(ValueId x, const std::string& name, const std::string& source);
  // [num_tokens, out] of x [num_tokens, in]: the place to read a matrix that lies joined with
  // others in the checkpoint.
  virtual ValueId Linear(ValueId x, const std::string& name, const std::string& source, int64_t out,
                         int64_t in, bool bias, WeightSplit split);
  // With both residuals.
  virtual ValueId Layer(int64_t layer, ValueId x);
  // x [num_tokens, hidden_size] -> the same shape, before the residual; Mlp likewise.
  virtual ValueId Attention(int64_t layer, ValueId x, const std::string& source);
  virtual ValueId Mlp(ValueId x, const std::string& source);
  // [num_logit_rows, vocab_size] of the rows behind the last norm.
  virtual ValueId Head(ValueId x, ValueId table);

  const ModelConfig& config_;
  const DecoderOptions options_;
  GraphBuilder builder_;
  Rope rope_;
  ValueId rotary_table_ = kAbsent;

 private:
  ValueId EmbeddingTable();
};

// The decoder as it is, with these options.
Result<Graph> BuildDecoder(const ModelConfig& config, const Parallel& parallel,
                           const DecoderOptions& options);

}  // namespace fathom
