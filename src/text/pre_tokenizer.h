// Pre-tokenizers: how a text is cut into the words that the model sees (tokenizer.json,
// "pre_tokenizer"). Mirrors tokenizers' pre_tokenizers/*.rs; each kind is one file in
// text/pre_tokenizers/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "fathom/status.h"
#include "text/component.h"
#include "text/pattern.h"

namespace fathom {

// A part of the text: still text, or an added token that was found in it (its id, >= 0).
struct TextPiece {
  std::string text;
  int32_t id = -1;
};

// What the fast encoder may do in place of Apply: cut by one pattern, isolating its matches, and
// hand the words over as bytes.
struct ScanPlan {
  std::string pattern;            // empty: no cut
  bool byte_level = false;        // the words are then written in the byte-level alphabet
  bool add_prefix_space = false;  // before the cut, where a text does not start with a space
  bool isolate_digits = false;    // before all else each numeric code point is cut out
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Replaces each piece of text by its parts; pieces that carry an id stay.
  virtual Status Apply(std::vector<TextPiece>& pieces, PatternBudget& budget) const = 0;
  virtual std::optional<ScanPlan> Plan() const { return std::nullopt; }
};

using PreTokenizerPtr = std::unique_ptr<PreTokenizer>;

// Cuts each piece of text into the spans that cut(text, spans) appends; empty spans are left out.
template <typename Cut>
Status CutPieces(std::vector<TextPiece>& pieces, Cut cut) {
  std::vector<TextPiece> result;
  result.reserve(pieces.size());
  std::vector<PatternSpan> spans;
  for (TextPiece& piece : pieces) {
    if (piece.id >= 0) {
      result.push_back(std::move(piece));
      continue;
    }
    spans.clear();
    FATHOM_TRY(cut(std::string_view(piece.text), spans));
    for (const PatternSpan& span : spans) {
      if (span.begin == span.end) continue;
      result.push_back({piece.text.substr(span.begin, span.end - span.begin), -1});
    }
  }
  pieces = std::move(result);
  return Status::Ok();
}

// The spans of a text where each code point that passes the test is a match of its own
// (tokenizer/pattern.rs, Pattern for Fn(char) -> bool).
template <typename Test>
void FindCodePoints(std::string_view text, Test test, std::vector<PatternSpan>& spans) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const DecodedCodePoint decoded = DecodeUtf8(text, i);
    const size_t end = i + static_cast<size_t>(decoded.size_bytes);
    if (test(decoded.code_point)) {
      if (begin < i) spans.push_back({begin, i, false});
      spans.push_back({i, end, true});
      begin = end;
    }
    i = end;
  }
  if (begin < text.size()) spans.push_back({begin, text.size(), false});
}

}  // namespace fathom
