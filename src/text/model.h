// Models: what turns one word into ids (tokenizer.json, "model"). BPE now; Unigram, WordPiece and
// WordLevel get a file of their own in text/models/ beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"

namespace fathom {

class BpeModel;

class TokenizerModel {
 public:
  virtual ~TokenizerModel() = default;
  // Appends the ids of a word that the pre-tokenizer made (not empty): the reference encoder.
  virtual Status Tokenize(std::string_view word, std::vector<int32_t>& ids) const = 0;
  virtual std::optional<int32_t> TokenToId(std::string_view token) const = 0;
  // The token, or nothing where the id has none. Lives as long as the model.
  virtual std::optional<std::string_view> IdToToken(int32_t id) const = 0;
  // Number of tokens, and the largest id (-1 where there is none).
  virtual size_t vocab_size() const = 0;
  virtual int32_t max_id() const = 0;
  // Set where the model is BPE, which the fast encoder knows.
  virtual const BpeModel* AsBpe() const { return nullptr; }
};

using TokenizerModelPtr = std::unique_ptr<TokenizerModel>;

// Strings laid end to end, so that a vocabulary of 150,000 tokens is a few allocations.
class StringPool {
 public:
  struct Ref {
    uint32_t offset;
    uint32_t size;
  };
  Ref Add(std::string_view text) {
    const Ref ref{static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())};
    bytes_ += text;
    return ref;
  }
  std::string_view Get(Ref ref) const {
    return std::string_view(bytes_).substr(ref.offset, ref.size);
  }
  size_t size_bytes() const { return bytes_.size(); }
  void Reserve(size_t bytes) { bytes_.reserve(bytes); }

 private:
  std::string bytes_;
};

// The object "model" of a tokenizer.json; its large members are read without a tree.
struct ModelJson {
  JsonValue fields;       // all but vocab (where it is an object) and merges
  StringPool pool;        // of vocab
  StringPool merge_pool;  // of merges
  bool has_vocab = false;
  bool has_merges = false;
  std::vector<std::pair<StringPool::Ref, int64_t>> vocab;  // in file order
  // Both spellings, "a b" and ["a", "b"], come as two parts.
  std::vector<std::pair<StringPool::Ref, StringPool::Ref>> merges;
};

// A kind of model registers itself as the components do (text/component.h).
struct ModelKind {
  std::string_view type;
  Result<TokenizerModelPtr> (*make)(ModelJson json);
};
std::vector<ModelKind>& ModelKinds();
struct RegisterModel {
  RegisterModel(std::string_view type, Result<TokenizerModelPtr> (*make)(ModelJson)) {
    ModelKinds().push_back({type, make});
  }
};
// A file without a "type" is BPE where it has merges (tokenizers' models/mod.rs, ModelUntagged).
Result<TokenizerModelPtr> MakeModel(ModelJson json);

}  // namespace fathom
