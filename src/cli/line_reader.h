// Messages of several lines from a terminal (with editing and history, through libedit) or a pipe.
#pragma once

#include <optional>
#include <string>

namespace fathom {

class LineReader {
 public:
  // interactive: show a prompt, edit lines, keep a history in the cache folder.
  explicit LineReader(bool interactive);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // One message: a line; lines that end with a backslash and the one after them; or the lines
  // between two that are """ alone. Empty after Ctrl-C or a blank line; nothing at the end of
  // input.
  std::optional<std::string> ReadMessage();

 private:
  struct Line {
    std::string text;
    bool ended = false;        // end of input
    bool interrupted = false;  // Ctrl-C
  };
  Line ReadLine(const char* prompt);

  bool interactive_;
  std::string history_file_;
};

}  // namespace fathom
