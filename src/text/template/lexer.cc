#include "text/template/lexer.h"

#include <algorithm>

#include "text/template/number.h"
#include "text/template/string_literal.h"

namespace fathom::jinja {
namespace {

constexpr size_t kNone = Text::npos;

struct OperatorToken {
  TextView text;
  TokenType type;
};
// The longer ones first.
constexpr OperatorToken kOperators[] = {
    {U"//", TokenType::kFloorDiv},   {U"**", TokenType::kPow},
    {U"==", TokenType::kEq},         {U"!=", TokenType::kNe},
    {U">=", TokenType::kGe},         {U"<=", TokenType::kLe},
    {U"+", TokenType::kAdd},         {U"-", TokenType::kSub},
    {U"/", TokenType::kDiv},         {U"*", TokenType::kMul},
    {U"%", TokenType::kMod},         {U"~", TokenType::kTilde},
    {U"[", TokenType::kLeftBracket}, {U"]", TokenType::kRightBracket},
    {U"(", TokenType::kLeftParen},   {U")", TokenType::kRightParen},
    {U"{", TokenType::kLeftBrace},   {U"}", TokenType::kRightBrace},
    {U">", TokenType::kGt},          {U"<", TokenType::kLt},
    {U"=", TokenType::kAssign},      {U".", TokenType::kDot},
    {U":", TokenType::kColon},       {U"|", TokenType::kPipe},
    {U",", TokenType::kComma},       {U";", TokenType::kSemicolon},
};

// \r\n and \r become \n; one newline at the very end is dropped (keep_trailing_newline is off).
Text NormalizeNewlines(TextView source) {
  Text out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += U'\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool IsAsciiDigit(char32_t c) { return c >= '0' && c <= '9'; }

// The end of \d+(_\d+)* from `at`, or `at` where no digit stands there. `digits` says which count.
template <typename IsDigit>
size_t DigitsEnd(TextView text, size_t at, IsDigit is_digit) {
  size_t end = at;
  while (end < text.size()) {
    if (is_digit(text[end])) {
      ++end;
    } else if (text[end] == '_' && end > at && end + 1 < text.size() && is_digit(text[end + 1])) {
      end += 2;
    } else {
      break;
    }
  }
  return end;
}

Text WithoutUnderscores(TextView text) {
  Text out(text);
  out.erase(std::remove(out.begin(), out.end(), U'_'), out.end());
  return out;
}

}  // namespace

std::string Describe(const Token& token) {
  switch (token.type) {
    case TokenType::kName:
      return ToUtf8(token.text);
    case TokenType::kData:
      return "template data / text";
    case TokenType::kVariableBegin:
      return "begin of print statement";
    case TokenType::kVariableEnd:
      return "end of print statement";
    case TokenType::kBlockBegin:
      return "begin of statement block";
    case TokenType::kBlockEnd:
      return "end of statement block";
    case TokenType::kString:
      return "string";
    case TokenType::kInteger:
      return "integer";
    case TokenType::kFloat:
      return "float";
    case TokenType::kEnd:
      return "end of template";
    default:
      break;
  }
  for (const OperatorToken& op : kOperators) {
    if (op.type == token.type) return ToUtf8(op.text);
  }
  return "";
}

Lexer::Lexer(TextView source) : source_(NormalizeNewlines(source)) {}

void Lexer::Fail(std::string message) const {
  throw Error{ErrorKind::kSyntax, std::move(message), line_};
}

bool Lexer::StartsWith(TextView text, size_t at) const {
  return TextView(source_).substr(std::min(at, source_.size()), text.size()) == text;
}

size_t Lexer::SkipSpace(size_t at) const {
  while (at < source_.size() && IsSpace(source_[at])) ++at;
  return at;
}

void Lexer::Emit(TokenType type, TextView text) {
  Token token;
  token.type = type;
  token.line = line_;
  token.text = Text(text);
  pending_.push_back(std::move(token));
}

void Lexer::Advance(size_t to) {
  line_ += static_cast<int>(std::count(source_.begin() + at_, source_.begin() + to, U'\n'));
  if (to > at_) line_starting_ = source_[to - 1] == '\n';
  at_ = to;
}

Token Lexer::Next() {
  while (pending_.empty()) {
    if (at_ >= source_.size()) {
      Token end;
      end.line = line_;
      return end;
    }
    switch (state_) {
      case State::kRoot:
        ReadRoot();
        break;
      case State::kComment:
        ReadComment();
        break;
      case State::kRaw:
        ReadRaw();
        break;
      default:
        ReadTag();
        break;
    }
  }
  Token token = std::move(pending_.front());
  pending_.pop_front();
  return token;
}

size_t Lexer::MatchRawBegin(size_t at) const {
  at += 2;
  if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
  at = SkipSpace(at);
  if (!StartsWith(U"raw", at)) return kNone;
  at = SkipSpace(at + 3);
  if (StartsWith(U"-%}", at)) return SkipSpace(at + 3);
  return StartsWith(U"%}", at) ? at + 2 : kNone;
}

size_t Lexer::MatchRawEnd(size_t at, char32_t& sign) const {
  at += 2;
  sign = 0;
  if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) sign = source_[at++];
  at = SkipSpace(at);
  if (!StartsWith(U"endraw", at)) return kNone;
  at = SkipSpace(at + 6);
  if (StartsWith(U"+%}", at)) return at + 3;
  if (StartsWith(U"-%}", at)) return SkipSpace(at + 3);
  if (!StartsWith(U"%}", at)) return kNone;
  return StartsWith(U"\n", at + 2) ? at + 3 : at + 2;
}

TextView Lexer::TrimBefore(TextView text, char32_t sign, bool variable) const {
  if (sign == '-') {
    while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
    return text;
  }
  if (sign == '+' || variable) return text;
  const size_t newline = text.rfind(U'\n');
  const size_t line = newline == kNone ? 0 : newline + 1;
  if (line == 0 && !line_starting_) return text;
  const bool blank = line < text.size() && std::all_of(text.begin() + line, text.end(), IsSpace);
  return blank ? text.substr(0, line) : text;
}

void Lexer::ReadRoot() {
  size_t tag = at_;
  for (;; ++tag) {
    tag = source_.find(U'{', tag);
    if (tag == kNone || tag + 1 >= source_.size()) {
      Emit(TokenType::kData, TextView(source_).substr(at_));
      Advance(source_.size());
      return;
    }
    const char32_t next = source_[tag + 1];
    if (next == '%' || next == '{' || next == '#') break;
  }
  const bool variable = source_[tag + 1] == '{';
  const size_t raw_end = source_[tag + 1] == '%' ? MatchRawBegin(tag) : kNone;
  size_t end = tag + 2;
  char32_t sign = 0;
  if (end < source_.size() && (source_[end] == '-' || source_[end] == '+')) sign = source_[end++];
  const TextView before = TrimBefore(TextView(source_).substr(at_, tag - at_), sign, variable);
  if (!before.empty()) Emit(TokenType::kData, before);
  Advance(tag);
  if (raw_end != kNone) {
    state_ = State::kRaw;
    Advance(raw_end);
    return;
  }
  if (variable) {
    state_ = State::kVariable;
    Emit(TokenType::kVariableBegin);
  } else if (source_[tag + 1] == '%') {
    state_ = State::kBlock;
    Emit(TokenType::kBlockBegin);
  } else {
    state_ = State::kComment;
  }
  Advance(end);
}

void Lexer::ReadComment() {
  const size_t close = source_.find(U"#}", at_);
  if (close == kNone) Fail("Missing end of comment tag");
  size_t end = close + 2;
  const char32_t sign = close > at_ ? source_[close - 1] : 0;
  if (sign == '-') {
    end = SkipSpace(end);
  } else if (sign != '+' && StartsWith(U"\n", end)) {
    ++end;
  }
  Advance(end);
  state_ = State::kRoot;
}

void Lexer::ReadRaw() {
  char32_t sign = 0;
  for (size_t tag = source_.find(U"{%", at_); tag != kNone; tag = source_.find(U"{%", tag + 1)) {
    const size_t end = MatchRawEnd(tag, sign);
    if (end == kNone) continue;
    const TextView text = TrimBefore(TextView(source_).substr(at_, tag - at_), sign, false);
    if (!text.empty()) Emit(TokenType::kData, text);
    Advance(end);
    state_ = State::kRoot;
    return;
  }
  Fail("Missing end of raw directive");
}

void Lexer::ReadTag() {
  if (brackets_.empty() && ReadTagEnd()) return;
  const size_t after_space = SkipSpace(at_);
  if (after_space != at_) return Advance(after_space);
  if (ReadFloat() || ReadNumber() || ReadName() || ReadString() || ReadOperator()) return;
  Fail("unexpected char '" + ToUtf8(TextView(source_).substr(at_, 1)) + "'");
}

bool Lexer::ReadTagEnd() {
  const bool block = state_ == State::kBlock;
  const TextView close = block ? U"%}" : U"}}";
  size_t end = at_;
  if (source_[at_] == '-' && StartsWith(close, at_ + 1)) {
    end = SkipSpace(at_ + 3);
  } else if (block && source_[at_] == '+' && StartsWith(close, at_ + 1)) {
    end = at_ + 3;
  } else if (StartsWith(close, at_)) {
    end = at_ + 2;
    if (block && StartsWith(U"\n", end)) ++end;
  } else {
    return false;
  }
  Emit(block ? TokenType::kBlockEnd : TokenType::kVariableEnd);
  Advance(end);
  state_ = State::kRoot;
  return true;
}

bool Lexer::ReadFloat() {
  if (at_ > 0 && source_[at_ - 1] == '.') return false;
  const TextView text = source_;
  size_t end = DigitsEnd(text, at_, IsAsciiDigit);
  if (end == at_) return false;
  bool floating = false;
  if (end < text.size() && text[end] == '.') {
    const size_t fraction = DigitsEnd(text, end + 1, IsAsciiDigit);
    if (fraction != end + 1) {
      floating = true;
      end = fraction;
    }
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t exponent = end + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    const size_t exponent_end = DigitsEnd(text, exponent, IsAsciiDigit);
    if (exponent_end != exponent) {
      floating = true;
      end = exponent_end;
    }
  }
  if (!floating) return false;
  Emit(TokenType::kFloat);
  pending_.back().floating = *ParseFloat(WithoutUnderscores(text.substr(at_, end - at_)));
  Advance(end);
  return true;
}

bool Lexer::ReadNumber() {
  const TextView text = source_;
  if (!IsAsciiDigit(text[at_])) return false;
  size_t end = at_ + 1;
  int base = 10;
  if (text[at_] == '0' && end < text.size()) {
    // 0x_1f: an underscore may stand after the prefix too.
    const auto prefixed = [&](char32_t letter, int of_base, auto is_digit) {
      if ((text[end] | 0x20) != letter) return false;
      size_t first = end + 1;
      if (first < text.size() && text[first] == '_') ++first;
      const size_t last = DigitsEnd(text, first, is_digit);
      if (last == first) return false;
      base = of_base;
      end = last;
      return true;
    };
    const bool found = prefixed('b', 2, [](char32_t c) { return c == '0' || c == '1'; }) ||
                       prefixed('o', 8, [](char32_t c) { return c >= '0' && c <= '7'; }) ||
                       prefixed('x', 16, [](char32_t c) {
                         return IsAsciiDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
                       });
    if (!found) end = DigitsEnd(text, at_, [](char32_t c) { return c == '0'; });
  } else {
    end = DigitsEnd(text, at_, IsAsciiDigit);
  }
  Emit(TokenType::kInteger);
  const auto value = ParseInt(WithoutUnderscores(text.substr(at_, end - at_)), base);
  pending_.back().integer = value.value_or(0);
  Advance(end);
  return true;
}

bool Lexer::ReadName() {
  size_t end = at_;
  while (end < source_.size()) {
    const char32_t c = source_[end];
    if (!(IsAlnum(c) || c == '_' || (c >= 0x80 && Contains(kIdentifierPart, c)))) break;
    ++end;
  }
  if (end == at_) return false;
  const TextView name = TextView(source_).substr(at_, end - at_);
  if (!IsIdentifier(name)) Fail("Invalid character in identifier");
  Emit(TokenType::kName, name);
  Advance(end);
  return true;
}

bool Lexer::ReadString() {
  const char32_t quote = source_[at_];
  if (quote != '\'' && quote != '"') return false;
  size_t end = at_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) return false;
  std::string problem;
  const TextView inner = TextView(source_).substr(at_ + 1, end - at_ - 1);
  Emit(TokenType::kString);
  pending_.back().text = UnescapeStringLiteral(inner, problem);
  if (!problem.empty()) Fail(problem);
  Advance(end + 1);
  return true;
}

bool Lexer::ReadOperator() {
  for (const OperatorToken& op : kOperators) {
    if (!StartsWith(op.text, at_)) continue;
    const char32_t c = op.text[0];
    if (c == '(' || c == '[' || c == '{') {
      brackets_.push_back(c == '(' ? U')' : c == '[' ? U']' : U'}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty()) Fail(fmt::format("unexpected '{}'", static_cast<char>(c)));
      if (brackets_.back() != c) {
        Fail(fmt::format("unexpected '{}', expected '{}'", static_cast<char>(c),
                         static_cast<char>(brackets_.back())));
      }
      brackets_.pop_back();
    }
    Emit(op.type);
    Advance(at_ + op.text.size());
    return true;
  }
  return false;
}

}  // namespace fathom::jinja
