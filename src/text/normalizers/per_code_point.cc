// Normalizers that map each code point on its own: Lowercase, StripAccents, Nmt, ByteLevel
// (tokenizers' normalizers/{utils,strip,unicode,byte_level}.rs).
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/normalizer.h"
#include "text/unicode.h"

namespace fathom {
namespace {

// map(code_point, its bytes, out): appends what the code point becomes.
template <void (*map)(char32_t, std::string_view, std::string&)>
class PerCodePoint final : public Normalizer {
 public:
  static Result<NormalizerPtr> Make(const JsonValue&, const std::string&) {
    return NormalizerPtr(new PerCodePoint());
  }
  Status Apply(MarkedText& text, PatternBudget&) const override {
    MarkedText result;
    result.text.reserve(text.text.size());
    const bool marked = text.marked();
    for (size_t i = 0; i < text.text.size();) {
      const DecodedCodePoint decoded = DecodeUtf8(text.text, i);
      const auto size = static_cast<size_t>(decoded.size_bytes);
      map(decoded.code_point, std::string_view(text.text).substr(i, size), result.text);
      if (marked) result.MarkUpTo(result.text.size(), text.mark(i));
      i += size;
    }
    text = std::move(result);
    return Status::Ok();
  }
};

void Lowercase(char32_t c, std::string_view, std::string& out) { AppendLowercase(c, out); }

void StripAccents(char32_t c, std::string_view bytes, std::string& out) {
  if (!HasFlag(c, kCombiningMark)) out += bytes;
}

void Nmt(char32_t c, std::string_view bytes, std::string& out) {
  const bool dropped = (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) ||
                       c == 0x7F || c == 0x8F || c == 0x9F;
  const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  if (space) {
    out += ' ';
  } else if (!dropped) {
    out += bytes;
  }
}

void ByteLevel(char32_t, std::string_view bytes, std::string& out) { AppendByteLevel(bytes, out); }

const RegisterComponent<Normalizer> kLowercase("Lowercase", PerCodePoint<Lowercase>::Make);
const RegisterComponent<Normalizer> kStripAccents("StripAccents", PerCodePoint<StripAccents>::Make);
const RegisterComponent<Normalizer> kNmt("Nmt", PerCodePoint<Nmt>::Make);
const RegisterComponent<Normalizer> kByteLevel("ByteLevel", PerCodePoint<ByteLevel>::Make);

}  // namespace
}  // namespace fathom
