// Comments by which a script keeps a finding out of its report: `# fathom: ignore[FTH010, FTH011]`,
// or `# fathom: ignore` for all of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/python/python_source.h"

namespace fathom {

// The codes that a comment names, in capitals; none stands for all. No value where it is no such
// comment. Other words may stand before and after it: `# noqa  # fathom: ignore[FTH001] why`.
std::optional<std::vector<std::string>> ParseIgnoreComment(std::string_view comment);

class IgnoreComments {
 public:
  explicit IgnoreComments(const PythonSource& source);

  // Whether a finding `code` on lines first..last (of the file, from 1) is to be kept out: a
  // comment stands on one of the lines, or alone on the line before them.
  bool Ignores(std::string_view code, int first, int last) const;
  // Whether a finding that is on no line is: by a comment that stands alone.
  bool IgnoresFile(std::string_view code) const;

 private:
  struct Entry {
    int line;    // that it stands on
    bool alone;  // with nothing before it
    std::vector<std::string> codes;

    bool Names(std::string_view code) const;
  };
  std::vector<Entry> entries_;
};

}  // namespace fathom
