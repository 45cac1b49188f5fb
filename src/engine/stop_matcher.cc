#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace fathom {

namespace {

// Bytes at the end of `text` that begin `stop` without completing it.
size_t BegunSuffix(std::string_view text, std::string_view stop) {
  for (size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.ends_with(stop.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stop_strings)
    : stop_strings_(std::move(stop_strings)) {
  std::erase_if(stop_strings_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::Push(std::string_view piece) {
  if (matched_) return {};
  if (stop_strings_.empty()) return std::string(piece);
  held_ += piece;
  size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) {
    const size_t place = held_.find(stop);
    if (place >= first) continue;
    first = place;
    matched_string_ = stop;
  }
  if (first != std::string::npos) {
    matched_ = true;
    std::string before = held_.substr(0, first);
    held_.clear();
    return before;
  }
  size_t begun = 0;
  for (const std::string& stop : stop_strings_) begun = std::max(begun, BegunSuffix(held_, stop));
  std::string certain = held_.substr(0, held_.size() - begun);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopMatcher::Finish() { return std::exchange(held_, {}); }

}  // namespace fathom
