// Text in, token ids out, and back: the tokenizer of a model folder or of a tokenizer.json.
//
// The ids are those of Hugging Face tokenizers 0.23 (tokenizer.json alone) and of transformers
// 5.23's AutoTokenizer (a folder), bit for bit, in both encoders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

struct EncodeOptions {
  // What the post-processor adds (bos, eos ...).
  bool add_special_tokens = true;
  // The text of special tokens inside the input yields their ids. By default it stays plain text,
  // as with transformers' split_special_tokens=True: added tokens that are not special still match.
  bool parse_special = false;
  // Parts of the text that were not written by a user (a chat template's own words): special tokens
  // are recognised where they stand wholly inside one of them. Ascending, disjoint, on code point
  // boundaries; touching ranges count as one.
  std::vector<ByteRange> trusted;
  // false: the plain reference encoder, which follows tokenizers step by step. Same ids.
  bool use_fast = true;
};

// A tokenizer never changes after it was opened; copies share it, and every member function may run
// in several threads at once.
class Tokenizer {
 public:
  // A folder: as AutoTokenizer.from_pretrained(folder). Reads tokenizer.json,
  // tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json (the last
  // four where they exist). Mirrors models/auto/tokenization_auto.py and
  // tokenization_utils_{base,tokenizers}.py.
  static Result<Tokenizer> OpenFolder(const std::string& folder);
  // One tokenizer.json: as tokenizers.Tokenizer.from_file(path).
  static Result<Tokenizer> OpenFile(const std::string& path);
  // Whichever of the two the path is.
  static Result<Tokenizer> Open(const std::string& path);

  Tokenizer(const Tokenizer&);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(const Tokenizer&);
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // The ids of a text. kUsage: the text is not UTF-8, or a trusted range is bad. kRunTime: a
  // pattern of the file needs too many steps on this text.
  Result<std::vector<int32_t>> Encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;

  // The text of ids, valid UTF-8. Ids without a token (holes, negative ones) decode to nothing.
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens = false) const;

  // Tokens of the model and added ones together; ids may have holes, so see id_limit too.
  size_t vocab_size() const;
  // One more than the largest id.
  int32_t id_limit() const;
  // The id of a token as the vocabulary spells it ("Ġthe"), the token of an id.
  std::optional<int32_t> TokenToId(std::string_view token) const;
  std::optional<std::string> IdToToken(int32_t id) const;
  // The bytes that the token writes into a text, not always whole UTF-8; empty where there is none.
  std::string TokenBytes(int32_t id) const;
  bool IsSpecial(int32_t id) const;
  // Ids of the special tokens, ascending.
  const std::vector<int32_t>& special_ids() const;

  // Named special tokens as the tokenizer's own files give them ("bos_token" -> "<s>"), in the
  // order of transformers. Empty for OpenFile: tokenizer.json names none.
  const std::vector<std::pair<std::string, std::string>>& special_tokens() const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> pad_id() const;

  // What was opened and which class of transformers it stands for: for `inspect`.
  const std::string& path() const;
  const std::string& class_name() const;
  // "scanner llama3", "pattern", "words": what the fast encoder does with this file.
  const std::string& fast_path() const;

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl);

 private:
  friend class StreamDecoder;
  std::shared_ptr<const Impl> impl_;
};

// Decodes ids as they come, holding back what later ids may still change: half a character, a run
// of byte tokens. What Push and Finish return, one after the other, is Decode of all the ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens = false);
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();

  // The text that became certain with this id: whole UTF-8 code points, often empty.
  std::string Push(int32_t id);
  // The rest; half a character becomes U+FFFD. No Push after it.
  std::string Finish();

  // Everything returned so far, for stop strings, which may span several pieces.
  const std::string& text() const;

 private:
  friend class Tokenizer;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom
