// The code cells of a Jupyter notebook (nbformat 3 and 4) as one Python text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

struct NotebookLine {
  int raw_line = 0;   // of the JSON, from 1: where the string stands that holds the line
  int cell = 0;       // from 0, cells of all kinds counted
  int cell_line = 0;  // from 1
};

struct NotebookCell {
  int cell = 0;
  std::string text;                 // lines end in "\n"; magics replaced
  std::vector<NotebookLine> lines;  // one a line of text
};

// The code cells in order. Fails (kRunTime) where the bytes are no JSON, no notebook, or one of
// another language.
Result<std::vector<NotebookCell>> ReadNotebook(std::string_view bytes, const std::string& name);

// A cell's text without what IPython alone understands: a line of `%magic`, `!command`, `?help` or
// `help?` becomes `pass`, what is assigned from one `...`. A cell that begins with a `%%magic`
// keeps its other lines where they are Python, and is empty where they belong to another program.
// The number of lines stays. A text that is Python as it is comes back unchanged.
std::string BlankMagics(std::string_view cell);

}  // namespace fathom
