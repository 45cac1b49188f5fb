#include "text/tokenizer_sections.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/utf8.h"

namespace fathom {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101;

// The high bit of each byte of `word` that equals `byte`; bytes above a found one may be marked
// too.
uint64_t BytesEqual(uint64_t word, uint8_t byte) {
  const uint64_t x = word ^ (kOnes * byte);
  return (x - kOnes) & ~x & (kOnes * 0x80);
}

// A cursor over JSON. Each function returns false where the text is not what it reads.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : p_(text.data()), end_(p_ + text.size()) {}

  const char* place() const { return p_; }
  bool at_end() const { return p_ == end_; }

  void SkipSpace() {
    static_assert(std::endian::native == std::endian::little);
    while (p_ < end_) {
      if (*p_ == ' ') {
        // Indentation: eight spaces at a time.
        while (end_ - p_ >= 8 && Load() == kOnes * ' ') p_ += 8;
        while (p_ < end_ && *p_ == ' ') ++p_;
      } else if (*p_ == '\n' || *p_ == '\r' || *p_ == '\t') {
        ++p_;
      } else {
        return;
      }
    }
  }
  bool Take(char c) {
    SkipSpace();
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  bool Peek(char c) {
    SkipSpace();
    return p_ < end_ && *p_ == c;
  }

  // Appends a string to the pool.
  bool String(StringPool& pool, StringPool::Ref& ref) {
    if (!Take('"')) return false;
    const char* begin = p_;
    if (!SkipPlain()) return false;
    if (*p_ == '"') {
      ref = pool.Add({begin, static_cast<size_t>(p_ - begin)});
      ++p_;
      return true;
    }
    unescaped_.assign(begin, p_);
    while (*p_ != '"') {
      if (*p_ != '\\' || !Escape()) return false;
      const char* plain = p_;
      if (!SkipPlain()) return false;
      unescaped_.append(plain, p_);
    }
    ++p_;
    ref = pool.Add(unescaped_);
    return true;
  }
  // A string without escapes, as it stands.
  bool PlainString(std::string_view& out) {
    if (!Take('"')) return false;
    const char* begin = p_;
    if (!SkipPlain() || *p_ != '"') return false;
    out = {begin, static_cast<size_t>(p_ - begin)};
    ++p_;
    return true;
  }
  // A number without sign, fraction or exponent, of at most nine digits.
  bool SmallNumber(int64_t& out) {
    constexpr ptrdiff_t kMostDigits = 9;
    SkipSpace();
    const char* begin = p_;
    out = 0;
    while (p_ < end_ && p_ - begin <= kMostDigits && *p_ >= '0' && *p_ <= '9') {
      out = out * 10 + (*p_++ - '0');
    }
    const auto digits = p_ - begin;
    if (digits == 0 || digits > kMostDigits || (digits > 1 && *begin == '0')) return false;
    return p_ < end_ && *p_ != '.' && *p_ != 'e' && *p_ != 'E';
  }
  // Passes over any value, of which only strings and brackets are looked at: the general reader
  // sees it again.
  bool SkipValue() {
    int depth = 0;
    do {
      SkipSpace();
      if (p_ == end_) return false;
      const char c = *p_;
      if (c == '"') {
        if (!SkipString()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++p_;
      } else if (c == '}' || c == ']') {
        if (--depth < 0) return false;
        ++p_;
      } else if (c == ',' || c == ':') {
        if (depth == 0) return false;
        ++p_;
      } else {
        while (p_ < end_ && std::strchr(" \n\r\t,:{}[]\"", *p_) == nullptr) ++p_;
      }
    } while (depth > 0);
    return true;
  }

 private:
  uint64_t Load() const {
    uint64_t word;
    std::memcpy(&word, p_, 8);
    return word;
  }
  // To the next quote, backslash or control character; false at the end of the text and at a
  // control character.
  bool SkipPlain() {
    while (end_ - p_ >= 8) {
      const uint64_t word = Load();
      // Below 0x20: what a subtraction borrows from, the high bit not set.
      const uint64_t control = (word - kOnes * 0x20) & ~word & (kOnes * 0x80);
      const uint64_t found = BytesEqual(word, '"') | BytesEqual(word, '\\') | control;
      if (found == 0) {
        p_ += 8;
        continue;
      }
      p_ += std::countr_zero(found) / 8;
      return static_cast<uint8_t>(*p_) >= 0x20;
    }
    while (p_ < end_ && *p_ != '"' && *p_ != '\\' && static_cast<uint8_t>(*p_) >= 0x20) ++p_;
    return p_ < end_ && static_cast<uint8_t>(*p_) >= 0x20;
  }
  bool SkipString() {
    ++p_;
    while (SkipPlain()) {
      if (*p_ == '"') {
        ++p_;
        return true;
      }
      if (end_ - p_ < 2) return false;
      p_ += 2;
    }
    return false;
  }
  bool Hex4(uint32_t& out) {
    if (end_ - p_ < 4) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *p_++;
      uint32_t digit;
      if (c >= '0' && c <= '9') {
        digit = static_cast<uint32_t>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = static_cast<uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        return false;
      }
      out = out << 4 | digit;
    }
    return true;
  }
  // An escape at its backslash; appends to unescaped_.
  bool Escape() {
    if (end_ - p_ < 2) return false;
    const char kind = p_[1];
    p_ += 2;
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    const size_t found = kNames.find(kind);
    if (found != std::string_view::npos) {
      unescaped_ += kValues[found];
      return true;
    }
    uint32_t code_point;
    if (kind != 'u' || !Hex4(code_point)) return false;
    if (code_point >= 0xD800 && code_point < 0xE000) {
      uint32_t low;
      if (code_point >= 0xDC00 || end_ - p_ < 6 || p_[0] != '\\' || p_[1] != 'u') return false;
      p_ += 2;
      if (!Hex4(low) || low < 0xDC00 || low >= 0xE000) return false;
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code_point == 0) return false;  // the general reader's matter
    AppendUtf8(code_point, unescaped_);
    return true;
  }

  const char* p_;
  const char* end_;
  std::string unescaped_;
};

// Offsets into a pool have 32 bits.
bool IsFull(const StringPool& pool) { return pool.size_bytes() >= size_t{1} << 31; }

bool ReadVocab(Cursor& cursor, ModelJson& model) {
  if (!cursor.Take('{')) return false;
  if (cursor.Take('}')) return true;
  do {
    StringPool::Ref token;
    int64_t id;
    if (IsFull(model.pool) || !cursor.String(model.pool, token) || !cursor.Take(':') ||
        !cursor.SmallNumber(id)) {
      return false;
    }
    model.vocab.emplace_back(token, id);
  } while (cursor.Take(','));
  return cursor.Take('}');
}

// "a b"
bool ReadLegacyMerge(Cursor& cursor, StringPool& pool,
                     std::pair<StringPool::Ref, StringPool::Ref>& merge) {
  StringPool::Ref line;
  if (!cursor.String(pool, line)) return false;
  const std::string_view text = pool.Get(line);
  if (text.starts_with("#version")) return false;
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    return false;
  }
  const auto left = static_cast<uint32_t>(space);
  merge = {{line.offset, left}, {line.offset + left + 1, line.size - left - 1}};
  return true;
}

bool ReadMerges(Cursor& cursor, ModelJson& model) {
  if (!cursor.Take('[')) return false;
  if (cursor.Take(']')) return true;
  StringPool& pool = model.merge_pool;
  do {
    if (IsFull(pool)) return false;
    std::pair<StringPool::Ref, StringPool::Ref> merge;
    if (cursor.Peek('"')) {
      if (!ReadLegacyMerge(cursor, pool, merge)) return false;
    } else if (!cursor.Take('[') || !cursor.String(pool, merge.first) || !cursor.Take(',') ||
               !cursor.String(pool, merge.second) || !cursor.Take(']')) {
      return false;
    }
    model.merges.push_back(merge);
  } while (cursor.Take(','));
  return cursor.Take(']');
}

// Copies the document into `rest` up to each section that it reads.
class SectionReader {
 public:
  SectionReader(std::string_view text, ModelJson& model, std::string& rest)
      : text_(text), cursor_(text), model_(model), rest_(rest) {}

  bool Read() {
    bool has_model = false;
    const bool good = Members([&](std::string_view key) {
      if (key != "model") return cursor_.SkipValue();
      if (has_model || !cursor_.Peek('{')) return false;
      has_model = true;
      return Model();
    });
    cursor_.SkipSpace();
    if (!good || !cursor_.at_end() || !model_.has_vocab) return false;
    rest_.append(copied_, text_.data() + text_.size());
    return true;
  }

 private:
  // An object; member(key) reads each value.
  template <typename Member>
  bool Members(const Member& member) {
    if (!cursor_.Take('{')) return false;
    if (cursor_.Take('}')) return true;
    do {
      std::string_view key;
      if (!cursor_.PlainString(key) || !cursor_.Take(':') || !member(key)) return false;
    } while (cursor_.Take(','));
    return cursor_.Take('}');
  }

  bool Model() {
    return Members([&](std::string_view key) {
      if (key == "vocab") return Section('{', model_.has_vocab, ReadVocab, "{}");
      if (key == "merges") return Section('[', model_.has_merges, ReadMerges, "[]");
      return cursor_.SkipValue();
    });
  }

  bool Section(char first, bool& seen, bool (*read)(Cursor&, ModelJson&), std::string_view empty) {
    if (seen || !cursor_.Peek(first)) return false;
    seen = true;
    rest_.append(copied_, cursor_.place());
    rest_ += empty;
    const bool good = read(cursor_, model_);
    copied_ = cursor_.place();
    return good;
  }

  std::string_view text_;
  Cursor cursor_;
  ModelJson& model_;
  std::string& rest_;
  const char* copied_ = text_.data();
};

}  // namespace

bool ReadModelSections(std::string_view text, ModelJson& model, std::string& rest) {
  if (!IsValidUtf8(text)) return false;
  model.pool.Reserve(text.size() / 4);
  model.merge_pool.Reserve(text.size() / 4);
  model.vocab.reserve(text.size() / 48);
  model.merges.reserve(text.size() / 48);
  return SectionReader(text, model, rest).Read();
}

}  // namespace fathom
