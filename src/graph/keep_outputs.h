// Rows output_attentions and output_hidden_states: a graph that keeps what transformers' forward
// returns for them. Both run before the passes that fuse.
#pragma once

#include "fathom/status.h"
#include "graph/graph.h"

namespace fathom {

// Every attention becomes attention_with_weights; Graph::attentions lists the weights by layer.
Status KeepAttentions(Graph& graph);

// Graph::hidden_states stay readable. transformers' last one is behind the final norm, of all
// tokens: the norm moves before the selection of the rows whose logits are wanted. kRunTime where
// the architecture names no hidden states.
Status KeepHiddenStates(Graph& graph);

}  // namespace fathom
