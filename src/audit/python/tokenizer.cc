#include "audit/python/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace fathom {
namespace {

constexpr size_t kMaxBrackets = 200;
constexpr size_t kMaxIndents = 100;
constexpr int kTabSize = 8;

bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsNameByte(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

}  // namespace

bool IsPythonKeyword(std::string_view word) {
  static constexpr std::array<std::string_view, 35> kKeywords = {
      "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
      "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
      "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
      "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};
  return std::binary_search(kKeywords.begin(), kKeywords.end(), word);
}

// The line on which a byte stands; what follows the last line still belongs to it, as in CPython.
int PythonTokenizer::Line(size_t position) {
  if (position < line_position_) {  // an error may look back by a line or two
    return line_ - static_cast<int>(
                       std::count(text_.begin() + static_cast<ptrdiff_t>(position),
                                  text_.begin() + static_cast<ptrdiff_t>(line_position_), '\n'));
  }
  const size_t end = std::min(position, text_.empty() ? 0 : text_.size() - 1);
  for (; line_position_ < end; ++line_position_) {
    if (text_[line_position_] == '\n') ++line_;
  }
  return line_;
}

PythonToken PythonTokenizer::Make(TokenKind kind, size_t begin, size_t end) {
  has_token_ = true;
  return {.kind = kind,
          .level = static_cast<uint8_t>(brackets_.size()),
          .begin = static_cast<uint32_t>(begin),
          .end = static_cast<uint32_t>(end),
          .line = Line(begin)};
}

PythonToken PythonTokenizer::Fail(int line, std::string reason, bool overrides) {
  failed_ = true;
  problem_ = {.line = line, .reason = std::move(reason), .overrides = overrides};
  return {.kind = TokenKind::kError,
          .level = static_cast<uint8_t>(brackets_.size()),
          .begin = static_cast<uint32_t>(at_),
          .end = static_cast<uint32_t>(at_),
          .line = line};
}

// A backslash stands at at_: it must end its line, and a line must follow.
bool PythonTokenizer::SkipContinuation() {
  if (At(at_ + 1) != '\n') {
    Fail(Line(at_), "unexpected character after line continuation character", false);
    return false;
  }
  at_ += 2;
  if (at_ < text_.size()) return true;
  Fail(Line(at_), "unexpected end of the text after a backslash", false);
  problem_.end_of_text = true;
  return false;
}

// Measures the space before a line's first character. A blank line and one with a comment alone do
// not count. False: see problem().
bool PythonTokenizer::ReadIndentation() {
  int column = 0;
  int alternative = 0;
  int continued = 0;  // the column of the first line of several joined by backslashes
  for (;;) {
    const int c = At(at_);
    if (c == ' ') {
      ++column;
      ++alternative;
    } else if (c == '\t') {
      column = (column / kTabSize + 1) * kTabSize;
      ++alternative;
    } else if (c == '\f') {
      column = alternative = 0;
    } else if (c == '\\') {
      if (continued == 0) continued = column;
      if (!SkipContinuation()) return false;
      continue;
    } else {
      break;
    }
    ++at_;
  }
  const int c = At(at_);
  if (c == '#' || c == '\n') return true;
  if (c == -1) {
    column = alternative = 0;
    continued = 0;
  }
  return ApplyIndentation(continued != 0 ? continued : column,
                          continued != 0 ? continued : alternative);
}

bool PythonTokenizer::ApplyIndentation(int column, int alternative) {
  const auto mixed = [this] {
    Fail(Line(at_), "inconsistent use of tabs and spaces in indentation", false);
    return false;
  };
  const Indent top = indents_.back();
  if (column == top.column) return alternative == top.alternative ? true : mixed();
  if (column > top.column) {
    if (indents_.size() >= kMaxIndents) {
      Fail(Line(at_), "too many levels of indentation", false);
      return false;
    }
    if (alternative <= top.alternative) return mixed();
    indents_.push_back({column, alternative});
    ++pending_;
    return true;
  }
  while (column < indents_.back().column) {
    indents_.pop_back();
    --pending_;
  }
  if (column != indents_.back().column) {
    Fail(Line(at_), "unindent does not match any outer indentation level", false);
    return false;
  }
  return alternative == indents_.back().alternative ? true : mixed();
}

// Space, comments and joined lines between tokens. False: see problem().
bool PythonTokenizer::SkipSpace() {
  for (;;) {
    const int c = At(at_);
    if (c == ' ' || c == '\t' || c == '\f') {
      ++at_;
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '\\') {
      if (!SkipContinuation()) return false;
    } else if (c == '\n' && (!brackets_.empty() || !has_token_)) {
      ++at_;
      if (brackets_.empty()) {
        line_start_ = true;
        return true;
      }
    } else {
      return true;
    }
  }
}

PythonToken PythonTokenizer::Next() {
  if (failed_) return Fail(problem_.line, problem_.reason, problem_.overrides);
  for (;;) {
    if (line_start_ && brackets_.empty()) {
      line_start_ = false;
      has_token_ = false;
      if (!ReadIndentation()) return {.line = problem_.line};
    }
    if (pending_ != 0) {
      const TokenKind kind = pending_ > 0 ? TokenKind::kIndent : TokenKind::kDedent;
      pending_ += pending_ > 0 ? -1 : 1;
      return Make(kind, at_, at_);
    }
    if (!SkipSpace()) return {.line = problem_.line};
    if (!line_start_) break;
  }
  const int c = At(at_);
  if (c == -1) {
    if (!brackets_.empty()) {
      Fail(Line(at_), "the text ends inside brackets", false);
      problem_.end_of_text = true;
      return {.line = problem_.line};
    }
    return Make(TokenKind::kEnd, at_, at_);
  }
  if (c == '\n') {
    line_start_ = true;
    ++at_;
    return Make(TokenKind::kNewline, at_ - 1, at_);
  }
  if (IsNameByte(c)) return ReadWord();
  if (IsDigit(c) || (c == '.' && IsDigit(At(at_ + 1)))) return ReadNumber();
  if (c == '"' || c == '\'') return ReadString(at_);
  return ReadOperator();
}

// A name, a keyword or the prefix of a string.
PythonToken PythonTokenizer::ReadWord() {
  const size_t begin = at_;
  bool b = false, u = false, r = false, f = false;
  for (int c = At(at_);; c = At(at_)) {
    const int lower = c | 0x20;
    if (c < 'A' || c > 'z') break;
    if (lower == 'b' && !b && !u && !f) {
      b = true;
    } else if (lower == 'u' && !b && !u && !r && !f) {
      u = true;
    } else if (lower == 'r' && !r && !u) {
      r = true;
    } else if (lower == 'f' && !f && !b && !u) {
      f = true;
    } else {
      break;
    }
    ++at_;
    if (At(at_) == '"' || At(at_) == '\'') return ReadString(begin);
  }
  bool ascii = true;
  while (IsNameByte(At(at_)) || IsDigit(At(at_))) {
    ascii &= At(at_) < 0x80;
    ++at_;
  }
  if (!ascii) return CheckName(begin, at_);
  const bool keyword = IsPythonKeyword(text_.substr(begin, at_ - begin));
  return Make(keyword ? TokenKind::kKeyword : TokenKind::kName, begin, at_);
}

PythonToken PythonTokenizer::CheckName(size_t begin, size_t end) {
  for (size_t i = begin; i < end;) {
    const DecodedCodePoint point = DecodeUtf8(text_, i);
    if (!point.valid) return FailHere("a name holds bytes that are no UTF-8");
    const bool good =
        i == begin ? IsIdentifierStart(point.code_point) : IsIdentifierContinue(point.code_point);
    if (!good) {
      return FailHere(
          fmt::format("invalid character (U+{:04X})", static_cast<uint32_t>(point.code_point)));
    }
    i += static_cast<size_t>(point.size_bytes);
  }
  return Make(TokenKind::kName, begin, end);
}

// at_ stands at the opening quote; `begin` at the prefix.
PythonToken PythonTokenizer::ReadString(size_t begin) {
  const int quote = At(at_);
  const int line = Line(begin);
  const bool triple = At(at_ + 1) == quote && At(at_ + 2) == quote;
  at_ += triple ? 3 : 1;
  for (;;) {
    const int c = At(at_);
    if (c == -1 || (c == '\n' && !triple)) {
      return Fail(line,
                  fmt::format("unterminated {}string literal (detected at line {})",
                              triple ? "triple-quoted " : "", Line(at_)),
                  true);
    }
    if (c == quote && (!triple || (At(at_ + 1) == quote && At(at_ + 2) == quote))) break;
    // What follows a backslash is taken with it, be it the end of the text.
    at_ += c == '\\' && at_ + 1 < text_.size() ? 2 : 1;
  }
  at_ += triple ? 3 : 1;
  PythonToken token = Make(TokenKind::kString, begin, at_);
  token.line = line;
  return token;
}

bool PythonTokenizer::NumberError(std::string reason) {
  Fail(Line(at_), std::move(reason), true);
  return false;
}

// A number may be followed at once by a keyword that can follow it, but by no other letter.
bool PythonTokenizer::EndNumber(std::string_view kind) {
  const int c = At(at_);
  for (std::string_view word : {"and", "else", "for", "if", "in", "is", "not", "or"}) {
    if (text_.substr(at_, word.size()) != word) continue;
    const int after = At(at_ + word.size());
    if (word[0] == 'i' || !(IsNameByte(after) || IsDigit(after))) return true;
  }
  if (c >= 0x80 || (!IsNameByte(c) && !IsDigit(c))) return true;
  return NumberError(fmt::format("invalid {} literal", kind));
}

bool PythonTokenizer::ReadDigits() {
  for (;;) {
    while (IsDigit(At(at_))) ++at_;
    if (At(at_) != '_') return true;
    ++at_;
    if (!IsDigit(At(at_))) return NumberError("invalid decimal literal");
  }
}

// After "0x", "0o" or "0b".
bool PythonTokenizer::ReadPrefixed(std::string_view digits, std::string_view kind) {
  const auto holds = [&](int c) {
    return c != -1 && digits.find(static_cast<char>(c | (c >= 'A' && c <= 'F' ? 0x20 : 0))) !=
                          std::string_view::npos;
  };
  at_ += 2;
  do {
    if (At(at_) == '_') ++at_;
    if (!holds(At(at_))) {
      if (IsDigit(At(at_))) {
        return NumberError(
            fmt::format("invalid digit '{}' in {} literal", static_cast<char>(At(at_)), kind));
      }
      return NumberError(fmt::format("invalid {} literal", kind));
    }
    while (holds(At(at_))) ++at_;
    if (IsDigit(At(at_))) {
      return NumberError(
          fmt::format("invalid digit '{}' in {} literal", static_cast<char>(At(at_)), kind));
    }
  } while (At(at_) == '_');
  return EndNumber(kind);
}

// Point, exponent and imaginary unit, where they are there.
bool PythonTokenizer::ReadFraction() {
  if (At(at_) == '.') {
    ++at_;
    if (IsDigit(At(at_)) && !ReadDigits()) return false;
  }
  if (At(at_) == 'e' || At(at_) == 'E') {
    const size_t sign = At(at_ + 1) == '+' || At(at_ + 1) == '-' ? 1 : 0;
    if (!IsDigit(At(at_ + 1 + sign))) {
      if (sign == 0) return EndNumber("decimal");
      return NumberError("invalid decimal literal");
    }
    at_ += 1 + sign;
    if (!ReadDigits()) return false;
  }
  if (At(at_) == 'j' || At(at_) == 'J') {
    ++at_;
    return EndNumber("imaginary");
  }
  return EndNumber("decimal");
}

// A decimal that begins with 0: only zeros, unless a point, an exponent or a j follows.
bool PythonTokenizer::ReadLeadingZero(bool* done) {
  const size_t begin = at_;
  if (!ReadDigits()) return false;
  const bool nonzero =
      text_.substr(begin, at_ - begin).find_first_not_of("0_") != std::string_view::npos;
  const int c = At(at_);
  if (c == '.' || c == 'e' || c == 'E' || c == 'j' || c == 'J') return true;
  *done = true;
  if (nonzero) {
    return NumberError("leading zeros in decimal integer literals are not permitted");
  }
  return EndNumber("decimal");
}

PythonToken PythonTokenizer::ReadNumber() {
  const size_t begin = at_;
  bool good = true;
  bool done = false;
  if (At(at_) == '0') {
    switch (At(at_ + 1) | 0x20) {
      case 'x':
        good = ReadPrefixed("0123456789abcdef", "hexadecimal");
        done = true;
        break;
      case 'o':
        good = ReadPrefixed("01234567", "octal");
        done = true;
        break;
      case 'b':
        good = ReadPrefixed("01", "binary");
        done = true;
        break;
      default:
        good = ReadLeadingZero(&done);
    }
  } else if (At(at_) != '.') {
    good = ReadDigits();
  }
  if (good && !done) good = ReadFraction();
  if (!good) return {.line = problem_.line};
  return Make(TokenKind::kNumber, begin, at_);
}

PythonToken PythonTokenizer::ReadBracket(char c) {
  if (c == '(' || c == '[' || c == '{') {
    if (brackets_.size() >= kMaxBrackets) return FailHere("too many nested parentheses");
    brackets_.push_back({c, Line(at_)});
  } else {
    if (brackets_.empty()) return FailHere(fmt::format("unmatched '{}'", c));
    const Bracket open = brackets_.back();
    brackets_.pop_back();
    if (c != (open.open == '(' ? ')' : open.open == '[' ? ']' : '}')) {
      return FailHere(fmt::format(
          "closing parenthesis '{}' does not match opening parenthesis '{}'{}", c, open.open,
          open.line == Line(at_) ? "" : fmt::format(" on line {}", open.line)));
    }
  }
  ++at_;
  return Make(TokenKind::kOp, at_ - 1, at_);
}

PythonToken PythonTokenizer::ReadOperator() {
  static constexpr std::array<std::string_view, 28> kLong = {
      "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==", "!=", "<>",
      "->",  "+=",  "-=",  "*=",  "/=",  "%=", "&=", "|=", "^=", "@=", ":=", "=",  "<",  ">"};
  const char c = static_cast<char>(At(at_));
  if (c == '(' || c == '[' || c == '{' || c == ')' || c == ']' || c == '}') return ReadBracket(c);
  if (c < ' ' || c == 0x7F) {
    return FailHere(fmt::format("invalid non-printable character U+{:04X}", static_cast<int>(c)));
  }
  size_t size = 1;
  for (std::string_view op : kLong) {
    if (text_.substr(at_, op.size()) == op) {
      size = op.size();
      break;
    }
  }
  at_ += size;
  return Make(TokenKind::kOp, at_ - size, at_);
}

}  // namespace fathom
