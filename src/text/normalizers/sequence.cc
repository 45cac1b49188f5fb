// Sequence: one normalizer after the other.
#include "text/normalizer.h"

namespace fathom {
namespace {

class SequenceNormalizer final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<SequenceNormalizer>();
    FATHOM_ASSIGN(result->parts_, MakeComponents<Normalizer>(json, "normalizers", field));
    return NormalizerPtr(std::move(result));
  }
  Status Apply(MarkedText& text, PatternBudget& budget) const override {
    for (const NormalizerPtr& part : parts_) FATHOM_TRY(part->Apply(text, budget));
    return Status::Ok();
  }
  bool LeavesAlone(std::string_view text) const override {
    for (const NormalizerPtr& part : parts_) {
      if (!part->LeavesAlone(text)) return false;
    }
    return true;
  }

 private:
  std::vector<NormalizerPtr> parts_;
};

const RegisterComponent<Normalizer> kSequence("Sequence", SequenceNormalizer::Make);

}  // namespace
}  // namespace fathom
