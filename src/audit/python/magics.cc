// What IPython adds to Python in the cells of a notebook.
#include <algorithm>
#include <array>

#include "audit/python/notebook.h"
#include "audit/python/python_source.h"
#include "audit/python/syntax_check.h"

namespace fathom {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t'; }
bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Where a line stands with respect to brackets, strings and a backslash at its end.
class LineState {
 public:
  bool fresh() const { return depth_ <= 0 && quote_ == 0 && !continued_; }

  void Read(std::string_view line) {
    continued_ = false;
    if (quote_ != 0 && !triple_) quote_ = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c == '\\') {
        continued_ = i + 1 == line.size();
        ++i;
      } else if (quote_ != 0) {
        if (c != quote_ || (triple_ && line.substr(i, 3) != std::string(3, c))) continue;
        i += triple_ ? 2 : 0;
        quote_ = 0;
      } else if (c == '\'' || c == '"') {
        quote_ = c;
        triple_ = line.substr(i, 3) == std::string(3, c);
        i += triple_ ? 2 : 0;
      } else if (c == '#') {
        return;
      } else if (c == '(' || c == '[' || c == '{') {
        ++depth_;
      } else if (c == ')' || c == ']' || c == '}') {
        --depth_;
      }
    }
  }

 private:
  int depth_ = 0;
  char quote_ = 0;
  bool triple_ = false;
  bool continued_ = false;
};

// Where `name = !command` or `name = %magic` has its sign, or npos.
size_t AssignedMagic(std::string_view line) {
  size_t i = 0;
  while (i < line.size() && (IsWord(line[i]) || line[i] == ',' || line[i] == '.' ||
                             line[i] == '*' || IsSpace(line[i]))) {
    ++i;
  }
  if (i == 0 || i >= line.size() || line[i] != '=') return std::string_view::npos;
  ++i;
  while (i < line.size() && IsSpace(line[i])) ++i;
  if (i + 1 >= line.size()) return std::string_view::npos;
  const bool magic = line[i] == '!' || (line[i] == '%' && (IsWord(line[i + 1])));
  return magic ? i : std::string_view::npos;
}

// The line without its magic, or the line itself.
std::string BlankLine(std::string_view line) {
  const size_t start = std::min(line.find_first_not_of(" \t"), line.size());
  const std::string_view body = line.substr(start);
  if (body.empty() || body[0] == '#') return std::string(line);
  const size_t last = body.find_last_not_of(" \t");
  const bool magic = body[0] == '%' || body[0] == '!' || body[0] == '?' ||
                     (last != std::string_view::npos && body[last] == '?');
  if (magic) return std::string(line.substr(0, start)) + "pass";
  const size_t assigned = AssignedMagic(line);
  if (assigned == std::string_view::npos) return std::string(line);
  return std::string(line.substr(0, assigned)) + "...";
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string Join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line;
    text += '\n';
  }
  return text;
}

// Whether the lines below a `%%magic` are Python by its meaning: 1 yes, 0 no, -1 not known here.
int HoldsPython(std::string_view magic) {
  static constexpr std::array<std::string_view, 9> kPython = {
      "time", "timeit", "capture", "prun", "memit", "mprun", "debug", "python", "wandb"};
  static constexpr std::array<std::string_view, 22> kOther = {
      "bash",     "sh",   "script", "html", "HTML",  "javascript", "js",   "latex",
      "markdown", "perl", "ruby",   "svg",  "SVG",   "writefile",  "file", "cython",
      "sql",      "R",    "cmd",    "pypy", "julia", "python2"};
  size_t size = 0;
  while (size < magic.size() && IsWord(magic[size])) ++size;
  magic = magic.substr(0, size);
  if (std::find(kPython.begin(), kPython.end(), magic) != kPython.end()) return 1;
  return std::find(kOther.begin(), kOther.end(), magic) != kOther.end() ? 0 : -1;
}

}  // namespace

std::string BlankMagics(std::string_view cell) {
  const std::vector<std::string_view> lines = Lines(cell);
  if (!CheckPythonSyntax(cell).has_value()) return std::string(cell);
  std::vector<std::string> result;
  result.reserve(lines.size());
  LineState state;
  bool swallowed = false;  // the line before was a magic that goes on here
  int python = 1;
  bool first = true;
  for (const std::string_view line : lines) {
    const size_t start = std::min(line.find_first_not_of(" \t"), line.size());
    const bool empty = start == line.size();
    if (first && !empty && line.substr(start).starts_with("%%")) {
      python = HoldsPython(line.substr(start + 2));
      result.emplace_back();
      first = false;
      continue;
    }
    first = first && empty;
    if (swallowed) {
      result.emplace_back();
      swallowed = line.ends_with('\\');
      continue;
    }
    if (state.fresh()) {
      std::string blank = BlankLine(line);
      if (blank != line) {
        swallowed = line.ends_with('\\');
        result.push_back(std::move(blank));
        continue;
      }
    }
    state.Read(line);
    result.emplace_back(line);
  }
  std::string text = Join(result);
  if (python == 1 || (python < 0 && !CheckPythonSyntax(text).has_value())) return text;
  return std::string(lines.size(), '\n');
}

}  // namespace fathom
