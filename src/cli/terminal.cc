#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fathom {
namespace {

volatile std::sig_atomic_t interrupt_count = 0;
struct sigaction old_action;

void OnInterrupt(int) {
  // A third Ctrl-C before anybody looked ends the program: nothing may hang beyond the user's
  // reach.
  interrupt_count = interrupt_count + 1;
  if (interrupt_count >= 3) _exit(static_cast<int>(StatusCode::kInterrupted));
}

}  // namespace

bool StdinIsTerminal() { return isatty(STDIN_FILENO) != 0; }
bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) != 0; }
bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }

int StdoutColumns(int otherwise) {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return otherwise;
  return size.ws_col;
}

int ReportColumns() {
  constexpr int kWithoutTerminal = 120, kLeast = 30;
  return std::max(StdoutColumns(kWithoutTerminal), kLeast);
}

bool ReportColour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return StdoutIsTerminal() && (no_colour == nullptr || *no_colour == '\0');
}

Result<Language> ReportLanguage(const std::string& asked, std::string_view format) {
  if (!asked.empty()) return ParseLanguage(asked);
  return format == "json" || format == "sarif" ? Language::kEnglish : LocaleLanguage();
}

Status WriteOut(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Status::RunTime(fmt::format("stdout: cannot be written: {}", std::strerror(errno)));
  }
  return Status::Ok();
}

InterruptGuard::InterruptGuard() {
  Clear();
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, &old_action);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &old_action, nullptr); }

bool InterruptGuard::interrupted() { return interrupt_count > 0; }
void InterruptGuard::Clear() { interrupt_count = 0; }

}  // namespace fathom
