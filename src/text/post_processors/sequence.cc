// Sequence: one post-processor after the other, each on the parts that the one before left.
#include "text/post_processor.h"

namespace fathom {
namespace {

class SequencePostProcessor final : public PostProcessor {
 public:
  static Result<PostProcessorPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<SequencePostProcessor>();
    FATHOM_ASSIGN(result->parts_, MakeComponents<PostProcessor>(json, "processors", field));
    return PostProcessorPtr(std::move(result));
  }
  Status Apply(Encodings& encodings, bool add_special_tokens) const override {
    for (const PostProcessorPtr& part : parts_) {
      FATHOM_TRY(part->Apply(encodings, add_special_tokens));
    }
    return Status::Ok();
  }

 private:
  std::vector<PostProcessorPtr> parts_;
};

const RegisterComponent<PostProcessor> kSequence("Sequence", SequencePostProcessor::Make);

}  // namespace
}  // namespace fathom
