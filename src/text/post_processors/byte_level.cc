// ByteLevel: trims offsets, which this project does not make; the ids stay.
#include "text/post_processor.h"

namespace fathom {
namespace {

class ByteLevel final : public PostProcessor {
 public:
  static Result<PostProcessorPtr> Make(const JsonValue&, const std::string&) {
    return PostProcessorPtr(new ByteLevel());
  }
  Status Apply(Encodings&, bool) const override { return Status::Ok(); }
};

const RegisterComponent<PostProcessor> kByteLevel("ByteLevel", ByteLevel::Make);

}  // namespace
}  // namespace fathom
