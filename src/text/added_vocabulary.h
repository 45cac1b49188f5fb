// Added tokens: strings that are found in a text before the model sees it.
//
// Mirrors tokenizers' tokenizer/added_vocabulary.rs: tokens that are not `normalized` are found in
// the text as given, the others in the normalized rest; both leftmost-longest.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fathom/status.h"
#include "text/model.h"
#include "text/normalizer.h"

namespace fathom {

struct AddedToken {
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = true;
  bool special = false;

  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

// The tokens of one of the two searches, as a trie over bytes.
class TokenTrie {
 public:
  static constexpr int32_t kNone = -1;

  TokenTrie();
  // kBadFile-like failure (false) where the string is there already.
  bool Insert(std::string_view text, int32_t id);
  bool empty() const { return nodes_.size() == 1; }

  // The first position >= `start` where a token may begin, or the end of the text.
  size_t SkipTo(std::string_view text, size_t start) const;
  // Calls found(length, id) for each token that begins at `position`, shortest first.
  template <typename Found>
  void Walk(std::string_view text, size_t position, Found found) const {
    uint32_t node = 0;
    for (size_t i = position; i < text.size(); ++i) {
      node = Child(node, static_cast<uint8_t>(text[i]));
      if (node == 0) return;
      if (nodes_[node].id != kNone) found(i + 1 - position, nodes_[node].id);
    }
  }

 private:
  struct Node {
    int32_t id = kNone;
    std::vector<std::pair<uint8_t, uint32_t>> children;  // ascending by byte
  };
  uint32_t Child(uint32_t node, uint8_t byte) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> first_ = {};  // children of the root
  int first_byte_count_ = 0;
  uint8_t only_first_byte_ = 0;
};

// A part of a text: an added token (id >= 0) or what lies between.
struct AddedSpan {
  size_t begin;
  size_t end;
  int32_t id;
};

// Where special tokens are recognised: everywhere, or on marked bytes only.
struct SpecialScope {
  bool everywhere = false;
  const MarkedText* marks = nullptr;  // of the searched text; null or unmarked: nowhere
};

class AddedVocabulary {
 public:
  // AddedVocabulary::add_tokens: ids come from the model's vocabulary, or count on from its size.
  Status Add(const std::vector<AddedToken>& tokens, const TokenizerModel& model,
             const Normalizer* normalizer);

  // Appends the spans of `text` that the tokens cut, in order, covering it.
  // `normalized`: search for the tokens that are matched after normalization.
  void Find(std::string_view text, bool normalized, const SpecialScope& scope,
            std::vector<AddedSpan>& spans) const;

  std::optional<int32_t> TokenToId(std::string_view content) const;
  // The string used in decoding: the normalized form where the token is matched normalized.
  const std::string* DecodeForm(int32_t id) const;
  const AddedToken* Get(int32_t id) const;
  bool IsSpecialString(std::string_view content) const;
  const std::map<int32_t, AddedToken>& by_id() const { return by_id_; }
  // Added tokens that the model's vocabulary lacks.
  size_t beyond_model_count(const TokenizerModel& model) const;
  // Whether some special token is searched for in the normalized text.
  bool has_special_normalized() const { return has_special_normalized_; }
  bool searches_normalized() const { return !normalized_trie_.empty(); }

 private:
  Status RebuildTries();

  std::unordered_map<std::string, int32_t> by_content_;
  std::map<int32_t, AddedToken> by_id_;
  std::unordered_set<std::string> special_strings_;
  std::unordered_map<int32_t, std::string> normalized_forms_;
  TokenTrie plain_trie_;
  TokenTrie normalized_trie_;
  bool has_special_normalized_ = false;
};

}  // namespace fathom
