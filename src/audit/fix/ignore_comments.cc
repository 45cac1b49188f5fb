#include "audit/fix/ignore_comments.h"

#include <algorithm>
#include <utility>

namespace fathom {
namespace {

constexpr std::string_view kSpace = " \t";

void SkipSpace(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

bool TakeWord(std::string_view& text, std::string_view word) {
  SkipSpace(text);
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// "FTH010, fth011]" as codes; no value where the bracket is never closed or holds none.
std::optional<std::vector<std::string>> ReadCodes(std::string_view text) {
  const size_t close = text.find(']');
  if (close == std::string_view::npos) return std::nullopt;
  text = text.substr(0, close);
  std::vector<std::string> codes;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string code;
    for (const char c : text.substr(0, comma)) {
      if (kSpace.find(c) != std::string_view::npos) continue;
      code.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    }
    if (!code.empty()) codes.push_back(std::move(code));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (codes.empty()) return std::nullopt;
  return codes;
}

}  // namespace

std::optional<std::vector<std::string>> ParseIgnoreComment(std::string_view comment) {
  for (size_t at = comment.find('#'); at != std::string_view::npos;
       at = comment.find('#', at + 1)) {
    std::string_view rest = comment.substr(at + 1);
    if (!TakeWord(rest, "fathom") || !TakeWord(rest, ":") || !TakeWord(rest, "ignore")) continue;
    if (!rest.empty() && IsWord(rest[0])) continue;
    std::string_view after = rest;
    if (!TakeWord(after, "[")) return std::vector<std::string>();
    return ReadCodes(after);
  }
  return std::nullopt;
}

IgnoreComments::IgnoreComments(const PythonSource& source) {
  const std::string_view text = source.text();
  for (const PythonSource::Comment& comment : source.comments()) {
    auto codes = ParseIgnoreComment(text.substr(comment.begin, comment.end - comment.begin));
    if (!codes.has_value()) continue;
    size_t before = comment.begin;
    while (before > 0 && kSpace.find(text[before - 1]) != std::string_view::npos) --before;
    entries_.push_back({.line = source.Line(comment.begin),
                        .alone = before == 0 || text[before - 1] == '\n',
                        .codes = *std::move(codes)});
  }
}

bool IgnoreComments::Entry::Names(std::string_view code) const {
  return codes.empty() || std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool IgnoreComments::Ignores(std::string_view code, int first, int last) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    const bool near =
        (entry.line >= first && entry.line <= last) || (entry.alone && entry.line == first - 1);
    return near && entry.Names(code);
  });
}

bool IgnoreComments::IgnoresFile(std::string_view code) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& entry) { return entry.alone && entry.Names(code); });
}

}  // namespace fathom
