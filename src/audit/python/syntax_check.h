// Whether Python takes a text: what `ast.parse` of CPython 3.11 says, at the line it says it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom {

struct SyntaxError;

// `text` as SourceText has it. The first thing that Python refuses, with its line (from 1) in
// `text`.
std::optional<SyntaxError> CheckPythonSyntax(std::string_view text);

}  // namespace fathom
