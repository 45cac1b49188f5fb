#include "engine/output_pieces.h"

#include <algorithm>

namespace fathom {

OutputPiece CopyOutputs(const Graph& graph, const std::function<Tensor(ValueId)>& read,
                        const StepTokens& tokens) {
  OutputPiece piece{.offset = tokens.offset, .count = tokens.count};
  for (const ValueId id : graph.attentions) {
    const Tensor weights = read(id);
    piece.num_heads = weights.shape[1];
    const int64_t row = weights.shape[2] * weights.shape[3];
    const int64_t keys = tokens.offset + tokens.count;
    std::vector<float>& mine = piece.attentions.emplace_back();
    mine.reserve(static_cast<size_t>(tokens.count * piece.num_heads * keys));
    const float* from = weights.as<float>() + tokens.first * piece.num_heads * row;
    for (int64_t i = 0; i < tokens.count * piece.num_heads; ++i, from += row) {
      mine.insert(mine.end(), from, from + keys);
    }
  }
  if (!graph.keeps_hidden_states) return piece;
  for (const ValueId id : graph.hidden_states) {
    const Tensor state = read(id);
    const float* from = state.as<float>() + tokens.first * state.shape[1];
    piece.hidden_states.emplace_back(from, from + tokens.count * state.shape[1]);
  }
  return piece;
}

std::vector<int64_t> AttentionWindows(const Graph& graph) {
  std::vector<int64_t> windows;
  for (const OpNode& node : graph.nodes) {
    if (node.op->name == "attention_with_weights") {
      windows.push_back(node.attributes.Int("window", 0));
    }
  }
  return windows;
}

namespace {

// [count, heads, keys] of each piece -> [heads, generated, keys of all].
OutputArray JoinAttentions(size_t layer, int64_t window, std::span<const OutputPiece> pieces) {
  const int64_t heads = pieces[0].num_heads;
  const int64_t offset = pieces[0].offset;
  const int64_t total = pieces.back().offset + pieces.back().count;
  const int64_t generated = total - offset;
  // A cache with a window holds its last W - 1 tokens when the next ones come.
  const int64_t first_key = window > 0 ? std::max<int64_t>(0, offset - (window - 1)) : 0;
  const int64_t keys = total - first_key;
  OutputArray array{.shape = {heads, generated, keys}};
  array.values.resize(static_cast<size_t>(heads * generated * keys));
  for (const OutputPiece& piece : pieces) {
    const int64_t piece_keys = piece.offset + piece.count;
    for (int64_t t = 0; t < piece.count; ++t) {
      for (int64_t h = 0; h < heads; ++h) {
        const float* from = piece.attentions[layer].data() + (t * heads + h) * piece_keys;
        float* to = array.values.data() + (h * generated + piece.offset - offset + t) * keys;
        std::copy(from + first_key, from + piece_keys, to);
      }
    }
  }
  return array;
}

}  // namespace

StepOutputs JoinOutputs(std::span<const int64_t> windows, std::span<const OutputPiece> pieces) {
  StepOutputs outputs;
  for (size_t layer = 0; layer < pieces[0].attentions.size(); ++layer) {
    outputs.attentions.push_back(JoinAttentions(layer, windows[layer], pieces));
  }
  for (size_t state = 0; state < pieces[0].hidden_states.size(); ++state) {
    OutputArray array;
    for (const OutputPiece& piece : pieces) {
      const auto& values = piece.hidden_states[state];
      array.values.insert(array.values.end(), values.begin(), values.end());
    }
    const int64_t rows = pieces.back().offset + pieces.back().count - pieces[0].offset;
    array.shape = {rows, static_cast<int64_t>(array.values.size()) / rows};
    outputs.hidden_states.push_back(std::move(array));
  }
  return outputs;
}

}  // namespace fathom
