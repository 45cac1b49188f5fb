// Decoders that change each token: Replace, Strip, BPEDecoder
// (tokenizers' normalizers/replace.rs and decoders/{strip,bpe}.rs).
#include "base/utf8.h"
#include "text/decoder.h"
#include "text/pattern.h"

namespace fathom {
namespace {

class ReplaceStage final : public WholeTokenStage {
 public:
  ReplaceStage(TokenSinkPtr next, const Pattern& pattern, const std::string& content)
      : WholeTokenStage(std::move(next)), pattern_(pattern), content_(content) {}

 protected:
  void Token(std::string& token) override {
    std::vector<PatternSpan> spans;
    PatternBudget budget = PatternBudget::ForText(token.size());
    // A token whose pattern explodes stays as it is: decoding has no error to return.
    if (!pattern_.FindSpans(token, budget, spans).ok()) return Pass(token);
    std::string result;
    for (const PatternSpan& span : spans) {
      result += span.is_match ? std::string_view(content_)
                              : std::string_view(token).substr(span.begin, span.end - span.begin);
    }
    Pass(result);
  }

 private:
  const Pattern& pattern_;
  const std::string& content_;
};

class Replace final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue& json, const std::string& field) {
    FATHOM_ASSIGN(Pattern pattern, Pattern::FromJson(json, "pattern", field));
    FATHOM_ASSIGN(std::string content, JsonFields(json, field).String("content"));
    return DecoderPtr(new Replace(std::move(pattern), std::move(content)));
  }
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<ReplaceStage>(std::move(next), pattern_, content_);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

// Takes up to `start` of a code point off a token's beginning and up to `stop` off its end, while
// the token may still be growing (behind a Fuse): what might be its end is held back.
class StripStage final : public TokenSink {
 public:
  StripStage(TokenSinkPtr next, std::string content, int64_t start, int64_t stop)
      : next_(std::move(next)), content_(std::move(content)), start_(start), stop_(stop) {}

  void Text(std::string_view text) override {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      const auto size = static_cast<size_t>(DecodeUtf8(text, i).size_bytes);
      const std::string_view c = text.substr(i, size);
      i += size;
      if (c == content_ && at_start_ && taken_ < start_) {
        ++taken_;
        continue;
      }
      at_start_ = false;
      if (c == content_ && held_ < stop_) {
        ++held_;
        continue;
      }
      // One held back and one that came: as many stay held back.
      if (c != content_) Release(out);
      out += c;
    }
    if (!out.empty()) next_->Text(out);
  }
  void EndToken() override {
    at_start_ = true;
    taken_ = held_ = 0;
    next_->EndToken();
  }
  void Finish() override { next_->Finish(); }

 private:
  void Release(std::string& out) {
    for (; held_ > 0; --held_) out += content_;
  }

  TokenSinkPtr next_;
  std::string content_;
  int64_t start_, stop_;
  bool at_start_ = true;
  int64_t taken_ = 0;
  int64_t held_ = 0;
};

class Strip final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<Strip>();
    const JsonFields fields(json, field);
    FATHOM_ASSIGN(const char32_t content, fields.Char("content"));
    AppendUtf8(content, result->content_);
    FATHOM_ASSIGN(result->start_, fields.Count("start", INT32_MAX));
    FATHOM_ASSIGN(result->stop_, fields.Count("stop", INT32_MAX));
    return DecoderPtr(std::move(result));
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<StripStage>(std::move(next), content_, start_, stop_);
  }

 private:
  std::string content_;
  int64_t start_ = 0;
  int64_t stop_ = 0;
};

// The suffix becomes a space, in the last token nothing: so a token waits for the one behind it.
class BpeDecoderStage final : public WholeTokenStage {
 public:
  BpeDecoderStage(TokenSinkPtr next, const std::string& suffix)
      : WholeTokenStage(std::move(next)), suffix_(Pattern::Literal(suffix)) {}

 protected:
  void Token(std::string& token) override {
    if (waits_) Pass(Replaced(" "));
    waiting_ = token;
    waits_ = true;
  }
  void Last() override {
    if (waits_) Pass(Replaced(""));
  }

 private:
  std::string Replaced(std::string_view by) const {
    std::vector<PatternSpan> spans;
    PatternBudget budget = PatternBudget::ForText(0);
    if (!suffix_.FindSpans(waiting_, budget, spans).ok()) return waiting_;
    std::string result;
    for (const PatternSpan& span : spans) {
      result +=
          span.is_match ? by : std::string_view(waiting_).substr(span.begin, span.end - span.begin);
    }
    return result;
  }

  Pattern suffix_;
  std::string waiting_;
  bool waits_ = false;
};

class BpeDecoder final : public Decoder {
 public:
  static Result<DecoderPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<BpeDecoder>();
    FATHOM_ASSIGN(result->suffix_, JsonFields(json, field).String("suffix"));
    return DecoderPtr(std::move(result));
  }
  TokenSinkPtr Start(TokenSinkPtr next) const override {
    return std::make_unique<BpeDecoderStage>(std::move(next), suffix_);
  }

 private:
  std::string suffix_;
};

const RegisterComponent<Decoder> kReplace("Replace", Replace::Make);
const RegisterComponent<Decoder> kStrip("Strip", Strip::Make);
const RegisterComponent<Decoder> kBpe("BPEDecoder", BpeDecoder::Make);

}  // namespace
}  // namespace fathom
