#include "backends/cpu/kernels/attention_call.h"

namespace fathom {

AttentionJob MakeAttentionJob(const OpCall& call) {
  AttentionJob job;
  const Attributes& attributes = *call.attributes;
  job.q = call.inputs[0].tensor.as<float>();
  job.y = call.outputs[0].tensor.as<float>();
  job.key_cache = call.inputs[1].tensor;
  job.value_cache = call.inputs[2].tensor;
  job.num_heads = attributes.Int("num_heads");
  job.num_kv_heads = job.key_cache.shape[1];
  job.group = job.num_heads / job.num_kv_heads;
  job.block_size = job.key_cache.shape[2];
  job.head_dim = job.key_cache.shape[3];
  job.value_dim = job.value_cache.shape[3];
  job.scale = static_cast<float>(attributes.Double("scale"));
  job.softcap = static_cast<float>(attributes.Double("softcap", 0.0));
  job.window = attributes.Int("window", 0);
  job.block_table = call.inputs[3].tensor.as<int32_t>();
  job.max_blocks = call.inputs[3].tensor.shape[1];
  job.sequence_start = call.inputs[4].tensor.as<int32_t>();
  job.cache_offset = call.inputs[5].tensor.as<int32_t>();
  job.sequences = call.inputs[3].tensor.shape[0];
  return job;
}

int64_t MaxPartials(const OpCall& call, int64_t chunk_keys) {
  const Shape& cache = call.inputs[1].tensor.shape;
  const Shape& table = call.inputs[3].tensor.shape;
  return table[0] * cache[1] * (table[1] * cache[2] / chunk_keys + 1);
}

}  // namespace fathom
