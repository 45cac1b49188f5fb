// ByteLevel: the bytes that all tokens write, as one text; invalid UTF-8 becomes U+FFFD
// (tokenizers' pre_tokenizers/byte_level.rs, Decoder for ByteLevel).
#include "text/byte_level.h"
#include "base/utf8.h"
#include "text/decoder.h"

namespace fathom {
namespace {

class ByteLevelStage final : public WholeTokenStage {
 public:
  using WholeTokenStage::WholeTokenStage;

 protected:
  void Token(std::string& token) override {
    // A token with a code point outside the alphabet (an added one) stands for its own bytes.
    if (!AppendBytesOfByteLevel(token, bytes_)) bytes_ += token;
    const size_t held_back = IncompleteUtf8Suffix(bytes_);
    PassText(bytes_.size() - held_back);
  }
  void Last() override {
    PassText(bytes_.size());
    next().EndToken();
  }

 private:
  void PassText(size_t size) {
    if (size == 0) return;
    const std::string_view whole = std::string_view(bytes_).substr(0, size);
    if (IsValidUtf8(whole)) {
      next().Text(whole);
    } else {
      next().Text(RepairUtf8(whole));
    }
    bytes_.erase(0, size);
  }

  std::string bytes_;
};

class ByteLevel final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue&, const std::string&) {
    return DecoderPtr(new ByteLevel());
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<ByteLevelStage>(std::move(next));
  }
  bool reads_byte_level() const override { return true; }
  bool only_joins_bytes() const override { return true; }
};

const RegisterComponent<Decoder> kByteLevel("ByteLevel", ByteLevel::Make);

}  // namespace
}  // namespace fathom
