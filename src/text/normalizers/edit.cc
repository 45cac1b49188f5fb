// Normalizers that add, take away or replace parts: Prepend, Strip, Replace
// (tokenizers' normalizers/{prepend,strip,replace}.rs).
#include "base/utf8.h"
#include "text/normalizer.h"
#include "text/unicode.h"

namespace fathom {
namespace {

// Builds a text out of parts of another and of words of the tokenizer's own.
class Rebuilder {
 public:
  explicit Rebuilder(const MarkedText& from) : from_(from) {}
  void Keep(size_t begin, size_t end) {
    result_.text.append(from_.text, begin, end - begin);
    if (from_.marked()) {
      result_.marks.insert(result_.marks.end(), from_.marks.begin() + static_cast<ptrdiff_t>(begin),
                           from_.marks.begin() + static_cast<ptrdiff_t>(end));
    }
  }
  // The tokenizer's own words are as trusted as the text that they stand for.
  void Add(std::string_view text, uint8_t mark) {
    result_.text += text;
    if (from_.marked()) result_.MarkUpTo(result_.text.size(), mark);
  }
  MarkedText Take() { return std::move(result_); }

 private:
  const MarkedText& from_;
  MarkedText result_;
};

class Prepend final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<Prepend>();
    FATHOM_ASSIGN(result->prefix_, JsonFields(json, field).String("prepend"));
    return NormalizerPtr(std::move(result));
  }
  Status Apply(MarkedText& text, PatternBudget&) const override {
    if (text.text.empty()) return Status::Ok();
    Rebuilder rebuilder(text);
    rebuilder.Add(prefix_, text.mark(0));
    rebuilder.Keep(0, text.text.size());
    text = rebuilder.Take();
    return Status::Ok();
  }

 private:
  std::string prefix_;
};

class Strip final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<Strip>();
    FATHOM_ASSIGN(result->left_, JsonFields(json, field).Bool("strip_left"));
    FATHOM_ASSIGN(result->right_, JsonFields(json, field).Bool("strip_right"));
    return NormalizerPtr(std::move(result));
  }
  Status Apply(MarkedText& text, PatternBudget&) const override {
    size_t begin = 0, end = text.text.size();
    while (left_ && begin < end) {
      const DecodedCodePoint decoded = DecodeUtf8(text.text, begin);
      if (!HasFlag(decoded.code_point, kRustSpace)) break;
      begin += static_cast<size_t>(decoded.size_bytes);
    }
    while (right_ && begin < end) {
      size_t start = end - 1;
      while (start > begin && (text.text[start] & 0xC0) == 0x80) --start;
      if (!HasFlag(DecodeUtf8(text.text, start).code_point, kRustSpace)) break;
      end = start;
    }
    Rebuilder rebuilder(text);
    rebuilder.Keep(begin, end);
    text = rebuilder.Take();
    return Status::Ok();
  }

 private:
  bool left_ = false;
  bool right_ = false;
};

class Replace final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue& json, const std::string& field) {
    FATHOM_ASSIGN(Pattern pattern, Pattern::FromJson(json, "pattern", field));
    FATHOM_ASSIGN(std::string content, JsonFields(json, field).String("content"));
    return NormalizerPtr(new Replace(std::move(pattern), std::move(content)));
  }
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  Status Apply(MarkedText& text, PatternBudget& budget) const override {
    std::vector<PatternSpan> spans;
    FATHOM_TRY(pattern_.FindSpans(text.text, budget, spans));
    Rebuilder rebuilder(text);
    for (const PatternSpan& span : spans) {
      if (!span.is_match) {
        rebuilder.Keep(span.begin, span.end);
        continue;
      }
      uint8_t mark = 1;
      for (size_t i = span.begin; i < span.end; ++i) mark &= text.mark(i);
      rebuilder.Add(content_, mark);
    }
    text = rebuilder.Take();
    return Status::Ok();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

const RegisterComponent<Normalizer> kPrepend("Prepend", Prepend::Make);
const RegisterComponent<Normalizer> kStrip("Strip", Strip::Make);
const RegisterComponent<Normalizer> kReplace("Replace", Replace::Make);

}  // namespace
}  // namespace fathom
