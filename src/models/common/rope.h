// Rotary embeddings: config.json's rope_parameters -> the attributes of the rotary_table operation.
#pragma once

#include "checkpoint/model_config.h"
#include "ops/op.h"

namespace fathom {

struct Rope {
  Attributes attributes;           // of rotary_table (src/ops/records/rotary_table.cc)
  int64_t rotary_dim = 0;          // of each head; the rest passes through
  bool depends_on_length = false;  // dynamic, longrope: old keys change with the length
};

// The rope types of transformers 5.23: default, linear, dynamic, yarn, longrope, llama3. Mirrors
// ROPE_INIT_FUNCTIONS and dynamic_rope_update of modeling_rope_utils.py. kBadFile for an unknown
// type or a parameter that the type needs and config.json lacks.
Result<Rope> MakeRope(const ModelConfig& config, const RopeParameters& parameters);

}  // namespace fathom
