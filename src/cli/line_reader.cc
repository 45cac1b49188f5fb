#include "cli/line_reader.h"

#include <editline/readline.h>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/cache_file.h"
#include "cli/terminal.h"

namespace fathom {
namespace {

constexpr const char* kPrompt = "> ";
constexpr const char* kMorePrompt = ". ";
constexpr std::string_view kFence = "\"\"\"";
constexpr int kHistoryLines = 1000;

}  // namespace

LineReader::LineReader(bool interactive) : interactive_(interactive) {
  if (!interactive_) return;
  std::setlocale(LC_CTYPE, "");  // libedit edits by character, not by byte
  rl_initialize();
  using_history();
  stifle_history(kHistoryLines);
  const std::string folder = CacheFolder();
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  history_file_ = folder + "/chat_history";
  read_history(history_file_.c_str());
}

LineReader::~LineReader() {
  if (!history_file_.empty()) write_history(history_file_.c_str());
}

LineReader::Line LineReader::ReadLine(const char* prompt) {
  Line line;
  if (interactive_) {
    // Ctrl-C empties the line: the guard's handler makes libedit's read return.
    const InterruptGuard guard;
    char* text = readline(prompt);
    line.interrupted = InterruptGuard::interrupted();
    line.ended = text == nullptr && !line.interrupted;
    if (text != nullptr) line.text = text;
    std::free(text);
    return line;
  }
  int c = 0;
  while ((c = std::getc(stdin)) != EOF && c != '\n') line.text += static_cast<char>(c);
  line.ended = c == EOF && line.text.empty();
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  return line;
}

std::optional<std::string> LineReader::ReadMessage() {
  Line line = ReadLine(kPrompt);
  if (line.ended) return std::nullopt;
  if (line.interrupted) {
    std::fputc('\n', stderr);
    return "";
  }
  std::string message;
  if (line.text == kFence) {
    for (line = ReadLine(kMorePrompt); line.text != kFence; line = ReadLine(kMorePrompt)) {
      if (line.interrupted) return "";
      if (line.ended) break;
      if (!message.empty()) message += '\n';
      message += line.text;
    }
  } else {
    while (!line.text.empty() && line.text.back() == '\\') {
      line.text.back() = '\n';
      message += line.text;
      line = ReadLine(kMorePrompt);
      if (line.interrupted) return "";
      if (line.ended) break;
    }
    message += line.text;
  }
  if (interactive_ && !message.empty()) add_history(message.c_str());
  return message;
}

}  // namespace fathom
