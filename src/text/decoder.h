// Decoders: how token strings become text again (tokenizer.json, "decoder").
//
// Mirrors decode_chain of tokenizers' decoders/*.rs, as a chain of streams: a stage gets tokens
// (each some text, then its end) and passes tokens on as soon as no later one can change them.
// Decoding whole and decoding as ids come are thus one code, and agree by construction. Each kind
// is one file in text/decoders/.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/component.h"

namespace fathom {

// Where tokens go: the next stage, or the collected text.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void Text(std::string_view text) = 0;  // a part of the current token
  virtual void EndToken() = 0;
  virtual void Finish() = 0;  // no more tokens
};

using TokenSinkPtr = std::unique_ptr<TokenSink>;

class Decoder {
 public:
  virtual ~Decoder() = default;
  // A fresh stage that passes its tokens on to `next`.
  virtual TokenSinkPtr Start(TokenSinkPtr next) const = 0;
  // Whether tokens are written in the byte-level alphabet.
  virtual bool reads_byte_level() const { return false; }
  // Whether it does nothing but join the bytes of the tokens (text/byte_table.h).
  virtual bool only_joins_bytes() const { return false; }
};

using DecoderPtr = std::unique_ptr<Decoder>;

// A stage that waits for the whole of each token.
class WholeTokenStage : public TokenSink {
 public:
  explicit WholeTokenStage(TokenSinkPtr next) : next_(std::move(next)) {}
  void Text(std::string_view text) final { token_ += text; }
  void EndToken() final {
    Token(token_);
    token_.clear();
  }
  void Finish() final {
    Last();
    next_->Finish();
  }

 protected:
  virtual void Token(std::string& token) = 0;
  virtual void Last() {}
  void Pass(std::string_view token) {
    next_->Text(token);
    next_->EndToken();
  }
  TokenSink& next() { return *next_; }

 private:
  TokenSinkPtr next_;
  std::string token_;
};

}  // namespace fathom
