// Pre-tokenizers that cut at single code points or at Rust's classes: Digits, Punctuation,
// Whitespace, WhitespaceSplit, CharDelimiterSplit, BertPreTokenizer, FixedLength
// (tokenizers' pre_tokenizers/{digits,punctuation,whitespace,delimiter,bert,fixed_length}.rs).
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace fathom {
namespace {

using Spans = std::vector<PatternSpan>;

bool IsNumeric(char32_t c) { return HasFlag(c, kRustNumeric); }
bool IsSpace(char32_t c) { return HasFlag(c, kRustSpace); }
bool IsPunctuation(char32_t c) { return HasFlag(c, kRustPunctuation); }

template <typename Test>
Status CutAt(std::vector<TextPiece>& pieces, Test test, SplitBehavior behavior) {
  return CutPieces(pieces, [&](std::string_view text, Spans& spans) {
    FindCodePoints(text, test, spans);
    ApplyBehavior(behavior, spans);
    return Status::Ok();
  });
}

class Digits final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<Digits>();
    FATHOM_ASSIGN(result->individual_, JsonFields(json, field).Bool("individual_digits"));
    return PreTokenizerPtr(std::move(result));
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutAt(pieces, IsNumeric,
                 individual_ ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  std::optional<ScanPlan> Plan() const override {
    if (!individual_) return std::nullopt;
    return ScanPlan{.isolate_digits = true};
  }

 private:
  bool individual_ = false;
};

class Punctuation final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<Punctuation>();
    FATHOM_ASSIGN(result->behavior_, SplitBehaviorFromJson(json, field, false));
    return PreTokenizerPtr(std::move(result));
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutAt(pieces, IsPunctuation, behavior_);
  }

 private:
  SplitBehavior behavior_ = SplitBehavior::kIsolated;
};

// \w+|[^\w\s]+ of Rust's regex crate, all else dropped.
class Whitespace final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue&, const std::string&) {
    return PreTokenizerPtr(new Whitespace());
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutPieces(pieces, [](std::string_view text, Spans& spans) {
      int previous = 0;
      for (size_t i = 0; i < text.size();) {
        const DecodedCodePoint decoded = DecodeUtf8(text, i);
        const size_t end = i + static_cast<size_t>(decoded.size_bytes);
        const int kind = HasFlag(decoded.code_point, kRustWord)         ? 1
                         : HasFlag(decoded.code_point, kRustRegexSpace) ? 0
                                                                        : 2;
        if (kind != 0 && kind == previous) spans.back().end = end;
        if (kind != 0 && kind != previous) spans.push_back({i, end, true});
        previous = kind;
        i = end;
      }
      return Status::Ok();
    });
  }
};

class WhitespaceSplit final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue&, const std::string&) {
    return PreTokenizerPtr(new WhitespaceSplit());
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutAt(pieces, IsSpace, SplitBehavior::kRemoved);
  }
};

class CharDelimiterSplit final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<CharDelimiterSplit>();
    FATHOM_ASSIGN(result->delimiter_, JsonFields(json, field).Char("delimiter"));
    return PreTokenizerPtr(std::move(result));
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutAt(
        pieces, [this](char32_t c) { return c == delimiter_; }, SplitBehavior::kRemoved);
  }

 private:
  char32_t delimiter_ = 0;
};

class BertPreTokenizer final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue&, const std::string&) {
    return PreTokenizerPtr(new BertPreTokenizer());
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    FATHOM_TRY(CutAt(pieces, IsSpace, SplitBehavior::kRemoved));
    return CutAt(pieces, IsPunctuation, SplitBehavior::kIsolated);
  }
};

class FixedLength final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<FixedLength>();
    FATHOM_ASSIGN(result->length_, JsonFields(json, field).Count("length", INT32_MAX, 5));
    if (result->length_ == 0) return Status::BadFile("", field + ".length", "0", "is no length");
    return PreTokenizerPtr(std::move(result));
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget&) const override {
    return CutPieces(pieces, [this](std::string_view text, Spans& spans) {
      int64_t count = 0;
      for (size_t i = 0; i < text.size(); ++count) {
        const size_t end = i + static_cast<size_t>(DecodeUtf8(text, i).size_bytes);
        if (count % length_ == 0) spans.push_back({i, i, true});
        spans.back().end = end;
        i = end;
      }
      return Status::Ok();
    });
  }

 private:
  int64_t length_ = 5;
};

const RegisterComponent<PreTokenizer> kDigits("Digits", Digits::Make);
const RegisterComponent<PreTokenizer> kPunctuation("Punctuation", Punctuation::Make);
const RegisterComponent<PreTokenizer> kWhitespace("Whitespace", Whitespace::Make);
const RegisterComponent<PreTokenizer> kWhitespaceSplit("WhitespaceSplit", WhitespaceSplit::Make);
const RegisterComponent<PreTokenizer> kDelimiter("CharDelimiterSplit", CharDelimiterSplit::Make);
const RegisterComponent<PreTokenizer> kBert("BertPreTokenizer", BertPreTokenizer::Make);
const RegisterComponent<PreTokenizer> kFixedLength("FixedLength", FixedLength::Make);

}  // namespace
}  // namespace fathom
