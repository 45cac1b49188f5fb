// What the commands share of the terminal: streams, interruption, how reports are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/language.h"
#include "fathom/status.h"

namespace fathom {

bool StdinIsTerminal();
bool StdoutIsTerminal();
bool StderrIsTerminal();
// Columns of the terminal that stdout is; `otherwise` where it is none.
int StdoutColumns(int otherwise);

// How a report is written to stdout. Columns: the terminal's, 120 in a pipe, at least 30. Colour:
// on a terminal, unless NO_COLOR is set (no-color.org). Language: --lang (empty: not given), else
// the locale's; what programs read (json, sarif) is English unless asked otherwise.
int ReportColumns();
bool ReportColour();
Result<Language> ReportLanguage(const std::string& asked, std::string_view format);

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

}  // namespace fathom
