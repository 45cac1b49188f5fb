// BertProcessing and RobertaProcessing: cls A sep; a second part follows as B sep (Bert) or as
// sep B sep (Roberta). tokenizers' processors/{bert,roberta}.rs.
#include "text/post_processor.h"

namespace fathom {
namespace {

Result<int32_t> ReadNamedId(const JsonValue& json, std::string_view name,
                            const std::string& field) {
  const JsonValue* pair = json.Find(name);
  if (pair != nullptr && pair->is_array() && pair->as_array().size() == 2) {
    const JsonValue& id = pair->as_array()[1];
    if (id.is_int() && id.as_int() >= 0 && id.as_int() < INT32_MAX) {
      return static_cast<int32_t>(id.as_int());
    }
  }
  return Status::BadFile("", field + "." + std::string(name), "is not [token, id]");
}

template <bool kIsRoberta>
class ClsSep final : public PostProcessor {
 public:
  static Result<PostProcessorPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<ClsSep>();
    FATHOM_ASSIGN(result->cls_, ReadNamedId(json, "cls", field));
    FATHOM_ASSIGN(result->sep_, ReadNamedId(json, "sep", field));
    return PostProcessorPtr(std::move(result));
  }
  Status Apply(Encodings& encodings, bool add_special_tokens) const override {
    if (!add_special_tokens) return Status::Ok();
    for (size_t i = 0; i < encodings.size(); ++i) {
      std::vector<int32_t>& ids = encodings[i];
      if (i == 0 || kIsRoberta) ids.insert(ids.begin(), i == 0 ? cls_ : sep_);
      ids.push_back(sep_);
    }
    return Status::Ok();
  }

 private:
  int32_t cls_ = 0;
  int32_t sep_ = 0;
};

const RegisterComponent<PostProcessor> kBert("BertProcessing", ClsSep<false>::Make);
const RegisterComponent<PostProcessor> kRoberta("RobertaProcessing", ClsSep<true>::Make);

}  // namespace
}  // namespace fathom
