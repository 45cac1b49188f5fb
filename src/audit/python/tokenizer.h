// The tokens of a Python text, with everything that Python's own tokenizer refuses.
//
// After the chapter "Lexical analysis" of the Python 3.11 language reference; the limits (200 open
// brackets, 100 levels of indentation) and the lines of errors are CPython's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class TokenKind : uint8_t {
  kName,
  kKeyword,
  kNumber,
  kString,
  kOp,
  kNewline,
  kIndent,
  kDedent,
  kEnd,
  kError,  // see PythonTokenizer::problem()
};

struct PythonToken {
  TokenKind kind = TokenKind::kError;
  uint8_t level = 0;   // brackets open after it
  uint32_t begin = 0;  // bytes of the text
  uint32_t end = 0;
  int line = 0;  // from 1; of a string, its first
};

// Why there is no further token.
struct TokenProblem {
  int line = 0;
  std::string reason;
  // The text ended inside brackets: the parser may have more to say.
  bool end_of_text = false;
  // One that CPython raises at once even when it only looks through the rest of a text that it has
  // refused already, and that then takes the place of the first reason.
  bool overrides = false;
};

class PythonTokenizer {
 public:
  // `text` ends with "\n" or is empty, and outlives the tokenizer.
  explicit PythonTokenizer(std::string_view text) : text_(text) {}

  PythonToken Next();
  const TokenProblem& problem() const { return problem_; }
  // Open brackets, innermost last: character and line.
  struct Bracket {
    char open;
    int line;
  };
  const std::vector<Bracket>& brackets() const { return brackets_; }

 private:
  int At(size_t i) const { return i < text_.size() ? static_cast<unsigned char>(text_[i]) : -1; }
  int Line(size_t position);
  PythonToken Make(TokenKind kind, size_t begin, size_t end);
  PythonToken Fail(int line, std::string reason, bool overrides);
  PythonToken FailHere(std::string reason) { return Fail(Line(at_), std::move(reason), true); }

  bool ReadIndentation();
  bool ApplyIndentation(int column, int alternative);
  bool SkipContinuation();
  bool SkipSpace();
  PythonToken ReadWord();
  PythonToken CheckName(size_t begin, size_t end);
  PythonToken ReadString(size_t begin);
  PythonToken ReadNumber();
  bool ReadPrefixed(std::string_view digits, std::string_view kind);
  bool ReadLeadingZero(bool* done);
  bool ReadDigits();
  bool ReadFraction();
  bool EndNumber(std::string_view kind);
  bool NumberError(std::string reason);
  PythonToken ReadOperator();
  PythonToken ReadBracket(char c);

  std::string_view text_;
  size_t at_ = 0;
  size_t line_position_ = 0;  // up to here line_ has been counted
  int line_ = 1;
  bool line_start_ = true;
  bool failed_ = false;
  bool ended_ = false;
  int pending_ = 0;  // indents (> 0) or dedents (< 0) to hand out
  struct Indent {
    int column;
    int alternative;  // the column where a tab counts one
  };
  std::vector<Indent> indents_ = {{0, 0}};
  std::vector<Bracket> brackets_;
  bool has_token_ = false;  // on this logical line
  TokenProblem problem_;
};

bool IsIdentifierStart(char32_t code_point);
bool IsIdentifierContinue(char32_t code_point);
bool IsPythonKeyword(std::string_view word);

}  // namespace fathom
