// What a Tokenizer holds: the components of its file and the encoders on top.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "fathom/text.h"
#include "text/added_vocabulary.h"
#include "text/auto_tokenizer.h"
#include "text/byte_table.h"
#include "text/decoder.h"
#include "text/fast_encoder.h"
#include "text/model.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"

namespace fathom {

struct Tokenizer::Impl {
  std::string path;
  std::string class_name;
  std::string fast_path;
  NormalizerPtr normalizer;  // may be null, as may the other components
  PreTokenizerPtr pre_tokenizer;
  TokenizerModelPtr model;
  PostProcessorPtr post_processor;
  DecoderPtr decoder;
  AddedVocabulary added;
  std::unique_ptr<FastEncoder> fast;  // null where the model has no fast encoder
  std::vector<int32_t> special_ids;
  std::vector<std::pair<std::string, std::string>> special_tokens;
  size_t vocab_size = 0;
  int32_t id_limit = 0;
  bool has_byte_fallback = false;  // byte tokens <0x..> write their byte

  // Scratch memory of the fast encoder, one for each call at work.
  mutable std::mutex scratch_mutex;
  mutable std::vector<FastScratchPtr> idle_scratch;
  mutable std::once_flag bytes_once;
  mutable std::unique_ptr<const ByteTable> bytes;

  // Null where decoding is more than joining bytes, or the ids lie far apart.
  const ByteTable* Bytes() const;
  // The string that decoding starts from (TokenizerImpl::decode), or nothing.
  std::optional<std::string_view> DecodeForm(int32_t id) const;
  Result<std::vector<int32_t>> Encode(std::string_view text, const EncodeOptions& options) const;

 private:
  // What one call carries along.
  struct Call;
  Status EncodePlainSpan(std::string_view text, const MarkedText* marks, size_t offset,
                         Call& call) const;
  Status EncodeText(std::string_view text, Call& call) const;
  Status EncodeTextReference(std::string_view text, Call& call) const;
};

// A stage that collects text; the end of every decoder chain.
class TextCollector final : public TokenSink {
 public:
  explicit TextCollector(std::string* out) : out_(out) {}
  void Text(std::string_view text) override { *out_ += text; }
  void EndToken() override {}
  void Finish() override {}

 private:
  std::string* out_;
};

// The chain of a tokenizer's decoder in front of `last`; without a decoder tokens are joined by
// spaces.
TokenSinkPtr StartDecoding(const Decoder* decoder, TokenSinkPtr last);

}  // namespace fathom
