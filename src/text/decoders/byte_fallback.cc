// ByteFallback: a run of byte tokens <0x00> .. <0xFF> becomes the text that the bytes write, or one
// U+FFFD a byte where the run is not UTF-8 (tokenizers' decoders/byte_fallback.rs). The run counts
// as a whole, so it waits for its end.
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/decoder.h"

namespace fathom {
namespace {

class ByteFallbackStage final : public WholeTokenStage {
 public:
  using WholeTokenStage::WholeTokenStage;

 protected:
  void Token(std::string& token) override {
    const int byte = ByteOfByteToken(token);
    if (byte >= 0) {
      run_ += static_cast<char>(byte);
      return;
    }
    PassRun();
    Pass(token);
  }
  void Last() override { PassRun(); }

 private:
  void PassRun() {
    if (run_.empty()) return;
    if (IsValidUtf8(run_)) {
      Pass(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) Pass("\xEF\xBF\xBD");
    }
    run_.clear();
  }

  std::string run_;
};

class ByteFallback final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue&, const std::string&) {
    return DecoderPtr(new ByteFallback());
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<ByteFallbackStage>(std::move(next));
  }
};

const RegisterComponent<Decoder> kByteFallback("ByteFallback", ByteFallback::Make);

}  // namespace
}  // namespace fathom
