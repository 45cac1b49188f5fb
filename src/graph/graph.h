// Graph: one forward pass as a list of operations in execution order, with symbolic sizes.
//
// A graph is plain data. Architectures build it (GraphBuilder), passes rewrite it (graph/passes),
// VerifyGraph holds its rules, a backend compiles it as part of a Plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/weight_recipe.h"
#include "ops/op.h"

namespace fathom {

// The sizes that a step decides.
enum class Symbol : uint8_t {
  kNone,
  kNumTokens,  // tokens of the step over all sequences (ragged)
  kNumSequences,
  kNumLogitRows,  // rows of logits asked for
  kMaxBlocks,     // columns of the block tables
};

// symbol * 1 + value, or value alone.
struct Dim {
  int64_t value = 0;
  Symbol symbol = Symbol::kNone;

  static Dim Of(Symbol symbol, int64_t plus = 0) { return {plus, symbol}; }
  static Dim Constant(int64_t value) { return {value, Symbol::kNone}; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

// The step's true sizes, or a bucket's capacity.
struct StepSizes {
  int64_t num_tokens = 0;
  int64_t num_sequences = 0;
  int64_t num_logit_rows = 0;
  int64_t max_blocks = 0;

  constexpr int64_t Evaluate(const Dim& dim) const {
    switch (dim.symbol) {
      case Symbol::kNone:
        break;
      case Symbol::kNumTokens:
        return num_tokens + dim.value;
      case Symbol::kNumSequences:
        return num_sequences + dim.value;
      case Symbol::kNumLogitRows:
        return num_logit_rows + dim.value;
      case Symbol::kMaxBlocks:
        return max_blocks + dim.value;
    }
    return dim.value;
  }
};

enum class ValueKind : uint8_t { kActivation, kInput, kWeight, kCache };

using ValueId = int32_t;
inline constexpr ValueId kAbsent = -1;

struct Value {
  std::string name;
  ValueKind kind = ValueKind::kActivation;
  DType dtype = DType::kF32;
  std::vector<Dim> dims;
  int32_t weight = -1;  // kWeight: index into Graph::weights
  int32_t cache = -1;   // kCache: index into Graph::caches
};

struct OpNode {
  const OpRecord* op = nullptr;
  std::vector<ValueId> inputs;  // kAbsent: an optional input that is not there
  std::vector<ValueId> outputs;
  Attributes attributes;
  int32_t layer = -1;  // -1: before or after the layers
  int32_t device = 0;
  std::string name;  // "layers.3.self_attn.q_proj"
};

// The first dim of a cache value: how many blocks there are is the plan's to say.
inline constexpr int64_t kAnyBlocks = int64_t{1} << 36;

// Keys or values of one layer: [num_blocks, num_heads, block_size, head_dim].
struct CacheSpec {
  std::string name;  // "layers.3.key"
  int32_t layer = 0;
  int32_t group = 0;
  int64_t num_heads = 0;
  int64_t head_dim = 0;
};

// Layers that share one block table: all of one window. Inputs of the step, per group g:
//   block_table.g [num_sequences, max_blocks]: physical block of logical block j, -1: freed or
//   unused slots.g [num_tokens]: physical_block * block_size + row where the token's keys and
//   values go
struct CacheGroupSpec {
  int64_t window = 0;  // keys a query sees, itself included; 0: all
};

struct Graph {
  std::vector<Value> values;
  std::vector<OpNode> nodes;
  std::vector<WeightRecipe> weights;
  std::vector<CacheSpec> caches;
  std::vector<CacheGroupSpec> groups;
  ValueId logits = kAbsent;  // [num_logit_rows, vocab_size]
  // Activations that the caller may read after the step, named by graph/keep_outputs.h.
  //   hidden_states  [num_tokens, hidden_size]: what enters layer 0, then what leaves each layer.
  //                  The architecture names them; KeepHiddenStates makes the last one the normed.
  //   attentions     per layer [num_tokens, num_heads, max_blocks, block_size]
  std::vector<ValueId> hidden_states;
  std::vector<ValueId> attentions;
  bool keeps_hidden_states = false;  // off: their memory may be used again within the step
  int64_t num_layers = 0;
  int64_t vocab_size = 0;
  // Old keys depend on the sequence's later length (dynamic rope, longrope): no reuse of prefixes.
  bool cache_depends_on_length = false;

  // Values that stay readable behind the last node: the logits and what is kept.
  std::vector<ValueId> Results() const;
};

// The names of the step's inputs; every graph has those it uses.
//   token_ids      int32 [num_tokens]
//   positions      int32 [num_tokens]            rotary position of each token
//   rope_lengths   int32 [num_tokens]            length of the token's sequence as dynamic and
//   longrope
//                                                see it: the whole prompt during prefill, position
//                                                + 1 in decode
//   sequence_start int32 [num_sequences + 1]     first token of each sequence in the step
//   cache_offset   int32 [num_sequences]         tokens of the sequence in the cache before the
//   step logit_rows     int32 [num_logit_rows]        tokens whose logits are wanted block_table.g,
//   slots.g                       see CacheGroupSpec
namespace step_input {
inline constexpr std::string_view kTokenIds = "token_ids";
inline constexpr std::string_view kPositions = "positions";
inline constexpr std::string_view kRopeLengths = "rope_lengths";
inline constexpr std::string_view kSequenceStart = "sequence_start";
inline constexpr std::string_view kCacheOffset = "cache_offset";
inline constexpr std::string_view kLogitRows = "logit_rows";
std::string BlockTable(int group);
std::string Slots(int group);
}  // namespace step_input

// Every node's shapes agree with its record, values are written once and before they are read,
// in-place caches are written before the attention that reads them. A broken graph is a bug: the
// Status names the node.
Status VerifyGraph(const Graph& graph);

// "layers.0.self_attn.q_proj = linear(x.3, w) -> x.4 [num_tokens, 64]", a line a node.
std::string DescribeGraph(const Graph& graph);

}  // namespace fathom
