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
  // A cut followed by the byte-level alphabet is one scan; nothing longer is.
  std::optional<ScanPlan> Plan() const override {
    if (parts_.size() == 1) return parts_[0]->Plan();
    if (parts_.size() != 2) return std::nullopt;
    std::optional<ScanPlan> cut = parts_[0]->Plan();
    const std::optional<ScanPlan> bytes = parts_[1]->Plan();
    if (!cut || !bytes || cut->byte_level || !bytes->byte_level || !bytes->pattern.empty() ||
        bytes->add_prefix_space) {
      return std::nullopt;
    }
    cut->byte_level = true;
    return cut;
  }

 private:
  std::vector<PreTokenizerPtr> parts_;
};

const RegisterComponent<PreTokenizer> kSequence("Sequence", SequencePreTokenizer::Make);

}  // namespace
}  // namespace fathom
