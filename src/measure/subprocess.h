// Another program run to its end, its output taken in: fresh processes for memory, Python for the
// other stack.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

struct SubprocessOptions {
  std::vector<std::string> arguments;  // the program (looked for in PATH) and what it is given
  double timeout_seconds = 600;        // then it is killed
  // Asked several times a second; true: the program is killed, the Status is Interrupted.
  std::function<bool()> stop;
  // Lines of its stderr as they come; the last 64 KB are kept in any case.
  std::function<void(std::string_view line)> on_error_line;
};

struct SubprocessResult {
  int exit_code = 0;  // 128 + the signal where one ended it
  std::string out;
  std::string err;
  bool timed_out = false;
};

// kRunTime where it cannot be started, or writes more than 64 MB.
Result<SubprocessResult> RunSubprocess(const SubprocessOptions& options);

}  // namespace fathom
