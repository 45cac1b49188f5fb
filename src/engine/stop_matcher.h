// StopMatcher: ends a text before the first stop string, though the text comes in pieces. What may
// be the beginning of a stop string is held back until it is certain.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

class StopMatcher {
 public:
  // Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stop_strings);

  // Takes the next piece and returns what may be shown now. After a match: what stands before the
  // stop string, and nothing from then on.
  std::string Push(std::string_view piece);
  // The text ends: what was held back.
  std::string Finish();

  bool matched() const { return matched_; }
  const std::string& matched_string() const { return matched_string_; }

 private:
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool matched_ = false;
  std::string matched_string_;
};

}  // namespace fathom
