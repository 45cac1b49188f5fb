#include "text/added_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "text/unicode.h"

namespace fathom {
namespace {

// Bounds the work of a search: a position costs at most the longest token.
constexpr size_t kMaxTokenBytes = 1024;

// ^\w and \w$ of Rust's regex crate.
bool StartsWithWord(std::string_view text) {
  return !text.empty() && HasFlag(DecodeUtf8(text, 0).code_point, kRustWord);
}

size_t LastCodePoint(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && (text[start] & 0xC0) == 0x80) --start;
  return start;
}

bool EndsWithWord(std::string_view text) {
  return !text.empty() && HasFlag(DecodeUtf8(text, LastCodePoint(text)).code_point, kRustWord);
}

// \s*$ : where the white space at the end begins, at `floor` at the earliest.
size_t SpaceBegin(std::string_view text, size_t floor) {
  size_t end = text.size();
  while (end > floor) {
    const size_t start = LastCodePoint(text.substr(0, end));
    if (!HasFlag(DecodeUtf8(text, start).code_point, kRustRegexSpace)) break;
    end = start;
  }
  return std::max(end, floor);
}

// ^\s* : where the white space at the start ends.
size_t SpaceEnd(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const DecodedCodePoint decoded = DecodeUtf8(text, i);
    if (!HasFlag(decoded.code_point, kRustRegexSpace)) break;
    i += static_cast<size_t>(decoded.size_bytes);
  }
  return i;
}

// Whether special tokens count on a range: on all of it, on none, or (a mixture) neither.
enum class Trust { kAll, kNone, kMixed };

Trust TrustOf(const SpecialScope& scope, size_t begin, size_t end) {
  if (scope.everywhere) return Trust::kAll;
  if (scope.marks == nullptr || !scope.marks->marked()) return Trust::kNone;
  const auto* marks = scope.marks->marks.data();
  const auto count = static_cast<size_t>(std::count(marks + begin, marks + end, 1));
  return count == end - begin ? Trust::kAll : count == 0 ? Trust::kNone : Trust::kMixed;
}

}  // namespace

TokenTrie::TokenTrie() : nodes_(1) {}

uint32_t TokenTrie::Child(uint32_t node, uint8_t byte) const {
  if (node == 0) return first_[byte];
  const auto& children = nodes_[node].children;
  const auto found = std::lower_bound(children.begin(), children.end(), byte,
                                      [](const auto& child, uint8_t b) { return child.first < b; });
  return found == children.end() || found->first != byte ? 0 : found->second;
}

bool TokenTrie::Insert(std::string_view text, int32_t id) {
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    uint32_t child = Child(node, byte);
    if (child == 0) {
      child = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      if (node == 0) {
        first_[byte] = child;
        ++first_byte_count_;
        only_first_byte_ = byte;
      } else {
        auto& children = nodes_[node].children;
        const auto place =
            std::lower_bound(children.begin(), children.end(), byte,
                             [](const auto& other, uint8_t b) { return other.first < b; });
        children.insert(place, {byte, child});
      }
    }
    node = child;
  }
  if (nodes_[node].id != kNone) return false;
  nodes_[node].id = id;
  return true;
}

size_t TokenTrie::SkipTo(std::string_view text, size_t start) const {
  if (first_byte_count_ == 0) return text.size();
  if (first_byte_count_ == 1) {
    if (start >= text.size()) return text.size();
    const void* at = std::memchr(text.data() + start, only_first_byte_, text.size() - start);
    return at == nullptr ? text.size()
                         : static_cast<size_t>(static_cast<const char*>(at) - text.data());
  }
  while (start < text.size() && first_[static_cast<uint8_t>(text[start])] == 0) ++start;
  return start;
}

Status AddedVocabulary::Add(const std::vector<AddedToken>& tokens, const TokenizerModel& model,
                            const Normalizer* normalizer) {
  const auto model_size = static_cast<int64_t>(model.vocab_size());
  int64_t next_id = model_size;
  if (!by_id_.empty() && (by_id_.rbegin()->first >= model_size || model_size == 0)) {
    next_id = int64_t{by_id_.rbegin()->first} + 1;
  }
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    if (token.content.size() > kMaxTokenBytes) {
      return Status::BadFile("", "added_tokens",
                             fmt::format("a token of {} bytes", token.content.size()),
                             fmt::format("exceeds the limit of {}", kMaxTokenBytes));
    }
    const auto known = by_content_.find(token.content);
    if (known != by_content_.end()) {
      const auto same = by_id_.find(known->second);
      if (same != by_id_.end() && same->second == token) continue;
    }
    std::optional<int32_t> id = TokenToId(token.content);
    if (!id) id = model.TokenToId(token.content);
    if (!id) {
      if (next_id > INT32_MAX) {
        return Status::BadFile("", "added_tokens", "have no free id", "below 2^31");
      }
      id = static_cast<int32_t>(next_id++);
    }
    if (token.normalized && normalizer != nullptr) {
      MarkedText form{token.content, {}};
      PatternBudget budget = PatternBudget::ForText(token.content.size());
      FATHOM_TRY(normalizer->Apply(form, budget));
      if (form.text != token.content) normalized_forms_[*id] = form.text;
    }
    by_content_[token.content] = *id;
    if (token.special) special_strings_.insert(token.content);
    by_id_[*id] = token;
  }
  return RebuildTries();
}

Status AddedVocabulary::RebuildTries() {
  plain_trie_ = TokenTrie();
  normalized_trie_ = TokenTrie();
  has_special_normalized_ = false;
  for (const auto& [id, token] : by_id_) {
    const auto form = normalized_forms_.find(id);
    const bool use_form = token.normalized && form != normalized_forms_.end();
    const std::string& text = use_form ? form->second : token.content;
    TokenTrie& trie = token.normalized ? normalized_trie_ : plain_trie_;
    has_special_normalized_ |= token.normalized && IsSpecialString(token.content);
    if (text.empty() || !trie.Insert(text, id)) {
      return Status::BadFile(
          "", "added_tokens", fmt::format("\"{}\"", token.content),
          text.empty() ? "normalizes to nothing" : "normalizes to the same text as another one");
    }
  }
  return Status::Ok();
}

void AddedVocabulary::Find(std::string_view text, bool normalized, const SpecialScope& scope,
                           std::vector<AddedSpan>& spans) const {
  const TokenTrie& trie = normalized ? normalized_trie_ : plain_trie_;
  size_t covered = 0;  // end of the last span
  size_t position = 0;
  while ((position = trie.SkipTo(text, position)) < text.size()) {
    size_t length = 0;
    int32_t id = TokenTrie::kNone;
    trie.Walk(text, position, [&](size_t candidate_length, int32_t candidate) {
      // A special token across the border of a trusted span is none at all.
      const bool special = IsSpecialString(by_id_.at(candidate).content);
      if (special && TrustOf(scope, position, position + candidate_length) == Trust::kMixed) return;
      length = candidate_length;
      id = candidate;
    });
    if (id == TokenTrie::kNone) {
      ++position;
      continue;
    }
    const AddedToken& token = by_id_.at(id);
    size_t begin = position;
    size_t end = position + length;
    position = end;  // also where the match is not taken: tokenizers searches on behind it
    if (IsSpecialString(token.content) && TrustOf(scope, begin, end) != Trust::kAll) continue;
    if (token.single_word &&
        (EndsWithWord(text.substr(0, begin)) || StartsWithWord(text.substr(end)))) {
      continue;
    }
    if (token.lstrip) begin = SpaceBegin(text.substr(0, begin), covered);
    if (token.rstrip) end += SpaceEnd(text.substr(end));
    begin = std::min(begin, end);
    if (covered < begin) spans.push_back({covered, begin, -1});
    spans.push_back({begin, end, id});
    covered = end;
  }
  if (covered < text.size()) spans.push_back({covered, text.size(), -1});
}

std::optional<int32_t> AddedVocabulary::TokenToId(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  if (found == by_content_.end()) return std::nullopt;
  return found->second;
}

const std::string* AddedVocabulary::DecodeForm(int32_t id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  const auto form = normalized_forms_.find(id);
  return form == normalized_forms_.end() ? &found->second.content : &form->second;
}

const AddedToken* AddedVocabulary::Get(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

bool AddedVocabulary::IsSpecialString(std::string_view content) const {
  return special_strings_.contains(std::string(content));
}

size_t AddedVocabulary::beyond_model_count(const TokenizerModel& model) const {
  return static_cast<size_t>(std::count_if(by_content_.begin(), by_content_.end(), [&](auto& item) {
    return !model.TokenToId(item.first).has_value();
  }));
}

}  // namespace fathom
