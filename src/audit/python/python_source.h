// A Python script or notebook, read and parsed, never run.
//
// Two parsers look at it. The tree is tree-sitter's: tolerant, it gives something for any text.
// Whether Python itself takes the text is decided by our own tokenizer and grammar check
// (syntax_check.h), which refuses what `ast.parse` of CPython 3.11 refuses and names the line that
// it names.
//
// Offsets are bytes of text(): UTF-8, every line ended by "\n" as Python reads it, a notebook's
// code cells joined with their magics blanked. Lines are those of the file as an editor shows it.
#pragma once

#include <tree_sitter/api.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// Beyond this a script, a notebook's bytes and a notebook's code are refused before they are
// parsed.
inline constexpr size_t kMaxPythonSourceBytes = size_t{4} << 20;
inline constexpr size_t kMaxNotebookBytes = size_t{32} << 20;
// The time of tree-sitter's recovery can grow with the square of what it recovers from. A text that
// Python refuses has a tree of so much of it, up to the end of a line, where the whole takes too
// long.
inline constexpr size_t kRecoveryBytes = size_t{32} << 10;

// What Python's parser refuses: the line (from 1) of the file, and why.
struct SyntaxError {
  int line = 0;
  std::string reason;
};

// A place in a notebook: the cell (from 0, all kinds counted) and lines (from 1) inside it.
struct CellLines {
  int cell = 0;
  int first = 0;
  int last = 0;
};

class PythonSource {
 public:
  // The bytes of a script, or of a notebook where `name` ends in ".ipynb". Fails (kRunTime) where
  // there is no Python text to look at: binary, another encoding than it says, beyond the limit, a
  // notebook that is no notebook.
  static Result<PythonSource> FromBytes(std::string bytes, std::string name);
  // The same of a file; one that is missing or cannot be read is kRunTime too.
  static Result<PythonSource> Open(const std::string& path);

  PythonSource(PythonSource&&) noexcept;
  PythonSource& operator=(PythonSource&&) noexcept;
  ~PythonSource();

  const std::string& name() const;
  std::string_view text() const;
  // The bytes as they are in the file.
  std::string_view raw() const;
  bool is_notebook() const;

  // The root of the tolerant tree, `module`; it lives as long as this object.
  TSNode root() const;
  std::string_view Text(TSNode node) const;

  // The line (from 1) of the file on which a byte of text() stands; for a notebook, of the JSON.
  int Line(uint32_t byte) const;
  // Where [begin, end) stands in a notebook; nothing for scripts.
  std::optional<CellLines> Cell(uint32_t begin, uint32_t end) const;

  // What Python refuses, if anything. The tree is there all the same.
  const std::optional<SyntaxError>& error() const;

  struct Comment {
    uint32_t begin = 0;  // at the '#'
    uint32_t end = 0;    // before the end of the line
  };
  // Every comment in order.
  const std::vector<Comment>& comments() const;

  // Where a byte of text() stands in raw(). Meaningful for scripts, not for notebooks.
  size_t RawOffset(uint32_t byte) const;

 private:
  struct State;
  explicit PythonSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fathom
