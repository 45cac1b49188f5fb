#include "text/fast_encoder.h"

#include <cstdlib>

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/known_patterns.h"
#include "text/scanners.h"
#include "text/word_cache.h"

namespace fathom {
namespace {

constexpr uint64_t LowBytes(size_t count) {
  return count >= 8 ? UINT64_MAX : (uint64_t{1} << (8 * count)) - 1;
}

}  // namespace

const uint64_t ShortWordCache::kMasks[34] = {
    LowBytes(0), LowBytes(1), LowBytes(2), LowBytes(3), LowBytes(4), LowBytes(5), LowBytes(6),
    LowBytes(7), LowBytes(8), LowBytes(8), LowBytes(8), LowBytes(8), LowBytes(8), LowBytes(8),
    LowBytes(8), LowBytes(8), LowBytes(8),
    // the high half
    0, 0, 0, 0, 0, 0, 0, 0, 0, LowBytes(1), LowBytes(2), LowBytes(3), LowBytes(4), LowBytes(5),
    LowBytes(6), LowBytes(7), LowBytes(8)};

struct FastScratch {
  ShortWordCache short_words;
  LongWordCache long_words;
  MergeScratch merge;
  std::string written;     // a word in the byte-level alphabet
  std::string with_space;  // a text behind its prefix space
  std::vector<PatternSpan> spans;
  // The ids of the running call. Grown by hand: one check a word.
  std::vector<int32_t> ids;
  size_t count = 0;

  int32_t* Room(size_t more) {
    if (ids.size() - count < more) ids.resize((count + more) * 2 + 1024);
    return ids.data() + count;
  }
};

void FastScratchDeleter::operator()(FastScratch* scratch) const { delete scratch; }

FastScratchPtr FastEncoder::NewScratch() const { return FastScratchPtr(new FastScratch()); }

void FastEncoder::Trim(FastScratch& scratch) {
  constexpr size_t kKeptItems = 1 << 18;
  scratch.merge.Trim();
  if (scratch.ids.capacity() > kKeptItems) scratch.ids = {};
  if (scratch.spans.capacity() > kKeptItems) scratch.spans = {};
  if (scratch.with_space.capacity() > kKeptItems) scratch.with_space = {};
}

Result<std::unique_ptr<FastEncoder>> FastEncoder::Make(const PreTokenizer* pre_tokenizer,
                                                       const BpeModel& model) {
  std::unique_ptr<FastEncoder> encoder(new FastEncoder(pre_tokenizer, model));
  encoder->description_ = "words";
  const std::optional<ScanPlan> plan =
      pre_tokenizer == nullptr ? std::nullopt : pre_tokenizer->Plan();
  if (!plan || !plan->byte_level || !model.is_plain_byte_level()) return encoder;
  encoder->byte_words_ = true;
  encoder->add_prefix_space_ = plan->add_prefix_space;
  encoder->isolate_digits_ = plan->isolate_digits;
  if (plan->pattern == kGpt2Pattern) {
    encoder->scan_ = &FastEncoder::Scan<Gpt2Scanner>;
    encoder->description_ = "scanner gpt2";
  } else if (plan->pattern == kLlama3Pattern) {
    encoder->scan_ = &FastEncoder::Scan<Cl100kScanner<3>>;
    encoder->description_ = "scanner llama3";
  } else if (plan->pattern == kQwen2Pattern) {
    encoder->scan_ = &FastEncoder::Scan<Cl100kScanner<1>>;
    encoder->description_ = "scanner qwen2";
  } else if (!plan->pattern.empty()) {
    FATHOM_ASSIGN(Pattern pattern, Pattern::Regex(plan->pattern, "pre_tokenizer"));
    encoder->pattern_ = std::make_unique<Pattern>(std::move(pattern));
    encoder->description_ = "pattern";
  } else {
    encoder->description_ = "whole texts";
  }
  if (plan->isolate_digits) encoder->description_ += ", digits alone";
  return encoder;
}

Status FastEncoder::Encode(std::string_view text, FastScratch& scratch, PatternBudget& budget,
                           std::vector<int32_t>& ids) const {
  if (text.empty()) return Status::Ok();
  if (!byte_words_) return EncodeWords(text, budget, scratch, ids);
  if (add_prefix_space_ && !text.starts_with(' ')) {
    scratch.with_space.assign(1, ' ');
    scratch.with_space += text;
    text = scratch.with_space;
  }
  scratch.count = 0;
  if (!isolate_digits_) {
    FATHOM_TRY(EncodePart(text, scratch, budget));
  } else {
    const auto* data = reinterpret_cast<const uint8_t*>(text.data());
    size_t begin = 0;
    for (size_t i = 0; i < text.size();) {
      const DecodedCodePoint decoded = DecodeUtf8(text, i);
      const auto size = static_cast<size_t>(decoded.size_bytes);
      if (HasFlag(decoded.code_point, kRustNumeric)) {
        FATHOM_TRY(EncodePart(text.substr(begin, i - begin), scratch, budget));
        EmitWord(data + i, size, data + text.size(), scratch);
        begin = i + size;
      }
      i += size;
    }
    FATHOM_TRY(EncodePart(text.substr(begin), scratch, budget));
  }
  ids.insert(ids.end(), scratch.ids.begin(),
             scratch.ids.begin() + static_cast<ptrdiff_t>(scratch.count));
  return Status::Ok();
}

Status FastEncoder::EncodePart(std::string_view text, FastScratch& scratch,
                               PatternBudget& budget) const {
  if (text.empty()) return Status::Ok();
  if (scan_ != nullptr) {
    (this->*scan_)(text, scratch);
    return Status::Ok();
  }
  scratch.spans.clear();
  if (pattern_ != nullptr) {
    FATHOM_TRY(pattern_->FindSpans(text, budget, scratch.spans));
  } else {
    scratch.spans.push_back({0, text.size(), true});
  }
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  for (const PatternSpan& span : scratch.spans) {
    if (span.begin == span.end) continue;
    EmitWord(data + span.begin, span.end - span.begin, data + text.size(), scratch);
  }
  return Status::Ok();
}

Status FastEncoder::EncodeWords(std::string_view text, PatternBudget& budget, FastScratch& scratch,
                                std::vector<int32_t>& ids) const {
  std::vector<TextPiece> pieces;
  pieces.push_back({std::string(text), -1});
  if (pre_tokenizer_ != nullptr) FATHOM_TRY(pre_tokenizer_->Apply(pieces, budget));
  for (const TextPiece& piece : pieces) {
    FATHOM_TRY(model_.TokenizeFast(piece.text, scratch.merge, ids));
  }
  return Status::Ok();
}

template <typename Scanner>
void FastEncoder::Scan(std::string_view text, FastScratch& scratch) const {
  static const ScanClasses classes;
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* end = p + text.size();
  while (p < end) {
    const uint8_t* next = Scanner::Next(classes, p, end);
    EmitWord(p, static_cast<size_t>(next - p), end, scratch);
    p = next;
  }
}

inline void FastEncoder::EmitWord(const uint8_t* word, size_t size, const uint8_t* readable_end,
                                  FastScratch& scratch) const {
  if (size > ShortWordCache::kMaxBytes) return EmitLongWord(word, size, scratch);
  const ShortWordCache::Key key = ShortWordCache::MakeKey(word, size, readable_end);
  const ShortWordCache::Entry* entry = scratch.short_words.Find(key);
  if (entry == nullptr) return EmitLongWord(word, size, scratch);
  int32_t* out = scratch.Room(ShortWordCache::kMaxIds);
  for (size_t i = 0; i < ShortWordCache::kMaxIds; ++i) out[i] = entry->ids[i];
  scratch.count += entry->count;
}

void FastEncoder::EmitLongWord(const uint8_t* word, size_t size, FastScratch& scratch) const {
  const bool cacheable = size <= LongWordCache::kMaxBytes;
  uint64_t hash = 0;
  if (cacheable) {
    hash = HashBytes(reinterpret_cast<const char*>(word), size);
    const LongWordCache::Entry* entry = scratch.long_words.Find(hash, word, size);
    if (entry != nullptr) {
      std::memcpy(scratch.Room(entry->count), entry->ids, entry->count * sizeof(int32_t));
      scratch.count += entry->count;
      return;
    }
  }
  MergeWord(word, size, scratch);
  const std::vector<int32_t>& symbols = scratch.merge.symbols;
  const size_t count = symbols.size();
  if (count > 0) std::memcpy(scratch.Room(count), symbols.data(), count * sizeof(int32_t));
  scratch.count += count;
  if (size <= ShortWordCache::kMaxBytes && count <= ShortWordCache::kMaxIds) {
    const ShortWordCache::Key key = ShortWordCache::MakeKey(word, size, word);
    scratch.short_words.Insert(key, symbols.data(), count);
  } else if (cacheable && count <= LongWordCache::kMaxIds) {
    scratch.long_words.Insert(hash, word, size, symbols.data(), count);
  }
}

void FastEncoder::MergeWord(const uint8_t* word, size_t size, FastScratch& scratch) const {
  std::vector<int32_t>& symbols = scratch.merge.symbols;
  symbols.clear();
  if (model_.ignore_merges()) {
    scratch.written.clear();
    AppendByteLevel({reinterpret_cast<const char*>(word), size}, scratch.written);
    const int32_t id = model_.vocab().Find(scratch.written);
    if (id >= 0) {
      symbols.push_back(id);
      return;
    }
  }
  symbols.reserve(size);
  for (size_t i = 0; i < size; ++i) {
    const int32_t symbol = model_.byte_symbol(word[i]);
    if (symbol >= 0) symbols.push_back(symbol);
  }
  model_.Merge(scratch.merge);
}

}  // namespace fathom
