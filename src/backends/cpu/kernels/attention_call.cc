#include "backends/cpu/kernels/attention_call.h"

#include <cstring>

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

void FinishDecodeItem(const AttentionJob& job, const AttentionItem& item, const DecodeState& state,
                      float unit, float* partials) {
  const int64_t group = job.group, dim = job.value_dim;
  for (int64_t i = 0; i < item.heads * group; ++i) {
    const int64_t head = i / group, h = i % group;
    const float* from = state.outputs + i * state.stride;
    if (item.partial < 0) {
      float* y = job.Output(item.sequence, item.head + head, h);
      const float factor = 1.0f / state.sum[i];
      for (int64_t k = 0; k < dim; ++k) y[k] = from[k] * factor;
      continue;
    }
    float* partial = partials + (item.partial + head) * PartialFloats(job);
    std::memcpy(partial + h * dim, from, static_cast<size_t>(dim) * sizeof(float));
    partial[group * dim + h] = state.largest[i] * unit;
    partial[group * dim + group + h] = state.sum[i];
  }
}

int64_t MaxPartials(const OpCall& call) {
  const Shape& cache = call.inputs[1].tensor.shape;
  const Shape& table = call.inputs[3].tensor.shape;
  const int64_t chunks = (table[1] * cache[2] + kAttentionChunkKeys - 1) / kAttentionChunkKeys;
  return table[0] * cache[1] * std::min(chunks, kAttentionMaxChunks);
}

}  // namespace fathom
