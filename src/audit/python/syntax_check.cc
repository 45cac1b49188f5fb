#include "audit/python/syntax_check.h"

#include "audit/python/syntax_parser.h"

namespace fathom {

std::optional<SyntaxError> CheckPythonSyntax(std::string_view text) {
  if (text.empty() || text.back() == '\n') return SyntaxParser(text).CheckModule();
  const std::string ended = std::string(text) + "\n";  // as Python adds it
  return SyntaxParser(ended).CheckModule();
}

}  // namespace fathom
