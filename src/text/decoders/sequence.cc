// Sequence: one decoder after the other. Fuse: all tokens become one.
#include <algorithm>

#include "text/decoder.h"

namespace fathom {
namespace {

class SequenceDecoder final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<SequenceDecoder>();
    FATHOM_ASSIGN(result->parts_, MakeComponents<Decoder>(json, "decoders", field));
    return DecoderPtr(std::move(result));
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
      next = (*part)->Start(std::move(next));
    }
    return next;
  }
  bool reads_byte_level() const override {
    return std::any_of(parts_.begin(), parts_.end(),
                       [](const DecoderPtr& part) { return part->reads_byte_level(); });
  }

 private:
  std::vector<DecoderPtr> parts_;
};

class FuseStage final : public TokenSink {
 public:
  explicit FuseStage(TokenSinkPtr next) : next_(std::move(next)) {}
  void Text(std::string_view text) override { next_->Text(text); }
  void EndToken() override {}
  void Finish() override {
    next_->EndToken();
    next_->Finish();
  }

 private:
  TokenSinkPtr next_;
};

class Fuse final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue&, const std::string&) {
    return DecoderPtr(new Fuse());
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<FuseStage>(std::move(next));
  }
};

const RegisterComponent<Decoder> kSequence("Sequence", SequenceDecoder::Make);
const RegisterComponent<Decoder> kFuse("Fuse", Fuse::Make);

}  // namespace
}  // namespace fathom
