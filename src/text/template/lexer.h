// Cuts a template into tokens, as jinja2/lexer.py does for trim_blocks and lstrip_blocks.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "text/template/value.h"

namespace fathom::jinja {

enum class TokenType {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kAdd,
  kSub,
  kDiv,
  kFloorDiv,
  kMul,
  kMod,
  kPow,
  kTilde,
  kLeftBracket,
  kRightBracket,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kEq,
  kNe,
  kGt,
  kGe,
  kLt,
  kLe,
  kAssign,
  kDot,
  kColon,
  kPipe,
  kComma,
  kSemicolon,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 1;
  Text text;            // name, string, data
  Int integer = 0;      // kInteger
  double floating = 0;  // kFloat

  bool IsName(TextView name) const { return type == TokenType::kName && text == name; }
};

// How a message names a token.
std::string Describe(const Token& token);

class Lexer {
 public:
  explicit Lexer(TextView source);
  Token Next();  // kEnd for ever at the end; raises kSyntax

 private:
  enum class State { kRoot, kComment, kBlock, kVariable, kRaw };

  void ReadRoot();
  void ReadComment();
  void ReadRaw();
  void ReadTag();
  bool ReadTagEnd();
  bool ReadNumber();
  bool ReadFloat();
  bool ReadName();
  bool ReadString();
  bool ReadOperator();

  bool StartsWith(std::u32string_view text, size_t at) const;
  size_t SkipSpace(size_t at) const;
  // Where a raw tag that begins at `at` ends, or npos where there is none.
  size_t MatchRawBegin(size_t at) const;
  size_t MatchRawEnd(size_t at, char32_t& sign) const;
  // The text before a tag, cut as the tag's sign and lstrip_blocks say.
  TextView TrimBefore(TextView text, char32_t sign, bool variable) const;
  void Emit(TokenType type, TextView text = {});
  void Advance(size_t to);  // counts lines
  [[noreturn]] void Fail(std::string message) const;

  Text source_;
  size_t at_ = 0;
  int line_ = 1;
  State state_ = State::kRoot;
  bool line_starting_ = true;
  std::vector<char32_t> brackets_;  // the closing ones that are awaited
  std::deque<Token> pending_;
};

}  // namespace fathom::jinja
