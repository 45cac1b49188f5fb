// "..." % values (CPython's unicode_format).
#include <algorithm>
#include <cmath>

#include "text/template/format.h"
#include "text/template/html.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

struct Conversion {
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  int64_t width = -1, precision = -1;
  char32_t type = 0;
  Value value;
};

class Percent {
 public:
  Percent(const String& format, const Value& arguments)
      : format_(format), text_(format.view()), arguments_(arguments) {
    tuple_ = arguments.is(Kind::kTuple);
    // CPython counts whatever can be subscripted, text and tuples aside, as a mapping.
    mapping_ =
        !tuple_ && !arguments.is_string() &&
        (arguments.is(Kind::kDict) || arguments.is(Kind::kList) || arguments.is_undefined() ||
         arguments.is(Kind::kRange) || arguments.is(Kind::kSelf));
  }

  Value Run() {
    for (size_t plain = 0;;) {
      const size_t percent = text_.find(U'%', at_);
      out_.AppendSlice(format_, plain, std::min(percent, text_.size()));
      if (percent == TextView::npos) break;
      at_ = percent + 1;
      ReadConversion();
      plain = at_;
    }
    const bool left_over =
        tuple_ ? next_ < arguments_.list().items.size() : !mapping_ && next_ == 0;
    if (left_over) {
      Raise(ErrorKind::kType, "not all arguments converted during string formatting");
    }
    return out_.Finish(format_.markup);
  }

 private:
  Value NextArgument() {
    if (tuple_) {
      if (next_ < arguments_.list().items.size()) return arguments_.list().items[next_++];
    } else if (next_++ == 0) {
      return arguments_;
    }
    Raise(ErrorKind::kType, "not enough arguments for format string");
  }

  char32_t Current() const {
    if (at_ >= text_.size()) Raise(ErrorKind::kValue, "incomplete format");
    return text_[at_];
  }

  int64_t ReadCount() {
    if (Current() == '*') {
      ++at_;
      const Value count = NextArgument();
      if (!count.is_integer()) Raise(ErrorKind::kType, "* wants int");
      return RequireIndex(count, "*");
    }
    int64_t count = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      count = std::min<int64_t>(count * 10 + (text_[at_++] - '0'), int64_t{1} << 40);
    }
    return count;
  }

  // %(name): the value of the mapping, for this conversion alone.
  bool ReadKey(Value& value) {
    if (Current() != '(') return false;
    if (!mapping_) Raise(ErrorKind::kType, "format requires a mapping");
    int open = 1;
    const size_t begin = ++at_;
    for (; open > 0; ++at_) {
      if (at_ >= text_.size()) Raise(ErrorKind::kValue, "incomplete format key");
      open += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
    }
    if (arguments_.is_undefined()) arguments_.as<Undefined>().Fail();
    if (!arguments_.is(Kind::kDict)) Raise(ErrorKind::kType, "format requires a mapping");
    const TextView key = text_.substr(begin, at_ - 1 - begin);
    const Value* found = arguments_.dict().Find(key);
    if (found == nullptr) Raise(ErrorKind::kLookup, "'{}'", ToUtf8(key));
    value = *found;
    return true;
  }

  void ReadConversion() {
    Conversion c;
    Value keyed;
    const bool has_key = ReadKey(keyed);
    for (bool flags = true; flags;) {
      switch (Current()) {
        case '-':
          c.left = true;
          break;
        case '+':
          c.plus = true;
          break;
        case ' ':
          c.space = true;
          break;
        case '#':
          c.alternate = true;
          break;
        case '0':
          c.zero = true;
          break;
        default:
          flags = false;
          continue;
      }
      ++at_;
    }
    if (Current() == '*' || (Current() >= '1' && Current() <= '9')) c.width = ReadCount();
    if (c.width < -1) {
      c.left = true;
      c.width = -c.width;
    }
    if (Current() == '.') {
      ++at_;
      c.precision = std::max<int64_t>(0, ReadCount());
    }
    if (Current() == 'h' || Current() == 'l' || Current() == 'L') ++at_;
    c.type = Current();
    ++at_;
    if (c.type == '%') return out_.Append(U"%", true);
    c.value = has_key ? keyed : NextArgument();
    Convert(c);
  }

  void Convert(const Conversion& c) {
    switch (c.type) {
      case 's':
      case 'r':
      case 'a':
        return ConvertText(c);
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return ConvertInt(c);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return ConvertFloat(c);
      case 'c':
        return ConvertChar(c);
      default:
        Raise(ErrorKind::kValue, "unsupported format character '{}' (0x{:x})",
              ToUtf8(TextView(&c.type, 1)), static_cast<unsigned>(c.type));
    }
  }

  void ConvertText(const Conversion& c) {
    StringBuilder piece;
    if (c.type == 's') {
      AppendStr(format_.markup ? EscapeHtml(c.value) : c.value, piece);
    } else {
      AppendRepr(c.value, piece);
    }
    Value text = piece.Finish();
    if (c.type == 'a') text = AsciiRepr(text);
    const String& string = text.string();
    const size_t size =
        c.precision < 0 ? string.text.size()
                        : std::min<size_t>(string.text.size(), static_cast<size_t>(c.precision));
    Padded(c, SubString(string, 0, size));
  }

  static Value AsciiRepr(const Value& text) {
    StringBuilder out;
    const String& string = text.string();
    for (size_t i = 0; i < string.text.size(); ++i) {
      const unsigned code = string.text[i];
      if (code < 0x80) {
        out.AppendSlice(string, i, i + 1);
      } else {
        const std::string escape = code < 0x100     ? fmt::format("\\x{:02x}", code)
                                   : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                                    : fmt::format("\\U{:08x}", code);
        out.Append(FromAscii(escape), string.trusted());
      }
    }
    return out.Finish();
  }

  void Padded(const Conversion& c, const Value& piece) {
    const String& string = piece.string();
    const int64_t pad = c.width - static_cast<int64_t>(string.text.size());
    if (pad > 0 && !c.left) Spaces(pad);
    out_.Append(string);
    if (pad > 0 && c.left) Spaces(pad);
  }

  void Spaces(int64_t count, char32_t fill = ' ') {
    const Charged whole(static_cast<size_t>(std::min<int64_t>(count, int64_t{1} << 40)) * 4);
    out_.Append(Text(static_cast<size_t>(count), fill), true);
  }

  // A number: its sign, its prefix (0x), its digits.
  void Number(const Conversion& c, bool negative, std::string prefix, std::string digits) {
    std::string sign = negative ? "-" : c.plus ? "+" : c.space ? " " : "";
    sign += prefix;
    const int64_t pad = c.width - static_cast<int64_t>(sign.size() + digits.size());
    if (pad > 0 && !c.left && !c.zero) Spaces(pad);
    out_.Append(FromAscii(sign), true);
    if (pad > 0 && !c.left && c.zero) Spaces(pad, '0');
    out_.Append(FromAscii(digits), true);
    if (pad > 0 && c.left) Spaces(pad);
  }

  Int IntArgument(const Conversion& c) {
    if (c.value.is_undefined()) c.value.as<Undefined>().Fail();
    if (c.value.is_integer()) return c.value.integer();
    const bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
    if (c.value.is(Kind::kFloat) && decimal) return TruncateToInt(c.value.floating());
    Raise(ErrorKind::kType, "%{} format: {} is required, not {}", static_cast<char>(c.type),
          decimal ? "a real number" : "an integer", TypeName(c.value));
  }

  void ConvertInt(const Conversion& c) {
    const Int value = IntArgument(c);
    const int base = c.type == 'o' ? 8 : c.type == 'x' || c.type == 'X' ? 16 : 10;
    std::string digits = IntText(value, base);
    if (value < 0) digits.erase(0, 1);
    std::string prefix = c.alternate && base == 8 ? "0o" : c.alternate && base == 16 ? "0x" : "";
    const Charged room(static_cast<size_t>(std::max<int64_t>(0, c.precision)) * 4);
    if (static_cast<int64_t>(digits.size()) < c.precision) {
      digits.insert(0, static_cast<size_t>(c.precision) - digits.size(), '0');
    }
    if (c.type == 'X') {
      for (char& digit : digits) digit = static_cast<char>(std::toupper(digit));
      if (!prefix.empty()) prefix = "0X";
    }
    Number(c, value < 0, prefix, digits);
  }

  void ConvertFloat(const Conversion& c) {
    if (c.value.is_undefined()) c.value.as<Undefined>().Fail();
    if (!c.value.is_number()) {
      Raise(ErrorKind::kType, "must be real number, not {}", TypeName(c.value));
    }
    const double value = ToDouble(c.value);
    const int64_t precision = c.precision < 0 ? 6 : c.precision;
    const Charged room(static_cast<size_t>(precision) * 4);
    if (precision > 100'000) Raise(ErrorKind::kValue, "precision too large");
    std::string digits =
        FormatFloat(value, static_cast<char>(c.type), static_cast<int>(precision), c.alternate);
    const bool negative = digits[0] == '-';
    if (negative) digits.erase(0, 1);
    Number(c, negative, "", digits);
  }

  void ConvertChar(const Conversion& c) {
    if (c.value.is_string() && c.value.string().text.size() == 1) {
      return Padded(c, SubString(c.value.string(), 0, 1));
    }
    if (!c.value.is_integer()) Raise(ErrorKind::kType, "%c requires int or char");
    const Int code = c.value.integer();
    if (code < 0 || code > 0x10FFFF) Raise(ErrorKind::kOverflow, "%c arg not in range(0x110000)");
    const char32_t character = static_cast<char32_t>(code);
    Padded(c, NewString(TextView(&character, 1), true));
  }

  const String& format_;
  TextView text_;
  const Value& arguments_;
  bool tuple_ = false, mapping_ = false;
  size_t at_ = 0;
  size_t next_ = 0;
  StringBuilder out_;
};

}  // namespace

Value PercentFormat(const String& format, const Value& arguments) {
  return Percent(format, arguments).Run();
}

std::string FormatFloat(double value, char type, int precision, bool alternate) {
  const bool upper = type == 'E' || type == 'F' || type == 'G';
  if (!std::isfinite(value)) {
    const std::string_view name = std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    std::string out(name);
    if (upper) std::transform(out.begin(), out.end(), out.begin(), ::toupper);
    return out;
  }
  switch (type) {
    case 'e':
    case 'E':
      return alternate ? fmt::format("{:#.{}e}", value, precision)
             : upper   ? fmt::format("{:.{}E}", value, precision)
                       : fmt::format("{:.{}e}", value, precision);
    case 'f':
    case 'F':
      return alternate ? fmt::format("{:#.{}f}", value, precision)
                       : fmt::format("{:.{}f}", value, precision);
    default:
      if (alternate) {
        return upper ? fmt::format("{:#.{}G}", value, precision)
                     : fmt::format("{:#.{}g}", value, precision);
      }
      return upper ? fmt::format("{:.{}G}", value, precision)
                   : fmt::format("{:.{}g}", value, precision);
  }
}

}  // namespace fathom::jinja
