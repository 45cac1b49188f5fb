// NFC, NFD, NFKC, NFKD (tokenizers' normalizers/unicode.rs).
#include "text/normal_form.h"
#include "text/normalizer.h"

namespace fathom {
namespace {

template <NormalForm kForm>
class UnicodeForm final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue&, const std::string&) {
    return NormalizerPtr(new UnicodeForm());
  }
  Status Apply(MarkedText& text, PatternBudget&) const override {
    Normalize(kForm, text);
    return Status::Ok();
  }
  bool LeavesAlone(std::string_view text) const override {
    if (kForm == NormalForm::kNfc) return IsSurelyNfc(text);
    for (const char c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    return true;
  }
};

const RegisterComponent<Normalizer> kNfc("NFC", UnicodeForm<NormalForm::kNfc>::Make);
const RegisterComponent<Normalizer> kNfd("NFD", UnicodeForm<NormalForm::kNfd>::Make);
const RegisterComponent<Normalizer> kNfkc("NFKC", UnicodeForm<NormalForm::kNfkc>::Make);
const RegisterComponent<Normalizer> kNfkd("NFKD", UnicodeForm<NormalForm::kNfkd>::Make);

}  // namespace
}  // namespace fathom
