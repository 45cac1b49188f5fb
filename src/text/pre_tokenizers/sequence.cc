// Sequence: one pre-tokenizer after the other.
#include "text/pre_tokenizer.h"

namespace fathom {
namespace {

class SequencePreTokenizer final : public PreTokenizer {
 public:
  static Result<PreTokenizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<SequencePreTokenizer>();
    FATHOM_ASSIGN(result->parts_, MakeComponents<PreTokenizer>(json, "pretokenizers", field));
    return PreTokenizerPtr(std::move(result));
  }
  Status Apply(std::vector<TextPiece>& pieces, PatternBudget& budget) const override {
    for (const PreTokenizerPtr& part : parts_) FATHOM_TRY(part->Apply(pieces, budget));
    return Status::Ok();
  }
  // Digits, one cut and the byte-level alphabet, in this order, are one scan.
  std::optional<ScanPlan> Plan() const override {
    ScanPlan plan;
    for (const PreTokenizerPtr& part : parts_) {
      const std::optional<ScanPlan> next = part->Plan();
      if (!next || plan.byte_level) return std::nullopt;
      const bool started = !plan.pattern.empty() || plan.isolate_digits;
      if (next->add_prefix_space && started) return std::nullopt;
      if (next->isolate_digits && started) return std::nullopt;
      if (!next->pattern.empty() && !plan.pattern.empty()) return std::nullopt;
      if (!next->pattern.empty()) plan.pattern = next->pattern;
      plan.isolate_digits |= next->isolate_digits;
      plan.add_prefix_space |= next->add_prefix_space;
      plan.byte_level = next->byte_level;
    }
    return plan;
  }

 private:
  std::vector<PreTokenizerPtr> parts_;
};

const RegisterComponent<PreTokenizer> kSequence("Sequence", SequencePreTokenizer::Make);

}  // namespace
}  // namespace fathom
