// What the commands share of the terminal: streams, interruption, numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

bool StdinIsTerminal();
bool StdoutIsTerminal();
bool StderrIsTerminal();
// Columns of the terminal that stdout is; `otherwise` where it is none.
int StdoutColumns(int otherwise);

// Writes to stdout at once; kRunTime where nobody reads any more (a closed pipe, a full disk).
Status WriteOut(std::string_view text);

// While one lives, Ctrl-C (SIGINT) sets a flag instead of ending the program.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool interrupted();
  static void Clear();
};

std::string FormatBytes(double bytes);  // "269 MB", "1.2 GB" (powers of 1000)
std::string FormatCount(double count);  // "134.5 M", "1.24 B"

}  // namespace fathom
