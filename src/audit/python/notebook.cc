#include "audit/python/notebook.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"

namespace fathom {
namespace {

// Swallows every event: the reader's checks are all that is wanted.
class NoHandler : public JsonHandler {
 public:
  Status OnNull() override { return {}; }
  Status OnBool(bool) override { return {}; }
  Status OnInt(int64_t) override { return {}; }
  Status OnUint(uint64_t) override { return {}; }
  Status OnDouble(double) override { return {}; }
  Status OnString(std::string&) override { return {}; }
  Status OnKey(std::string&) override { return {}; }
  Status OnStartObject() override { return {}; }
  Status OnEndObject() override { return {}; }
  Status OnStartArray() override { return {}; }
  Status OnEndArray() override { return {}; }
};

// Walks a JSON text that has been checked, and knows the line on which each string stands, which
// the project's reader does not tell.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  char Peek() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  int Line() {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<ptrdiff_t>(line_position_),
                                         text_.begin() + static_cast<ptrdiff_t>(at_), '\n'));
    line_position_ = at_;
    return line_;
  }

  // Skips one value of any kind and depth.
  void Skip() {
    int depth = 0;
    do {
      switch (Peek()) {
        case '{':
        case '[':
          ++depth;
          ++at_;
          break;
        case '}':
        case ']':
          --depth;
          ++at_;
          break;
        case '"':
          SkipString();
          break;
        case ',':
        case ':':
          ++at_;
          break;
        default:
          while (at_ < text_.size() &&
                 std::string_view(",:]} \t\r\n").find(text_[at_]) == std::string_view::npos) {
            ++at_;
          }
      }
    } while (depth > 0 && at_ < text_.size());
  }

  // Calls member(key) at each value of an object; it must consume the value.
  void Object(const std::function<void(std::string_view)>& member) {
    if (Peek() != '{') return Skip();
    ++at_;
    while (Peek() == '"') {
      const std::string key = String();
      (void)Peek();
      ++at_;  // the colon
      (void)Peek();
      member(key);
      if (Peek() == ',') ++at_;
    }
    ++at_;
  }

  // Calls element() at each value of an array; it must consume the value.
  void Array(const std::function<void()>& element) {
    if (Peek() != '[') return Skip();
    ++at_;
    while (Peek() != ']' && Peek() != '\0') {
      element();
      if (Peek() == ',') ++at_;
    }
    ++at_;
  }

  std::string String() {
    std::string result;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        result.push_back(text_[at_]);
        continue;
      }
      static constexpr std::string_view kFrom = "bfnrt";
      static constexpr std::string_view kTo = "\b\f\n\r\t";
      const char c = text_[++at_];
      if (c == 'u') {
        AppendUtf8(Unicode(), result);
      } else if (const size_t plain = kFrom.find(c); plain != std::string_view::npos) {
        result.push_back(kTo[plain]);
      } else {
        result.push_back(c);
      }
    }
    ++at_;
    return result;
  }

 private:
  void SkipString() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  char32_t Hex(size_t begin) const {
    char32_t value = 0;
    for (const char c : text_.substr(begin, 4)) {
      const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  // At the 'u' of an escape; ends at its last digit. Half of a pair alone is U+FFFD.
  char32_t Unicode() {
    const char32_t high = Hex(at_ + 1);
    at_ += 4;
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high < 0xDC00 && text_.substr(at_ + 1, 2) == "\\u") {
      const char32_t low = Hex(at_ + 3);
      if (low >= 0xDC00 && low <= 0xDFFF) {
        at_ += 6;
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    return 0xFFFD;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_position_ = 0;
  int line_ = 1;
};

// The text of a cell as it is put together from its strings, with the line of each.
struct Source {
  std::string text;
  std::vector<int> raw_lines;  // one a line of text
};

void AppendSource(std::string_view piece, int raw_line, Source& source) {
  for (size_t i = 0; i < piece.size(); ++i) {
    if (source.text.empty() || source.text.back() == '\n') source.raw_lines.push_back(raw_line);
    if (piece[i] == '\r') {
      source.text.push_back('\n');
      if (i + 1 < piece.size() && piece[i + 1] == '\n') ++i;
    } else {
      source.text.push_back(piece[i]);
    }
  }
}

void ReadSource(Walker& walker, Source& source) {
  const auto piece = [&] {
    if (walker.Peek() != '"') return walker.Skip();
    const int line = walker.Line();
    AppendSource(walker.String(), line, source);
  };
  if (walker.Peek() == '[') {
    walker.Array(piece);
  } else {
    piece();
  }
}

struct Reading {
  std::vector<NotebookCell> cells;
  int count = 0;
  bool has_cells = false;
  std::string language;
};

void ReadCell(Walker& walker, Reading& reading) {
  std::string type;
  Source source;
  walker.Object([&](std::string_view key) {
    if (key == "cell_type" && walker.Peek() == '"') {
      type = walker.String();
    } else if (key == "source" || key == "input") {
      source = {};
      ReadSource(walker, source);
    } else {
      walker.Skip();
    }
  });
  const int cell = reading.count++;
  if (type != "code" || source.text.empty()) return;
  if (source.text.back() != '\n') source.text.push_back('\n');
  NotebookCell result = {.cell = cell, .text = BlankMagics(source.text)};
  int line = 0;
  for (const int raw_line : source.raw_lines) {
    result.lines.push_back({.raw_line = raw_line, .cell = cell, .cell_line = ++line});
  }
  reading.cells.push_back(std::move(result));
}

void ReadMetadata(Walker& walker, Reading& reading) {
  walker.Object([&](std::string_view part) {
    if (part != "language_info" && part != "kernelspec") return walker.Skip();
    const std::string_view wanted = part == "kernelspec" ? "language" : "name";
    walker.Object([&](std::string_view key) {
      if (key != wanted || walker.Peek() != '"') return walker.Skip();
      std::string language = walker.String();
      if (reading.language.empty() || part == "language_info") {
        reading.language = std::move(language);
      }
    });
  });
}

void ReadRoot(Walker& walker, Reading& reading) {
  const auto cells = [&] {
    reading.has_cells |= walker.Peek() == '[';
    walker.Array([&] { ReadCell(walker, reading); });
  };
  walker.Object([&](std::string_view key) {
    if (key == "cells") {
      cells();
    } else if (key == "worksheets") {
      walker.Array([&] {
        walker.Object([&](std::string_view inner) {
          if (inner == "cells") {
            cells();
          } else {
            walker.Skip();
          }
        });
      });
    } else if (key == "metadata") {
      ReadMetadata(walker, reading);
    } else {
      walker.Skip();
    }
  });
}

Status NoNotebook(const std::string& name, std::string what) {
  return Status(StatusCode::kRunTime, {.file = name, .value = std::move(what)});
}

}  // namespace

Result<std::vector<NotebookCell>> ReadNotebook(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  NoHandler handler;
  const Status json = ReadJson(bytes, name, {.max_depth = 200}, handler);
  if (!json.ok()) return Status(StatusCode::kRunTime, json.detail());
  Reading reading;
  Walker walker(bytes);
  ReadRoot(walker, reading);
  if (!reading.has_cells) return NoNotebook(name, "the JSON is no notebook: it has no cells");
  const std::string& language = reading.language;
  if (!language.empty() && language != "python" && language != "ipython") {
    return NoNotebook(name, fmt::format("the notebook's language is {}, not Python", language));
  }
  return std::move(reading.cells);
}

}  // namespace fathom
