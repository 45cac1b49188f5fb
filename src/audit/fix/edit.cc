#include "audit/fix/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fathom {
namespace {

constexpr size_t kContextLines = 3;

Status SortAndCheck(std::string_view bytes, std::vector<Edit>& edits) {
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  size_t at = 0;
  for (const Edit& edit : edits) {
    if (edit.begin < at || edit.end < edit.begin || edit.end > bytes.size()) {
      return Status::RunTime(
          fmt::format("an edit of bytes {} to {} overlaps another or the end of the file at {}",
                      edit.begin, edit.end, bytes.size()));
    }
    at = edit.end;
  }
  return {};
}

std::string Apply(std::string_view bytes, const std::vector<Edit>& edits) {
  std::string result;
  result.reserve(bytes.size());
  size_t at = 0;
  for (const Edit& edit : edits) {
    result += bytes.substr(at, edit.begin - at);
    result += edit.replacement;
    at = edit.end;
  }
  result += bytes.substr(at);
  return result;
}

// Lines with their ends; the last may have none.
std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Old lines [old_begin, old_end) became new lines [new_begin, new_end).
struct Change {
  size_t old_begin, old_end;
  size_t new_begin, new_end;
};

size_t LineOf(const std::vector<size_t>& starts, size_t byte) {
  return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), byte) - starts.begin() -
                             1);
}

// Where lines begin, and the one that would come next, unless the last has no end.
std::vector<size_t> Starts(const std::vector<std::string_view>& lines) {
  std::vector<size_t> starts = {0};
  for (const std::string_view line : lines) {
    if (line.ends_with('\n')) starts.push_back(starts.back() + line.size());
  }
  return starts;
}

// The lines that each edit touches, edits on shared lines as one change, cut to what differs.
std::vector<Change> FindChanges(const std::vector<Edit>& edits,
                                const std::vector<std::string_view>& old_lines,
                                const std::vector<std::string_view>& new_lines) {
  const std::vector<size_t> old_starts = Starts(old_lines);
  const std::vector<size_t> new_starts = Starts(new_lines);
  std::vector<Change> changes;
  ptrdiff_t shift = 0;  // of bytes, up to the edit
  for (const Edit& edit : edits) {
    const size_t new_begin = static_cast<size_t>(static_cast<ptrdiff_t>(edit.begin) + shift);
    const size_t new_end = new_begin + edit.replacement.size();
    shift += static_cast<ptrdiff_t>(edit.replacement.size()) -
             static_cast<ptrdiff_t>(edit.end - edit.begin);
    Change change = {std::min(LineOf(old_starts, edit.begin), old_lines.size()),
                     std::min(LineOf(old_starts, edit.end) + 1, old_lines.size()),
                     std::min(LineOf(new_starts, new_begin), new_lines.size()),
                     std::min(LineOf(new_starts, new_end) + 1, new_lines.size())};
    if (!changes.empty() && change.old_begin < changes.back().old_end) {
      changes.back().old_end = std::max(changes.back().old_end, change.old_end);
      changes.back().new_end = std::max(changes.back().new_end, change.new_end);
    } else {
      changes.push_back(change);
    }
  }
  for (Change& change : changes) {
    while (change.old_begin < change.old_end && change.new_begin < change.new_end &&
           old_lines[change.old_begin] == new_lines[change.new_begin]) {
      ++change.old_begin;
      ++change.new_begin;
    }
    while (change.old_begin < change.old_end && change.new_begin < change.new_end &&
           old_lines[change.old_end - 1] == new_lines[change.new_end - 1]) {
      --change.old_end;
      --change.new_end;
    }
  }
  std::erase_if(changes, [](const Change& change) {
    return change.old_begin == change.old_end && change.new_begin == change.new_end;
  });
  return changes;
}

void AppendLine(char sign, std::string_view line, std::string& out) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

// "begin,count" as a hunk's head has it: from 1, and the line before where there is none.
std::string Range(size_t begin, size_t end) {
  const size_t count = end - begin;
  if (count == 1) return fmt::format("{}", begin + 1);
  return fmt::format("{},{}", count == 0 ? begin : begin + 1, count);
}

}  // namespace

std::string_view LineEnding(std::string_view bytes) {
  const size_t end = bytes.find_first_of("\r\n");
  if (end == std::string_view::npos || bytes[end] == '\n') return "\n";
  return bytes.substr(end, 2) == "\r\n" ? "\r\n" : "\r";
}

Result<std::string> ApplyEdits(std::string_view bytes, std::vector<Edit> edits) {
  FATHOM_TRY(SortAndCheck(bytes, edits));
  return Apply(bytes, edits);
}

Result<std::string> UnifiedDiff(std::string_view bytes, std::vector<Edit> edits,
                                std::string_view path) {
  FATHOM_TRY(SortAndCheck(bytes, edits));
  const std::string after = Apply(bytes, edits);
  const std::vector<std::string_view> old_lines = Lines(bytes);
  const std::vector<std::string_view> new_lines = Lines(after);
  const std::vector<Change> changes = FindChanges(edits, old_lines, new_lines);
  if (changes.empty()) return std::string();
  std::string out = fmt::format("--- a/{}\n+++ b/{}\n", path, path);
  for (size_t first = 0; first < changes.size();) {
    size_t last = first;
    while (last + 1 < changes.size() &&
           changes[last + 1].old_begin - changes[last].old_end <= 2 * kContextLines) {
      ++last;
    }
    const size_t before = std::min(kContextLines, changes[first].old_begin);
    const size_t rest = std::min(kContextLines, old_lines.size() - changes[last].old_end);
    out += fmt::format("@@ -{} +{} @@\n",
                       Range(changes[first].old_begin - before, changes[last].old_end + rest),
                       Range(changes[first].new_begin - before, changes[last].new_end + rest));
    size_t line = changes[first].old_begin - before;
    for (; first <= last; ++first) {
      const Change& change = changes[first];
      while (line < change.old_begin) AppendLine(' ', old_lines[line++], out);
      while (line < change.old_end) AppendLine('-', old_lines[line++], out);
      for (size_t i = change.new_begin; i < change.new_end; ++i) {
        AppendLine('+', new_lines[i], out);
      }
    }
    for (size_t i = 0; i < rest; ++i) AppendLine(' ', old_lines[line++], out);
  }
  return out;
}

}  // namespace fathom
