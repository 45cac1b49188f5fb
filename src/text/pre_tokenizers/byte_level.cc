// ByteLevel: GPT-2's pattern (or none), then every word in the byte-level alphabet
// (tokenizers' pre_tokenizers/byte_level.rs).
#include "text/byte_level.h"
#include "base/check.h"
#include "text/known_patterns.h"
#include "text/pre_tokenizer.h"

namespace fathom {
namespace {

class ByteLevel final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    const JsonFields fields(json, field);
    FATHOM_ASSIGN(const bool add_prefix_space, fields.Bool("add_prefix_space"));
    // Offsets are nothing that this project makes; the field must be there all the same.
    FATHOM_TRY(fields.Bool("trim_offsets").status());
    FATHOM_ASSIGN(const bool use_regex, fields.Bool("use_regex", true));
    // Without the regular expression the pattern is never asked.
    FATHOM_ASSIGN(Pattern pattern,
                  Pattern::Regex(use_regex ? std::string(kGpt2Pattern) : std::string(), field));
    return PreTokenizerPtr(new ByteLevel(add_prefix_space, use_regex, std::move(pattern)));
  }
  ByteLevel(bool add_prefix_space, bool use_regex, Pattern pattern)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex), pattern_(std::move(pattern)) {}

  Status Apply(std::vector<TextPiece>& pieces, PatternBudget& budget) const override {
    for (TextPiece& piece : pieces) {
      if (piece.id < 0 && add_prefix_space_ && !piece.text.starts_with(' ')) {
        piece.text.insert(0, 1, ' ');
      }
    }
    if (use_regex_) {
      FATHOM_TRY(CutPieces(pieces, [&](std::string_view text, std::vector<PatternSpan>& spans) {
        return pattern_.FindSpans(text, budget, spans);
      }));
    }
    for (TextPiece& piece : pieces) {
      if (piece.id >= 0) continue;
      std::string written;
      AppendByteLevel(piece.text, written);
      piece.text = std::move(written);
    }
    return Status::Ok();
  }

  std::optional<ScanPlan> Plan() const override {
    return ScanPlan{.pattern = use_regex_ ? std::string(kGpt2Pattern) : std::string(),
                    .byte_level = true,
                    .add_prefix_space = add_prefix_space_};
  }

 private:
  bool add_prefix_space_;
  bool use_regex_;
  Pattern pattern_;
};

const RegisterComponent<PreTokenizer> kByteLevel("ByteLevel", ByteLevel::Make);

}  // namespace
}  // namespace fathom
