#include "text/template/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/template/format.h"
#include "text/template/html.h"

namespace fathom::jinja {
namespace {

constexpr Int kIntMax = static_cast<Int>(~static_cast<unsigned __int128>(0) >> 1);
constexpr Int kIntMin = -kIntMax - 1;

[[noreturn]] void IntOverflow() {
  Raise(ErrorKind::kOverflow, "an integer is beyond the 127 bits that templates can use");
}

Text StripSpace(TextView text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return Text(text);
}

}  // namespace

std::string IntText(Int value, int base) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  unsigned __int128 rest = negative ? -static_cast<unsigned __int128>(value) : value;
  std::string digits;
  for (; rest != 0; rest /= base) digits += "0123456789abcdef"[static_cast<int>(rest % base)];
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string IntText(Int value) { return IntText(value, 10); }

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, end - buffer);
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = text[0] == '-' ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string_view all = digits;
    return fmt::format("{}{}{}{}e{}{:02}", sign, all.substr(0, 1), count > 1 ? "." : "",
                       all.substr(1), exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(-exponent - 1, '0') + digits;
  if (count <= exponent + 1) return sign + digits + std::string(exponent + 1 - count, '0') + ".0";
  const std::string_view all = digits;
  return fmt::format("{}{}.{}", sign, all.substr(0, exponent + 1), all.substr(exponent + 1));
}

namespace {

// The digits of `text` in `base`, underscores between digits allowed; nothing where it is no
// number.
std::optional<Int> ParseDigits(TextView text, int base, bool negative) {
  Int value = 0;
  bool after_digit = false;
  for (const char32_t c : text) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    int digit = DecimalValue(c);
    if (digit < 0 && c < 0x80 && std::isalpha(static_cast<int>(c))) {
      digit = std::tolower(static_cast<int>(c)) - 'a' + 10;
    }
    if (digit < 0 || digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) ||
        (negative ? __builtin_sub_overflow(value, digit, &value)
                  : __builtin_add_overflow(value, digit, &value))) {
      IntOverflow();
    }
    after_digit = true;
  }
  return after_digit ? std::optional<Int>(value) : std::nullopt;
}

int PrefixBase(TextView text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1]) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
    case 'O':
      return 8;
    case 'b':
    case 'B':
      return 2;
    default:
      return 0;
  }
}

}  // namespace

std::optional<Int> ParseInt(TextView text, int base) {
  const Text stripped = StripSpace(text);
  TextView digits = stripped;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (base != 0 && (base < 2 || base > 36)) {
    Raise(ErrorKind::kValue, "int() base must be >= 2 and <= 36, or 0");
  }
  const int prefix = PrefixBase(digits);
  bool prefixed = false;
  if (prefix != 0 && (base == 0 || base == prefix)) {
    base = prefix;
    digits.remove_prefix(2);
    prefixed = true;
    if (!digits.empty() && digits[0] == '_') digits.remove_prefix(1);
  }
  if (base == 0) {
    base = 10;
    // 0 may stand as 00, but 012 is refused, as in Python's own literals.
    const bool zero =
        std::all_of(digits.begin(), digits.end(), [](char32_t c) { return c == '0' || c == '_'; });
    if (!prefixed && digits.size() > 1 && digits[0] == '0' && !zero) return std::nullopt;
  }
  return ParseDigits(digits, base, negative);
}

std::optional<double> ParseFloat(TextView text) {
  std::string ascii;
  const Text stripped = StripSpace(text);
  for (size_t i = 0; i < stripped.size(); ++i) {
    const char32_t c = stripped[i];
    if (c == '_') {
      const bool between = i > 0 && i + 1 < stripped.size() && DecimalValue(stripped[i - 1]) >= 0 &&
                           DecimalValue(stripped[i + 1]) >= 0;
      if (!between) return std::nullopt;
    } else if (const int digit = DecimalValue(c); digit >= 0) {
      ascii += static_cast<char>('0' + digit);
    } else if (c < 0x80) {
      ascii += static_cast<char>(std::tolower(static_cast<int>(c)));
    } else {
      return std::nullopt;
    }
  }
  std::string_view body = ascii;
  const bool negative = !body.empty() && body[0] == '-';
  if (!body.empty() && (body[0] == '-' || body[0] == '+')) body.remove_prefix(1);
  if (body == "inf" || body == "infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  if (body == "nan") return std::nan("");
  if (body.empty() || body.find_first_not_of("0123456789.e+-") != std::string_view::npos ||
      body[0] == '-' || body[0] == '+') {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), value);
  if (end != body.data() + body.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(body).c_str(), nullptr);
  if (error == std::errc::invalid_argument) return std::nullopt;
  return negative ? -value : value;
}

Int TruncateToInt(double value) {
  if (std::isnan(value)) Raise(ErrorKind::kValue, "cannot convert float NaN to integer");
  if (std::isinf(value)) Raise(ErrorKind::kOverflow, "cannot convert float infinity to integer");
  if (std::fabs(value) >= 0x1p127) IntOverflow();
  return static_cast<Int>(value);
}

double ToDouble(const Value& number) {
  return number.is(Kind::kFloat) ? number.floating() : static_cast<double>(number.integer());
}

int CompareIntFloat(Int a, double b) {
  if (b >= 0x1p127) return -1;
  if (b < -0x1p127) return 1;
  const Int whole = static_cast<Int>(b);
  if (a != whole) return a < whole ? -1 : 1;
  const double fraction = b - std::trunc(b);
  return fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

double RoundFloat(double value, int64_t digits) {
  if (!std::isfinite(value)) return value;
  // The bounds of CPython's float.__round__: beyond them nothing changes, or nothing is left.
  if (digits > 323) return value;
  if (digits < -308) return 0.0 * value;
  if (digits >= 0) {
    const double rounded =
        std::strtod(fmt::format("{:.{}f}", value, static_cast<int>(digits)).c_str(), nullptr);
    return std::isinf(rounded) ? value : rounded;
  }
  // Round the decimal digits of the whole part, half to even of the exact value.
  std::string text = fmt::format("{:.0f}", std::trunc(std::fabs(value)));
  const size_t drop = static_cast<size_t>(-digits);
  if (text.size() < drop) return 0.0 * value;
  text = fmt::format("0{}", text);
  const size_t keep = text.size() - drop;
  const std::string tail = text.substr(keep);
  const bool exact_half = tail[0] == '5' && tail.find_first_not_of('0', 1) == std::string::npos &&
                          std::trunc(value) == value;
  const bool up = exact_half ? (text[keep - 1] - '0') % 2 == 1 : tail[0] >= '5';
  std::string head = text.substr(0, keep);
  for (size_t i = keep; up && i-- > 0;) {
    if (head[i] != '9') {
      ++head[i];
      break;
    }
    head[i] = '0';
  }
  const double rounded = std::strtod((head + std::string(drop, '0')).c_str(), nullptr);
  return value < 0 ? -rounded : rounded;
}

Int RoundInt(Int value, int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -38) return 0;
  Int unit = 1;
  for (int64_t i = 0; i < -digits; ++i) unit *= 10;
  Int whole = value / unit, rest = value % unit;
  if (rest < 0) {
    rest += unit;
    --whole;
  }
  const Int other = unit - rest;
  if (rest > other || (rest == other && whole % 2 != 0)) ++whole;
  Int result = 0;
  if (__builtin_mul_overflow(whole, unit, &result)) IntOverflow();
  return result;
}

namespace {

void RefuseUndefined(const Value& a, const Value& b) {
  if (a.is_undefined()) a.as<Undefined>().Fail();
  if (b.is_undefined()) b.as<Undefined>().Fail();
}

[[noreturn]] void RefuseOperands(std::string_view op, const Value& a, const Value& b) {
  RefuseUndefined(a, b);
  Raise(ErrorKind::kType, "unsupported operand type(s) for {}: '{}' and '{}'", op, TypeName(a),
        TypeName(b));
}

bool BothIntegers(const Value& a, const Value& b) { return a.is_integer() && b.is_integer(); }
bool BothNumbers(const Value& a, const Value& b) { return a.is_number() && b.is_number(); }

Value Concatenate(const Values& a, const Values& b, Kind kind) {
  Heap::Current().Step(a.size() + b.size());
  const Charged copy((a.size() + b.size()) * sizeof(Value));
  Values items = a;
  items.insert(items.end(), b.begin(), b.end());
  return kind == Kind::kList ? NewList(std::move(items)) : NewTuple(std::move(items));
}

Value RepeatString(const String& text, Int count) {
  StringBuilder builder;
  if (text.text.empty()) return builder.Finish(text.markup);
  for (Int i = 0; i < count; ++i) builder.Append(text);
  return builder.Finish(text.markup);
}

Value Repeat(const Value& sequence, const Value& times) {
  const Int count = times.integer();
  if (sequence.is_string()) {
    const Int size = static_cast<Int>(sequence.string().text.size());
    // Refused as a whole, before the first piece is made.
    if (size != 0 && count > 0) {
      const Charged whole(static_cast<size_t>(
          std::min<Int>(Int{1} << 60, std::min<Int>(count, Int{1} << 50) * size * 4)));
    }
    return RepeatString(sequence.string(), count);
  }
  const Values& items = sequence.list().items;
  Values out;
  if (!items.empty() && count > 0) {
    const Int total = std::min<Int>(count, Int{1} << 50) * static_cast<Int>(items.size());
    const Charged whole(
        static_cast<size_t>(std::min<Int>(Int{1} << 60, total * static_cast<Int>(sizeof(Value)))));
    Heap::Current().Step(static_cast<uint64_t>(total));
    for (Int i = 0; i < count; ++i) out.insert(out.end(), items.begin(), items.end());
  }
  return sequence.is(Kind::kList) ? NewList(std::move(out)) : NewTuple(std::move(out));
}

double FloatModulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) rest += b;
  } else {
    rest = std::copysign(0.0, b);
  }
  return rest;
}

// CPython's float_floor_div: from the exact remainder, so that 1 // 0.1 is 9.
double FloatFloorDivide(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  double floor = std::floor(quotient);
  if (quotient - floor > 0.5) floor += 1;
  return floor;
}

Int FloorQuotient(Int a, Int b) {
  if (a == kIntMin && b == -1) IntOverflow();
  const Int quotient = a / b;
  return a % b != 0 && (a % b < 0) != (b < 0) ? quotient - 1 : quotient;
}

Int FloorRemainder(Int a, Int b) {
  if (b == -1) return 0;
  const Int rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value CheckFinite(double result, double a, double b) {
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
    Raise(ErrorKind::kOverflow, "the result is beyond a float");
  }
  return Value::Float(result);
}

Int IntPower(Int base, Int exponent) {
  Int result = 1;
  while (exponent > 0) {
    if (exponent & 1) {
      if (__builtin_mul_overflow(result, base, &result)) IntOverflow();
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) IntOverflow();
  }
  return result;
}

}  // namespace

Value Add(const Value& a, const Value& b) {
  if (BothIntegers(a, b)) {
    Int sum = 0;
    if (__builtin_add_overflow(a.integer(), b.integer(), &sum)) IntOverflow();
    return Value::Integer(sum);
  }
  if (BothNumbers(a, b)) return Value::Float(ToDouble(a) + ToDouble(b));
  if (a.is_string() && b.is_string()) {
    const bool markup = a.string().markup || b.string().markup;
    StringBuilder builder;
    builder.Append((markup ? EscapeHtml(a) : a).string());
    builder.Append((markup ? EscapeHtml(b) : b).string());
    return builder.Finish(markup);
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    return Concatenate(a.list().items, b.list().items, a.kind());
  }
  RefuseOperands("+", a, b);
}

Value Subtract(const Value& a, const Value& b) {
  if (BothIntegers(a, b)) {
    Int difference = 0;
    if (__builtin_sub_overflow(a.integer(), b.integer(), &difference)) IntOverflow();
    return Value::Integer(difference);
  }
  if (BothNumbers(a, b)) return Value::Float(ToDouble(a) - ToDouble(b));
  RefuseOperands("-", a, b);
}

Value Multiply(const Value& a, const Value& b) {
  if (BothIntegers(a, b)) {
    Int product = 0;
    if (__builtin_mul_overflow(a.integer(), b.integer(), &product)) IntOverflow();
    return Value::Integer(product);
  }
  if (BothNumbers(a, b)) return Value::Float(ToDouble(a) * ToDouble(b));
  if ((a.is_string() || a.is_sequence()) && b.is_integer()) return Repeat(a, b);
  if ((b.is_string() || b.is_sequence()) && a.is_integer()) return Repeat(b, a);
  RefuseOperands("*", a, b);
}

Value Divide(const Value& a, const Value& b) {
  if (!BothNumbers(a, b)) RefuseOperands("/", a, b);
  const double divisor = ToDouble(b);
  if (divisor == 0) Raise(ErrorKind::kZeroDivision, "division by zero");
  if (BothIntegers(a, b)) {
    return Value::Float(static_cast<double>(static_cast<long double>(a.integer()) /
                                            static_cast<long double>(b.integer())));
  }
  return Value::Float(ToDouble(a) / divisor);
}

Value FloorDivide(const Value& a, const Value& b) {
  if (!BothNumbers(a, b)) RefuseOperands("//", a, b);
  if (ToDouble(b) == 0) Raise(ErrorKind::kZeroDivision, "integer division or modulo by zero");
  if (BothIntegers(a, b)) return Value::Integer(FloorQuotient(a.integer(), b.integer()));
  return Value::Float(FloatFloorDivide(ToDouble(a), ToDouble(b)));
}

Value Modulo(const Value& a, const Value& b) {
  if (a.is_string()) return PercentFormat(a.string(), b);
  if (!BothNumbers(a, b)) RefuseOperands("%", a, b);
  if (ToDouble(b) == 0) Raise(ErrorKind::kZeroDivision, "integer modulo by zero");
  if (BothIntegers(a, b)) return Value::Integer(FloorRemainder(a.integer(), b.integer()));
  return Value::Float(FloatModulo(ToDouble(a), ToDouble(b)));
}

Value Power(const Value& a, const Value& b) {
  if (!BothNumbers(a, b)) RefuseOperands("** or pow()", a, b);
  if (BothIntegers(a, b) && b.integer() >= 0) {
    return Value::Integer(IntPower(a.integer(), b.integer()));
  }
  const double base = ToDouble(a), exponent = ToDouble(b);
  if (base == 0 && exponent < 0) {
    Raise(ErrorKind::kZeroDivision, "0.0 cannot be raised to a negative power");
  }
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) &&
      exponent != std::floor(exponent)) {
    Raise(ErrorKind::kValue, "the power is a complex number, which templates do not have");
  }
  return CheckFinite(std::pow(base, exponent), base, exponent);
}

Value Negate(const Value& value) {
  if (value.is_undefined()) value.as<Undefined>().Fail();
  if (value.is_integer()) {
    if (value.integer() == kIntMin) IntOverflow();
    return Value::Integer(-value.integer());
  }
  if (value.is(Kind::kFloat)) return Value::Float(-value.floating());
  Raise(ErrorKind::kType, "bad operand type for unary -: '{}'", TypeName(value));
}

Value Plus(const Value& value) {
  if (value.is_undefined()) value.as<Undefined>().Fail();
  if (value.is_integer()) return Value::Integer(value.integer());
  if (value.is(Kind::kFloat)) return value;
  Raise(ErrorKind::kType, "bad operand type for unary +: '{}'", TypeName(value));
}

}  // namespace fathom::jinja
