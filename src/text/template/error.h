// How the interpreter fails inside: an exception with the kind that Python would have raised,
// because a few places of Jinja catch some kinds and not others. No exception leaves Template
// (template.h), which turns it into a Status.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace fathom::jinja {

enum class ErrorKind {
  kSyntax,     // the template itself is wrong: found when it is read
  kType,       // Python's TypeError
  kValue,      // ValueError
  kLookup,     // IndexError and KeyError
  kAttribute,  // AttributeError
  kOverflow,   // OverflowError
  kZeroDivision,
  kUndefined,  // jinja2.UndefinedError
  kSecurity,   // jinja2.sandbox.SecurityError
  kRuntime,    // jinja2.TemplateRuntimeError and everything else
  kRaised,     // the template called raise_exception
  kBudget,     // too many steps, too much memory, too deep
};

struct Error {
  ErrorKind kind;
  std::string message;
  int line = 0;  // of the template; 0: not known yet
};

template <typename... Args>
[[noreturn]] void Raise(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error{kind, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace fathom::jinja
