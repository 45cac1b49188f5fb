// Split by a pattern with a behavior (tokenizers' pre_tokenizers/split.rs).
#include "text/pre_tokenizer.h"

namespace fathom {
namespace {

class Split final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    FATHOM_ASSIGN(Pattern pattern, Pattern::FromJson(json, "pattern", field));
    FATHOM_ASSIGN(const SplitBehavior behavior, SplitBehaviorFromJson(json, field, true));
    FATHOM_ASSIGN(const bool invert, JsonFields(json, field).Bool("invert"));
    return PreTokenizerPtr(new Split(std::move(pattern), behavior, invert));
  }
  Split(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  Status Apply(std::vector<TextPiece>& pieces, PatternBudget& budget) const override {
    return CutPieces(pieces, [&](std::string_view text, std::vector<PatternSpan>& spans) {
      FATHOM_TRY(pattern_.FindSpans(text, budget, spans));
      for (PatternSpan& span : spans) span.is_match ^= invert_;
      ApplyBehavior(behavior_, spans);
      return Status::Ok();
    });
  }

  std::optional<ScanPlan> Plan() const override {
    if (pattern_.expression().empty()) return std::nullopt;
    if (behavior_ == SplitBehavior::kIsolated) return ScanPlan{.pattern = pattern_.expression()};
    return std::nullopt;
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

const RegisterComponent<PreTokenizer> kSplit("Split", Split::Make);

}  // namespace
}  // namespace fathom
