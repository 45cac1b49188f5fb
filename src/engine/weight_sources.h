// WeightSources: where in the checkpoint the weights of a graph lie. All of it is decided, and
// every shape checked, before a byte of a weight is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"
#include "fathom/status.h"
#include "graph/graph.h"

namespace fathom {

// The tensors of one weight, in the order of its recipe's sources.
struct LocatedWeight {
  std::vector<const CheckpointTensor*> tensors;
  std::vector<WeightSource> sources;
  uint64_t source_bytes = 0;
};

// The tensor of a recipe's source, under any of the names that from_pretrained takes: as written;
// within a composite model ("model.language_model.", "language_model."); without the base model's
// prefix (a file saved from the model below its head). Null where there is none.
const CheckpointTensor* FindSource(const Checkpoint& checkpoint, std::string_view name);

// Whether the head is really tied to the embedding. Mirrors tie_weights of transformers'
// modeling_utils.py (5.23): a file that holds both with different values unties them, with a
// notice.
bool HeadIsTied(const Checkpoint& checkpoint, const ModelConfig& config, NoticeSink* notices);

// Finds the sources of all weights. kBadFile, by the tensor's name: missing; of a shape that
// contradicts the config; of a type without a float form; of a layer beyond num_hidden_layers.
// Tensors that nothing uses are told in one notice.
Result<std::vector<LocatedWeight>> LocateWeights(const Checkpoint& checkpoint, const Graph& graph,
                                                 const ModelConfig& config, NoticeSink* notices);

}  // namespace fathom
