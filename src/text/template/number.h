// Numbers as Python reads, writes and computes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/template/value.h"

namespace fathom::jinja {

std::string IntText(Int value);
// In `base` 2, 8, 10 or 16, no prefix.
std::string IntText(Int value, int base);
std::string FloatRepr(double value);  // repr(float): shortest text that reads back as the same

// int(text, base) and float(text): nothing where Python raises ValueError; kOverflow beyond Int.
std::optional<Int> ParseInt(TextView text, int base);
std::optional<double> ParseFloat(TextView text);

// int(float): kValue for NaN, kOverflow for infinity or beyond Int.
Int TruncateToInt(double value);
double ToDouble(const Value& number);  // a kBool, kInt or kFloat

int CompareIntFloat(Int a, double b);  // exact; b is not NaN

// round(value, digits): half to even of the exact value.
double RoundFloat(double value, int64_t digits);
Int RoundInt(Int value, int64_t digits);

// The arithmetic operators of Jinja on any values ("+", "-", "*", "/", "//", "%", "**").
Value Add(const Value& a, const Value& b);
Value Subtract(const Value& a, const Value& b);
Value Multiply(const Value& a, const Value& b);
Value Divide(const Value& a, const Value& b);
Value FloorDivide(const Value& a, const Value& b);
Value Modulo(const Value& a, const Value& b);
Value Power(const Value& a, const Value& b);
Value Negate(const Value& value);
Value Plus(const Value& value);

}  // namespace fathom::jinja
