// Finding: what a script does with one row, read off its sites.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/python/python_source.h"
#include "audit/rules/row.h"

namespace fathom {

enum class FindingState : uint8_t { kUsed, kDisabled, kNotUsed, kUnknown };
std::string_view FindingStateName(FindingState state);

struct LineRange {
  int first = 0, last = 0;
  friend bool operator==(const LineRange&, const LineRange&) = default;
};

// "12, 14-16"; empty for none.
std::string LinesText(const std::vector<LineRange>& lines);

struct Finding {
  const Row* row = nullptr;
  FindingState state = FindingState::kNotUsed;
  std::vector<LineRange> lines;  // the main one first
  bool guarded = false;
  std::vector<int> guard_lines;
  std::string value;
  std::string option;      // the script's option whose default the value is
  std::string expression;  // kUnknown: what cannot be told
  std::string snippet;
  std::string variant;
  std::optional<CellLines> cell;
  bool ignored = false;  // by a comment
  // The bytes of the main site in PythonSource::text(), and those of all that decide the state.
  uint32_t begin = 0, end = 0;
  struct Place {
    uint32_t begin = 0, end = 0;
    std::string value;
    std::string variant;
  };
  std::vector<Place> sites;
};

// The thirteen, in order. The script is read once.
std::vector<Finding> FindRows(const PythonSource& source);

}  // namespace fathom
