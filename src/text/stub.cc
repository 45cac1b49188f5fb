#include "fathom/text.h"
namespace fathom {
struct Tokenizer::Impl {};
struct StreamDecoder::State {};
Result<Tokenizer> Tokenizer::OpenFolder(const std::string&) { return Status::RunTime("stub"); }
Tokenizer::Tokenizer(const Tokenizer&) = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(const Tokenizer&) = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;
StreamDecoder::StreamDecoder(const Tokenizer&, bool) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;
std::string StreamDecoder::Push(int32_t) { return {}; }
std::string StreamDecoder::Finish() { return {}; }
}
