#include "engine/sequence.h"

namespace fathom {

TextStream::TextStream(const Tokenizer* tokenizer, const Request& request)
    : stops_(request.stop_strings) {
  const bool needed = request.want_text || !request.stop_strings.empty();
  if (tokenizer != nullptr && needed) decoder_.emplace(*tokenizer, request.skip_special_tokens);
}

std::string TextStream::Push(int32_t id) {
  return decoder_.has_value() ? stops_.Push(decoder_->Push(id)) : std::string();
}

std::string TextStream::Finish() {
  if (!decoder_.has_value()) return {};
  std::string rest = stops_.Push(decoder_->Finish());
  return rest + stops_.Finish();
}

}  // namespace fathom
