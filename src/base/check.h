// FATHOM_CHECK: an invariant of our own. Input is never checked with it: input gets a Status.
#pragma once

namespace fathom {
// Writes the place and the condition to stderr and aborts: the one print of the library, for a bug.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace fathom

#define FATHOM_CHECK(condition)                                              \
  do {                                                                       \
    if (!(condition)) ::fathom::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)
