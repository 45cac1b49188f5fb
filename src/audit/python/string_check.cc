#include "audit/python/string_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "audit/python/syntax_parser.h"
#include "base/utf8.h"

namespace fathom {
namespace {

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "" or what is wrong with the escapes of a piece of text (\x, \u, \U, \N) or of bytes (\x).
std::string CheckEscapes(std::string_view piece, bool bytes) {
  for (size_t i = 0; i + 1 < piece.size(); ++i) {
    if (piece[i] != '\\') continue;
    const char c = piece[++i];
    size_t digits = c == 'x' ? 2 : 0;
    if (!bytes) digits = c == 'u' ? 4 : c == 'U' ? 8 : digits;
    if (digits > 0) {
      size_t found = 0;
      while (found < digits && i + 1 + found < piece.size() && IsHex(piece[i + 1 + found])) ++found;
      if (found < digits) return fmt::format("truncated \\{} escape", c);
      const std::string value(piece.substr(i + 1, digits));
      if (digits == 8 && std::stoul(value, nullptr, 16) > 0x10FFFF) {
        return "illegal Unicode character in a \\U escape";
      }
    } else if (c == 'N' && !bytes) {
      const size_t close = piece.find('}', i);
      if (i + 1 >= piece.size() || piece[i + 1] != '{' || close == std::string_view::npos ||
          close == i + 2) {
        return "malformed \\N character escape";
      }
      for (const char n : piece.substr(i + 2, close - i - 2)) {
        const bool plausible = (n >= 'A' && n <= 'Z') || (n >= 'a' && n <= 'z') ||
                               (n >= '0' && n <= '9') || n == ' ' || n == '-';
        if (!plausible) return "unknown Unicode character name in a \\N escape";
      }
      i = close;
    }
  }
  return {};
}

// The parts of an f-string, after "Formatted string literals" of the language reference (3.11).
class FormatString {
 public:
  FormatString(std::string_view body, bool raw, int line, int line_after)
      : body_(body), raw_(raw), line_(line), line_after_(line_after) {}

  std::optional<SyntaxError> Check() {
    Parts(0);
    if (!error_.has_value() && at_ < body_.size()) Fail("unexpected end of string");
    return error_;
  }

 private:
  bool AtEnd() const { return at_ >= body_.size(); }
  void Fail(std::string what) {
    if (!error_.has_value()) error_ = SyntaxError{line_after_, "f-string: " + std::move(what)};
  }

  // Text and replacement fields, up to the end or the "}" of an outer field.
  void Parts(int level) {
    while (!error_.has_value()) {
      Literal(level);
      if (error_.has_value() || AtEnd() || body_[at_] == '}') break;
      Field(level);
    }
    if (level > 0 && (AtEnd() || body_[at_] != '}')) Fail("expecting '}'");
  }

  // Text up to a brace that is not doubled.
  void Literal(int level) {
    const size_t begin = at_;
    size_t end = body_.size();
    while (at_ < body_.size()) {
      const char c = body_[at_];
      if (c == '\\' && !raw_ && at_ + 1 < body_.size()) {
        ++at_;
        if (body_[at_] == 'N' && at_ + 1 < body_.size() && body_[at_ + 1] == '{') {
          const size_t close = body_.find('}', at_);
          at_ = close == std::string_view::npos ? body_.size() : close + 1;
          continue;
        }
        if (body_[at_] != '{' && body_[at_] != '}') {
          ++at_;
          continue;
        }
      }
      const char brace = body_[at_];
      if (brace == '{' || brace == '}') {
        if (level == 0 && at_ + 1 < body_.size() && body_[at_ + 1] == brace) {
          at_ += 2;
          continue;
        }
        if (level == 0 && brace == '}') {
          Fail("single '}' is not allowed");
          return;
        }
        end = at_;
        break;
      }
      ++at_;
    }
    if (raw_) return;
    std::string wrong = CheckEscapes(body_.substr(begin, std::min(end, at_) - begin), false);
    if (!wrong.empty() && !error_.has_value()) error_ = SyntaxError{line_after_, std::move(wrong)};
  }

  // One character of the expression of a field; true where the expression ends before it.
  bool EndsExpression(std::string& open, char& quote, bool& triple) {
    const char c = body_[at_];
    if (c == '\\') {
      Fail("expression part cannot include a backslash");
      return true;
    }
    const bool three = body_.substr(at_, 3) == std::string(3, c);
    if (quote != 0) {
      if (c == quote && (!triple || three)) {
        at_ += triple ? 2 : 0;
        quote = 0;
      }
      return false;
    }
    if (c == '\'' || c == '"') {
      quote = c;
      triple = three;
      at_ += three ? 2 : 0;
    } else if (c == '[' || c == '{' || c == '(') {
      if (open.size() >= 200) Fail("too many nested parenthesis");
      open.push_back(c);
    } else if (c == '#') {
      Fail("expression part cannot include '#'");
    } else if (open.empty() &&
               (c == '!' || c == ':' || c == '}' || c == '=' || c == '<' || c == '>')) {
      const bool pair = at_ + 1 < body_.size() && body_[at_ + 1] == '=' && c != ':' && c != '}';
      if (pair) {
        ++at_;
      } else if (c != '<' && c != '>') {
        return true;
      }
    } else if (c == ']' || c == '}' || c == ')') {
      const char wanted = c == ')' ? '(' : static_cast<char>(c - 2);
      if (open.empty()) {
        Fail(fmt::format("unmatched '{}'", c));
      } else if (open.back() != wanted) {
        Fail(fmt::format("closing parenthesis '{}' does not match opening parenthesis '{}'", c,
                         open.back()));
      } else {
        open.pop_back();
      }
    }
    return error_.has_value();
  }

  // At the "{" of a replacement field.
  void Field(int level) {
    if (level >= 2) return Fail("expressions nested too deeply");
    const size_t begin = ++at_;
    std::string open;
    char quote = 0;
    bool triple = false;
    while (at_ < body_.size() && !EndsExpression(open, quote, triple)) ++at_;
    if (error_.has_value()) return;
    if (quote != 0) return Fail("unterminated string");
    if (!open.empty()) return Fail(fmt::format("unmatched '{}'", open.back()));
    if (AtEnd()) return Fail("expecting '}'");
    Expression(begin);
    if (error_.has_value()) return;
    if (body_[at_] == '=') {
      ++at_;
      while (!AtEnd() &&
             std::string_view(" \t\n\f\v\r").find(body_[at_]) != std::string_view::npos) {
        ++at_;
      }
      if (AtEnd()) return Fail("expecting '}'");
    }
    if (body_[at_] == '!') {
      if (at_ + 1 >= body_.size()) return Fail("expecting '}'");
      const char conversion = body_[at_ + 1];
      at_ += 2;
      if (conversion != 's' && conversion != 'r' && conversion != 'a') {
        return Fail("invalid conversion character");
      }
      if (AtEnd()) return Fail("expecting '}'");
    }
    if (body_[at_] == ':') {
      ++at_;
      if (AtEnd()) return Fail("expecting '}'");
      Parts(level + 1);
      if (error_.has_value()) return;
    }
    if (AtEnd() || body_[at_] != '}') return Fail("expecting '}'");
    ++at_;
  }

  // The expression from `begin` to at_.
  void Expression(size_t begin) {
    const std::string_view text = body_.substr(begin, at_ - begin);
    if (text.find_first_not_of(" \t\n\f\r") == std::string_view::npos) {
      const char c = body_[at_];
      return Fail(c == '!' || c == ':' || c == '='
                      ? fmt::format("expression required before '{}'", c)
                      : "empty expression not allowed");
    }
    const std::string source = "(" + std::string(text) + ")\n";
    for (; counted_ < begin; ++counted_) lines_before_ += body_[counted_] == '\n' ? 1 : 0;
    SyntaxParser parser(source, line_ + lines_before_);
    auto error = parser.CheckFormatExpression();
    if (error.has_value()) error_ = SyntaxError{error->line, "f-string: " + error->reason};
  }

  std::string_view body_;
  bool raw_;
  int line_;
  int line_after_;
  size_t at_ = 0;
  size_t counted_ = 0;  // up to here lines_before_ has been counted
  int lines_before_ = 0;
  std::optional<SyntaxError> error_;
};

}  // namespace

StringPrefix ReadStringPrefix(std::string_view literal) {
  StringPrefix prefix;
  for (; prefix.size < literal.size(); ++prefix.size) {
    const char c = static_cast<char>(literal[prefix.size] | 0x20);
    if (c != 'r' && c != 'b' && c != 'f' && c != 'u') break;
    prefix.raw |= c == 'r';
    prefix.bytes |= c == 'b';
    prefix.format |= c == 'f';
  }
  return prefix;
}

std::optional<SyntaxError> CheckString(std::string_view literal, int line, int line_after) {
  const StringPrefix prefix = ReadStringPrefix(literal);
  std::string_view body = literal.substr(prefix.size);
  const bool triple = body.size() >= 6 && body[0] == body[1] && body[1] == body[2];
  const size_t quotes = triple ? 3 : 1;
  body = body.substr(quotes, body.size() - 2 * quotes);
  if (prefix.bytes) {
    for (const char c : body) {
      if (static_cast<unsigned char>(c) >= 0x80) {
        return SyntaxError{line, "bytes can only contain ASCII literal characters"};
      }
    }
  } else if (!IsValidUtf8(body)) {
    return SyntaxError{line_after, "a string holds bytes that are no UTF-8"};
  }
  if (prefix.format) return FormatString(body, prefix.raw, line, line_after).Check();
  if (prefix.raw) return std::nullopt;
  std::string wrong = CheckEscapes(body, prefix.bytes);
  if (wrong.empty()) return std::nullopt;
  return SyntaxError{line_after, std::move(wrong)};
}

}  // namespace fathom
