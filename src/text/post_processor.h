// Post-processors: what is added around a text's ids (tokenizer.json, "post_processor").
// Mirrors tokenizers' processors/*.rs; each kind is one file in text/post_processors/.
#pragma once

#include <cstdint>
#include <vector>

#include "fathom/status.h"
#include "text/component.h"

namespace fathom {

// The parts of one encoding, in order; their concatenation is the result.
using Encodings = std::vector<std::vector<int32_t>>;

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual Status Apply(Encodings& encodings, bool add_special_tokens) const = 0;
};

using PostProcessorPtr = std::unique_ptr<PostProcessor>;

}  // namespace fathom
