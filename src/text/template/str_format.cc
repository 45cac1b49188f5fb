// "...".format(...): the fields (string.Formatter, as the sandbox uses it) and their
// specifications.
#include <algorithm>
#include <cmath>

#include "text/template/format.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

// [[fill]align][sign][z][#][0][width][grouping][.precision][type]
struct Spec {
  char32_t fill = ' ';
  char32_t align = 0;
  char32_t sign = '-';
  bool alternate = false, no_negative_zero = false;
  bool zero = false;
  int64_t width = -1, precision = -1;
  char32_t grouping = 0;
  char32_t type = 0;
};

bool IsAlign(char32_t c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

Spec ParseSpec(TextView text) {
  Spec spec;
  size_t at = 0;
  const auto current = [&]() -> char32_t { return at < text.size() ? text[at] : 0; };
  const auto count = [&]() {
    int64_t value = -1;
    while (current() >= '0' && current() <= '9') {
      value = std::min<int64_t>(std::max<int64_t>(value, 0) * 10 + (text[at++] - '0'),
                                int64_t{1} << 40);
    }
    return value;
  };
  if (text.size() >= 2 && IsAlign(text[1])) {
    spec.fill = text[0];
    spec.align = text[1];
    at = 2;
  } else if (IsAlign(current())) {
    spec.align = text[at++];
  }
  const bool filled = at == 2;
  if (current() == '+' || current() == '-' || current() == ' ') spec.sign = text[at++];
  if (current() == 'z') spec.no_negative_zero = true, ++at;
  if (current() == '#') spec.alternate = true, ++at;
  if (!filled && current() == '0') {
    spec.fill = '0';
    spec.zero = spec.align == 0;
    ++at;
  }
  spec.width = count();
  if (current() == ',' || current() == '_') spec.grouping = text[at++];
  if (current() == '.') {
    ++at;
    spec.precision = count();
    if (spec.precision < 0) Raise(ErrorKind::kValue, "Format specifier missing precision");
  }
  if (at + 1 < text.size()) Raise(ErrorKind::kValue, "Invalid format specifier");
  spec.type = current();
  return spec;
}

// Reserves what a field may need before it is made.
Charged Room(const Spec& spec) {
  return Charged(static_cast<size_t>(std::max(spec.width, spec.precision) + 1) * 4);
}

void AppendPadded(const Spec& spec, char32_t default_align, TextView lead, const Value& body,
                  StringBuilder& out) {
  const int64_t size = static_cast<int64_t>(lead.size() + body.string().text.size());
  const int64_t pad = std::max<int64_t>(0, spec.width - size);
  const char32_t align = spec.align != 0 ? spec.align : default_align;
  const int64_t before = align == '>' ? pad : align == '^' ? pad / 2 : 0;
  const int64_t inside = align == '=' ? pad : 0;
  const auto fill = [&](int64_t n) { out.Append(Text(static_cast<size_t>(n), spec.fill), true); };
  fill(before);
  out.Append(lead, true);
  fill(inside);
  out.Append(body.string());
  fill(pad - before - inside);
}

void FormatText(const String& text, const Spec& spec, StringBuilder& out) {
  if (spec.type != 0 && spec.type != 's') {
    Raise(ErrorKind::kValue, "Unknown format code '{}' for object of type 'str'",
          ToUtf8(TextView(&spec.type, 1)));
  }
  if (spec.sign != '-' || spec.alternate || spec.no_negative_zero || spec.grouping != 0 ||
      spec.align == '=') {
    Raise(ErrorKind::kValue,
          "Sign, '#', 'z', ',', '_' or '=' not allowed in a string format specifier");
  }
  const Charged room = Room(spec);
  const size_t size = spec.precision < 0
                          ? text.text.size()
                          : std::min(text.text.size(), static_cast<size_t>(spec.precision));
  AppendPadded(spec, '<', {}, SubString(text, 0, size), out);
}

// Puts separators between groups of digits; zeros in front until the whole is `width` wide.
std::string Group(const std::string& digits, char separator, size_t group, int64_t width) {
  std::string out;
  size_t count = 0;
  const auto push = [&](char digit) {
    if (count != 0 && count % group == 0) out += separator;
    out += digit;
    ++count;
  };
  for (auto it = digits.rbegin(); it != digits.rend(); ++it) push(*it);
  while (static_cast<int64_t>(out.size()) < width) push('0');
  std::reverse(out.begin(), out.end());
  return out;
}

// `digits` may hold a fraction and an exponent: only the whole part is grouped.
void AppendNumber(const Spec& spec, bool negative, std::string prefix, std::string digits,
                  size_t group, StringBuilder& out) {
  std::string lead = negative           ? "-"
                     : spec.sign == '-' ? ""
                                        : std::string(1, static_cast<char>(spec.sign));
  lead += prefix;
  if (spec.grouping != 0) {
    const size_t whole =
        std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
    // An exponent's e is no digit of the whole part of a float.
    const size_t exponent = group == 3 ? std::min(digits.find_first_of("eE"), whole) : whole;
    const std::string rest = digits.substr(exponent);
    const bool zeros = spec.zero || (spec.align == '=' && spec.fill == '0');
    const int64_t width = zeros ? spec.width - static_cast<int64_t>(lead.size() + rest.size()) : 0;
    digits =
        Group(digits.substr(0, exponent), static_cast<char>(spec.grouping), group, width) + rest;
  }
  Spec padded = spec;
  if (spec.zero) padded.align = '=';
  AppendPadded(padded, '>', FromAscii(lead), NewAscii(digits), out);
}

void FormatInteger(Int value, const Spec& spec, StringBuilder& out) {
  if (spec.precision >= 0) {
    Raise(ErrorKind::kValue, "Precision not allowed in integer format specifier");
  }
  if (spec.no_negative_zero) {
    Raise(ErrorKind::kValue,
          "Negative zero coercion (z) not allowed in format specifier with integer");
  }
  const Charged room = Room(spec);
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10FFFF || spec.sign != '-' || spec.alternate) {
      Raise(ErrorKind::kOverflow, "%c arg not in range(0x110000)");
    }
    const char32_t character = static_cast<char32_t>(value);
    return AppendPadded(spec, '<', {}, NewString(TextView(&character, 1), true), out);
  }
  const int base = spec.type == 'b'                       ? 2
                   : spec.type == 'o'                     ? 8
                   : spec.type == 'x' || spec.type == 'X' ? 16
                                                          : 10;
  std::string digits = IntText(value, base);
  if (value < 0) digits.erase(0, 1);
  std::string prefix;
  if (spec.alternate && base != 10) prefix = std::string("0") + static_cast<char>(spec.type);
  if (spec.type == 'X') std::transform(digits.begin(), digits.end(), digits.begin(), ::toupper);
  if (spec.grouping == ',' && base != 10) {
    Raise(ErrorKind::kValue, "Cannot specify ',' with '{}'.", static_cast<char>(spec.type));
  }
  AppendNumber(spec, value < 0, prefix, digits, base == 10 ? 3 : 4, out);
}

// The digits of format(value, ".precision") without a type: %g that keeps one digit after the
// point.
std::string GeneralDigits(double value, int precision, bool alternate) {
  const int significant = std::max(precision, 1);
  const std::string scientific = fmt::format("{:.{}e}", value, significant - 1);
  const size_t e = scientific.find('e');
  const int exponent = std::atoi(scientific.c_str() + e + 1);
  if (exponent < -4 || exponent + 1 > significant - 1) {
    std::string mantissa = scientific.substr(0, e);
    if (!alternate && mantissa.find('.') != std::string::npos) {
      mantissa.erase(mantissa.find_last_not_of('0') + 1);
      if (mantissa.back() == '.') mantissa.pop_back();
    }
    return mantissa + scientific.substr(e);
  }
  std::string fixed = fmt::format("{:.{}f}", value, std::max(significant - 1 - exponent, 1));
  if (!alternate) {
    fixed.erase(fixed.find_last_not_of('0') + 1);
    if (fixed.back() == '.') fixed += '0';
  }
  return fixed;
}

std::string FloatDigits(double value, const Spec& spec) {
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  switch (spec.type) {
    case 0:
      if (!std::isfinite(value)) return FormatFloat(value, 'g', 6, false);
      return spec.precision < 0 ? FloatRepr(value)
                                : GeneralDigits(value, precision, spec.alternate);
    case 'n':
      return FormatFloat(value, 'g', precision, spec.alternate);
    case '%':
      return FormatFloat(value * 100, 'f', precision, spec.alternate) + "%";
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return FormatFloat(value, static_cast<char>(spec.type), precision, spec.alternate);
    default:
      Raise(ErrorKind::kValue, "Unknown format code '{}' for object of type 'float'",
            ToUtf8(TextView(&spec.type, 1)));
  }
}

void FormatDouble(double value, const Spec& spec, StringBuilder& out) {
  if (spec.precision > 100'000) Raise(ErrorKind::kValue, "precision too big");
  const Charged room = Room(spec);
  std::string digits = FloatDigits(value, spec);
  bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  if (spec.no_negative_zero && digits.find_first_of("123456789in") == std::string::npos) {
    negative = false;
  }
  AppendNumber(spec, negative, "", digits, 3, out);
}

bool IsIntegerType(char32_t type) {
  return type == 0 || TextView(U"bcdoxXn").find(type) != TextView::npos;
}

class Formatter {
 public:
  Formatter(Interpreter& interpreter, const Values& positional, const Value& mapping, bool markup)
      : interpreter_(interpreter), positional_(positional), mapping_(mapping), markup_(markup) {}

  void Run(const String& format, int depth, StringBuilder& out) {
    if (depth < 0) Raise(ErrorKind::kValue, "Max string recursion exceeded");
    const TextView text = format.view();
    size_t plain = 0, at = 0;
    while (at < text.size()) {
      const char32_t c = text[at];
      if (c != '{' && c != '}') {
        ++at;
        continue;
      }
      if (at + 1 < text.size() && text[at + 1] == c) {
        out.AppendSlice(format, plain, at + 1);
        plain = at += 2;
        continue;
      }
      out.AppendSlice(format, plain, at);
      if (c == '}') Raise(ErrorKind::kValue, "Single '}}' encountered in format string");
      const size_t end = FieldEnd(text, at + 1);
      Field(format, at + 1, end, depth, out);
      plain = at = end + 1;
    }
    out.AppendSlice(format, plain, text.size());
  }

 private:
  static size_t FieldEnd(TextView text, size_t at) {
    int open = 1;
    bool bracket = false;
    for (; at < text.size(); ++at) {
      if (text[at] == '[') bracket = true;
      if (text[at] == ']') bracket = false;
      if (bracket) continue;
      if (text[at] == '{') ++open;
      if (text[at] == '}' && --open == 0) return at;
    }
    Raise(ErrorKind::kValue, "expected '}}' before end of string");
  }

  void Field(const String& format, size_t begin, size_t end, int depth, StringBuilder& out) {
    const TextView text = format.view();
    size_t name_end = begin;
    for (bool bracket = false; name_end < end; ++name_end) {
      if (text[name_end] == '[') bracket = true;
      if (text[name_end] == ']') bracket = false;
      if (text[name_end] == '{') Raise(ErrorKind::kValue, "unexpected '{{' in field name");
      if (!bracket && (text[name_end] == '!' || text[name_end] == ':')) break;
    }
    Value value = Lookup(Text(text.substr(begin, name_end - begin)));
    size_t spec_begin = name_end;
    if (spec_begin < end && text[spec_begin] == '!') {
      if (spec_begin + 1 >= end)
        Raise(ErrorKind::kValue, "end of string while looking for conversion specifier");
      value = Convert(value, text[spec_begin + 1]);
      spec_begin += 2;
      if (spec_begin < end && text[spec_begin] != ':') {
        Raise(ErrorKind::kValue, "expected ':' after conversion specifier");
      }
    }
    StringBuilder spec;
    if (spec_begin < end) {
      Run(SubString(format, spec_begin + 1, end).string(), depth - 1, spec);
    }
    if (!markup_) return FormatField(value, spec.text(), out);
    StringBuilder piece;
    const bool safe = value.is_string() && value.string().markup;
    if (safe && !spec.text().empty()) {
      Raise(ErrorKind::kValue, "Unsupported format specification for Markup.");
    }
    FormatField(value, spec.text(), piece);
    out.Append(EscapeHtml(piece.Finish(safe)).string());
  }

  static Value Convert(const Value& value, char32_t how) {
    if (how == 's') return Str(value);
    if (how != 'r' && how != 'a') Raise(ErrorKind::kValue, "Unknown conversion specifier");
    return PercentFormat(NewAscii(how == 'r' ? "%r" : "%a").string(), NewTuple({value}));
  }

  Value Lookup(Text name) {
    const bool number = !name.empty() && std::all_of(name.begin(), name.end(), [](char32_t c) {
      return DecimalValue(c) >= 0;
    });
    if (name.empty()) {
      if (manual_) {
        Raise(ErrorKind::kValue,
              "cannot switch from manual field specification to automatic field numbering");
      }
      name = FromAscii(fmt::format("{}", automatic_++));
    } else if (number) {
      if (automatic_ != 0) {
        Raise(ErrorKind::kValue,
              "cannot switch from automatic field numbering to manual field specification");
      }
      manual_ = true;
    }
    size_t at = std::min(name.find_first_of(U".["), name.size());
    Value value = First(name.substr(0, at));
    while (at < name.size()) {
      if (name[at] == '.') {
        const size_t end = std::min(name.find_first_of(U".[", at + 1), name.size());
        if (end == at + 1) Raise(ErrorKind::kValue, "Empty attribute in format string");
        value =
            interpreter_.GetAttribute(value, NewString(name.substr(at + 1, end - at - 1), true));
        at = end;
        continue;
      }
      if (name[at] != '[') {
        Raise(ErrorKind::kValue, "Only '.' or '[' may follow ']' in format field specifier");
      }
      const size_t end = name.find(U']', at);
      if (end == Text::npos) Raise(ErrorKind::kValue, "Missing ']' in format string");
      const Text key = name.substr(at + 1, end - at - 1);
      if (key.empty()) Raise(ErrorKind::kValue, "Empty attribute in format string");
      value = interpreter_.GetItem(value, KeyOf(key));
      at = end + 1;
    }
    return value;
  }

  static Value KeyOf(const Text& key) {
    const bool number = !key.empty() && std::all_of(key.begin(), key.end(), [](char32_t c) {
      return DecimalValue(c) >= 0;
    });
    return number ? Value::Integer(ParseInt(key, 10).value_or(0)) : NewString(key, true);
  }

  Value First(const Text& name) {
    const Value key = KeyOf(name);
    if (key.is(Kind::kInt)) {
      if (key.integer() >= static_cast<Int>(positional_.size())) {
        Raise(ErrorKind::kLookup, "Replacement index {} out of range for positional args tuple",
              IntText(key.integer()));
      }
      return positional_[static_cast<size_t>(key.integer())];
    }
    const Value* found = mapping_.is(Kind::kDict) ? mapping_.dict().Find(name) : nullptr;
    if (found == nullptr) Raise(ErrorKind::kLookup, "'{}'", ToUtf8(name));
    return *found;
  }

  Interpreter& interpreter_;
  const Values& positional_;
  const Value& mapping_;
  const bool markup_;
  bool manual_ = false;
  int automatic_ = 0;
};

}  // namespace

void FormatField(const Value& value, TextView text, StringBuilder& out) {
  if (text.empty()) return AppendStr(value, out);
  if (value.is_string()) return FormatText(value.string(), ParseSpec(text), out);
  if (value.is_integer()) {
    const Spec spec = ParseSpec(text);
    if (IsIntegerType(spec.type)) return FormatInteger(value.integer(), spec, out);
    return FormatDouble(static_cast<double>(value.integer()), spec, out);
  }
  if (value.is(Kind::kFloat)) return FormatDouble(value.floating(), ParseSpec(text), out);
  Raise(ErrorKind::kType, "unsupported format string passed to {}.__format__", TypeName(value));
}

Value StrFormat(Interpreter& interpreter, const String& format, const Values& positional,
                const Value& mapping) {
  StringBuilder out;
  Formatter(interpreter, positional, mapping, format.markup).Run(format, 1, out);
  return out.Finish(format.markup);
}

}  // namespace fathom::jinja
