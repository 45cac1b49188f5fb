#include "text/template/wrap.h"

#include <algorithm>

namespace fathom::jinja {
namespace {

struct Chunk {
  size_t begin, end;
  size_t size() const { return end - begin; }
};

bool IsWord(char32_t c) { return IsAlnum(c) || c == '_'; }
bool IsBlank(char32_t c) { return c == ' ' || (c >= 9 && c <= 13); }

// The pieces between which a line may break (textwrap's wordsep_re).
class Chunker {
 public:
  explicit Chunker(TextView text) : text_(text) {}

  std::vector<Chunk> Chunks(bool on_hyphens) const {
    std::vector<Chunk> chunks;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = IsBlank(text_[at]) ? BlankEnd(at) : on_hyphens ? PartEnd(at) : WordEnd(at);
      Heap::Current().Step();
      chunks.push_back({at, end});
      at = end;
    }
    return chunks;
  }

 private:
  bool Letter(size_t at) const {
    return at < text_.size() && IsWord(text_[at]) && !Contains(kDecimal, text_[at]);
  }
  bool WordOrPunctuation(size_t at) const {
    return IsWord(text_[at]) || TextView(U"!\"'&.,?").find(text_[at]) != TextView::npos;
  }
  size_t BlankEnd(size_t at) const {
    while (at < text_.size() && IsBlank(text_[at])) ++at;
    return at;
  }
  size_t WordEnd(size_t at) const {
    while (at < text_.size() && !IsBlank(text_[at])) ++at;
    return at;
  }
  // Two dashes or more before a word, at `at`: where they end, or `at`.
  size_t DashesEnd(size_t at) const {
    size_t end = at;
    while (end < text_.size() && text_[end] == '-') ++end;
    return end >= at + 2 && end < text_.size() && IsWord(text_[end]) ? end : at;
  }
  // A hyphen inside a word, at `at`, after which a line may break.
  bool BreakingHyphen(size_t at) const {
    if (text_[at] != '-') return false;
    const bool before =
        (at >= 2 && Letter(at - 1) && Letter(at - 2)) ||
        (at >= 3 && Letter(at - 3) && text_[at - 2] == '-' && WordOrPunctuation(at - 1));
    if (!before || !Letter(at + 1)) return false;
    return Letter(at + 2) || (at + 2 < text_.size() && text_[at + 2] == '-' && Letter(at + 3));
  }
  size_t PartEnd(size_t at) const {
    if (at > 0 && WordOrPunctuation(at - 1)) {
      const size_t dashes = DashesEnd(at);
      if (dashes != at) return dashes;
    }
    for (size_t end = at + 1;; ++end) {
      if (end == text_.size() || IsBlank(text_[end])) return end;
      if (BreakingHyphen(end)) return end + 1;
      if (WordOrPunctuation(end - 1) && DashesEnd(end) != end) return end;
    }
  }

  TextView text_;
};

class Wrapper {
 public:
  Wrapper(const String& text, const WrapOptions& options)
      : text_(text),
        options_(options),
        width_(static_cast<size_t>(options.width)),
        chunks_(Chunker(text.view()).Chunks(options.break_on_hyphens)) {}

  Values Lines() {
    while (next_ < chunks_.size()) {
      if (!lines_.empty() && Blank(chunks_[next_])) ++next_;
      TakeLine();
    }
    return std::move(lines_);
  }

 private:
  bool Blank(const Chunk& chunk) const {
    const TextView text = text_.view().substr(chunk.begin, chunk.size());
    return std::all_of(text.begin(), text.end(), IsSpace);
  }

  void TakeLine() {
    std::vector<Chunk> line;
    size_t size = 0;
    while (next_ < chunks_.size() && size + chunks_[next_].size() <= width_) {
      size += chunks_[next_].size();
      line.push_back(chunks_[next_++]);
    }
    if (next_ < chunks_.size() && chunks_[next_].size() > width_) TakeLongWord(line, size);
    if (!line.empty() && Blank(line.back())) line.pop_back();
    if (!line.empty()) lines_.push_back(SubString(text_, line.front().begin, line.back().end));
  }

  void TakeLongWord(std::vector<Chunk>& line, size_t size) {
    Chunk& chunk = chunks_[next_];
    if (!options_.break_long_words) {
      if (line.empty()) line.push_back(chunks_[next_++]);
      return;
    }
    size_t take = width_ - size;
    if (options_.break_on_hyphens && chunk.size() > take) {
      const TextView head = text_.view().substr(chunk.begin, take);
      const size_t hyphen = head.rfind(U'-');
      if (hyphen != TextView::npos && hyphen > 0 &&
          head.substr(0, hyphen).find_first_not_of(U'-') != TextView::npos) {
        take = hyphen + 1;
      }
    }
    line.push_back({chunk.begin, chunk.begin + take});
    chunk.begin += take;
  }

  const String& text_;
  const WrapOptions& options_;
  const size_t width_;
  std::vector<Chunk> chunks_;
  size_t next_ = 0;
  Values lines_;
};

}  // namespace

Values WrapText(const String& text, const WrapOptions& options) {
  if (options.width <= 0) Raise(ErrorKind::kValue, "invalid width {} (must be > 0)", options.width);
  return Wrapper(text, options).Lines();
}

}  // namespace fathom::jinja
