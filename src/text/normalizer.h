// Normalizers: what happens to a text before it is split (tokenizer.json, "normalizer").
//
// Mirrors tokenizers' normalizers/*.rs; each kind is one file in text/normalizers/.
#pragma once

#include <string_view>

#include "fathom/status.h"
#include "text/component.h"
#include "text/marked_text.h"
#include "text/pattern.h"

namespace fathom {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Changes the text in place; marks follow their bytes where the text is marked.
  virtual Status Apply(MarkedText& text, PatternBudget& budget) const = 0;
  // True where Apply surely leaves `text` as it is: the fast encoder then works on the caller's
  // bytes.
  virtual bool LeavesAlone(std::string_view text) const { return false; }
};

using NormalizerPtr = std::unique_ptr<Normalizer>;

}  // namespace fathom
