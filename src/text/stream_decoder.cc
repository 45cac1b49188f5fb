// Decoding, whole and as ids come (TokenizerImpl::decode in tokenizers' tokenizer/mod.rs).
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/tokenizer_impl.h"

namespace fathom {
namespace {

// No decoder: tokens joined by single spaces.
class JoinStage final : public TokenSink {
 public:
  explicit JoinStage(TokenSinkPtr next) : next_(std::move(next)) {}
  void Text(std::string_view text) override { next_->Text(text); }
  void EndToken() override { next_->Text(" "); }
  void Finish() override { next_->Finish(); }

 private:
  TokenSinkPtr next_;
};

}  // namespace

TokenSinkPtr StartDecoding(const Decoder* decoder, TokenSinkPtr last) {
  if (decoder != nullptr) return decoder->Start(std::move(last));
  return std::make_unique<JoinStage>(std::move(last));
}

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer::Impl> impl;
  bool skip_special_tokens;
  std::string text;  // all that is certain
  TokenSinkPtr chain;
  bool first = true;
  bool finished = false;

  State(std::shared_ptr<const Tokenizer::Impl> tokenizer, bool skip)
      : impl(std::move(tokenizer)),
        skip_special_tokens(skip),
        chain(StartDecoding(impl->decoder.get(), std::make_unique<TextCollector>(&text))) {}

  void Push(int32_t id) {
    const std::optional<std::string_view> token = impl->DecodeForm(id);
    if (!token) return;
    if (skip_special_tokens && impl->added.IsSpecialString(*token)) return;
    // Without a decoder the space belongs between tokens, not behind the last one.
    if (impl->decoder == nullptr && !first) chain->EndToken();
    first = false;
    chain->Text(*token);
    if (impl->decoder != nullptr) chain->EndToken();
  }
  void Finish() {
    if (!finished) chain->Finish();
    finished = true;
  }
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : state_(std::make_unique<State>(tokenizer.impl_, skip_special_tokens)) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::Push(int32_t id) {
  const size_t before = state_->text.size();
  if (!state_->finished) state_->Push(id);
  return state_->text.substr(before);
}

std::string StreamDecoder::Finish() {
  const size_t before = state_->text.size();
  state_->Finish();
  return state_->text.substr(before);
}

const std::string& StreamDecoder::text() const { return state_->text; }

const ByteTable* Tokenizer::Impl::Bytes() const {
  constexpr int32_t kSparse = 4;  // ids a token
  if (decoder == nullptr || !decoder->only_joins_bytes()) return nullptr;
  if (static_cast<size_t>(id_limit) / kSparse > vocab_size + 65536) return nullptr;
  std::call_once(bytes_once, [this] {
    auto table = std::make_unique<ByteTable>();
    std::string written;
    for (int32_t id = 0; id < id_limit; ++id) {
      const std::optional<std::string_view> token = DecodeForm(id);
      if (!token) continue;
      written.clear();
      // As the decoder's own stage: what is not in the alphabet stands for itself.
      const bool in_alphabet = AppendBytesOfByteLevel(*token, written);
      table->Add(id, in_alphabet ? written : *token, added.IsSpecialString(*token));
    }
    table->Finish();
    bytes = std::move(table);
  });
  return bytes.get();
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  // A few ids are not worth the table.
  constexpr size_t kFewIds = 64;
  const ByteTable* bytes = ids.size() > kFewIds ? impl_->Bytes() : nullptr;
  if (bytes != nullptr) {
    std::string text = bytes->Join(ids, skip_special_tokens);
    return IsValidUtf8(text) ? text : RepairUtf8(text);
  }
  StreamDecoder decoder(*this, skip_special_tokens);
  for (const int32_t id : ids) decoder.state_->Push(id);
  decoder.state_->Finish();
  return std::move(decoder.state_->text);
}

}  // namespace fathom
