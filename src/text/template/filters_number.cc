// Filters that make numbers, or text of them.
#include <cmath>
#include <cstdlib>

#include "text/template/arguments.h"
#include "text/template/filters.h"
#include "text/template/number.h"

namespace fathom::jinja {
namespace {

Value AbsFilter(Interpreter&, const Value& input, Arguments& arguments) {
  BindPositional("abs", arguments, 0, 0);
  if (input.is_integer()) return input.integer() < 0 ? Negate(input) : Plus(input);
  if (input.is(Kind::kFloat)) return Value::Float(std::fabs(input.floating()));
  Raise(ErrorKind::kType, "bad operand type for abs(): '{}'", TypeName(input));
}

// float(value): nothing where Python raises TypeError or ValueError.
std::optional<double> ToFloat(const Value& value) {
  if (value.is_undefined()) value.as<Undefined>().Fail();
  if (value.is_number()) return ToDouble(value);
  if (value.is_string()) return ParseFloat(value.string().view());
  return std::nullopt;
}

Value IntFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("int", arguments, {"default", "base"});
  const Value fallback = ValueOr(bound[0], Value::Integer(0));
  if (input.is_undefined()) input.as<Undefined>().Fail();
  if (input.is_integer()) return Plus(input);
  if (input.is(Kind::kFloat)) {
    return std::isnan(input.floating()) ? fallback
                                        : Value::Integer(TruncateToInt(input.floating()));
  }
  if (input.is_string()) {
    const bool good_base = bound[1].is_missing() || bound[1].is_integer();
    const int64_t base = bound[1].is_missing() ? 10
                         : good_base           ? RequireIndex(bound[1], "base")
                                               : -1;
    if (base == 0 || (base >= 2 && base <= 36)) {
      const auto value = ParseInt(input.string().view(), static_cast<int>(base));
      if (value) return Value::Integer(*value);
    }
  }
  // "42.23"|int is 42.
  const auto floating = ToFloat(input);
  if (!floating || !std::isfinite(*floating)) return fallback;
  return Value::Integer(TruncateToInt(*floating));
}

Value FloatFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("float", arguments, {"default"});
  const auto value = ToFloat(input);
  return value ? Value::Float(*value) : ValueOr(bound[0], Value::Float(0));
}

Value RoundFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("round", arguments, {"precision", "method"});
  const Value precision = ValueOr(bound[0], Value::Integer(0));
  Text method = U"common";
  if (!bound[1].is_missing()) {
    Hash(bound[1]);
    method = bound[1].is_string() ? bound[1].string().text : U"";
  }
  if (method != U"common" && method != U"ceil" && method != U"floor") {
    Raise(ErrorKind::kRuntime, "method must be common, ceil or floor");
  }
  if (!input.is_number()) {
    if (input.is_undefined() && method != U"common") input.as<Undefined>().Fail();
    Raise(ErrorKind::kType, "type {} doesn't define __round__ method", TypeName(input));
  }
  if (method == U"common") {
    const bool whole = precision.is_none();
    const int64_t digits = whole ? 0 : RequireIndex(precision, "precision");
    if (input.is_integer()) return Value::Integer(RoundInt(input.integer(), digits));
    const double rounded = RoundFloat(input.floating(), digits);
    return whole ? Value::Integer(TruncateToInt(rounded)) : Value::Float(rounded);
  }
  const Value unit = Power(Value::Integer(10), precision);
  const Value scaled = Multiply(input, unit);
  if (scaled.is_integer()) return Divide(scaled, unit);
  const double whole =
      method == U"ceil" ? std::ceil(scaled.floating()) : std::floor(scaled.floating());
  return Divide(Value::Integer(TruncateToInt(whole)), unit);
}

Value FileSizeFilter(Interpreter&, const Value& input, Arguments& arguments) {
  const Values bound = Bind("filesizeformat", arguments, {"binary"});
  const bool binary = !bound[0].is_missing() && Truth(bound[0]);
  const auto size = ToFloat(input);
  if (!size) {
    Raise(input.is_string() ? ErrorKind::kValue : ErrorKind::kType,
          "could not convert to float: {}", DescribeForError(input));
  }
  const double base = binary ? 1024 : 1000;
  if (*size == 1) return NewAscii("1 Byte");
  if (*size < base) return NewAscii(IntText(TruncateToInt(*size)) + " Bytes");
  static constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base * base;
  for (size_t i = 0;; ++i, unit *= base) {
    if (*size < unit || i + 1 == kPrefixes.size()) {
      const char prefix = i == 0 && binary ? 'K' : kPrefixes[i];
      return NewAscii(fmt::format("{:.1f} {}{}", base * *size / unit, prefix, binary ? "iB" : "B"));
    }
  }
}

constexpr FilterEntry kFilters[] = {
    {"abs", AbsFilter},     {"filesizeformat", FileSizeFilter},
    {"float", FloatFilter}, {"int", IntFilter},
    {"round", RoundFilter},
};

}  // namespace

FilterTable NumberFilters() { return {kFilters, std::size(kFilters)}; }

}  // namespace fathom::jinja
