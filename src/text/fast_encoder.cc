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
  explicit FastScratch(bool parts_apart) {
    if (parts_apart) own_part_words = std::make_unique<ShortWordCache>();
    part_words = parts_apart ? own_part_words.get() : &short_words;
  }

  ShortWordCache short_words;
  // Parts of words (models/merge_borders.h). What a part gives by merging may differ from what it
  // gives as a word of its own, where a word of the vocabulary is not merged.
  std::unique_ptr<ShortWordCache> own_part_words;
  ShortWordCache* part_words;
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

FastScratchPtr FastEncoder::NewScratch() const {
  return FastScratchPtr(new FastScratch(model_.ignore_merges()));
}

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
  // A long word of another script is a sentence, which does not come again.
  const bool is_short = size <= ShortWordCache::kMaxBytes;
  const bool cacheable = is_short || (size <= LongWordCache::kMaxBytes && word[1] < 0x80);
  uint64_t hash = 0;
  if (cacheable && !is_short) {
    hash = HashBytes(reinterpret_cast<const char*>(word), size);
    const LongWordCache::Entry* entry = scratch.long_words.Find(hash, word, size);
    if (entry != nullptr) {
      std::memcpy(scratch.Room(entry->count), entry->ids, entry->count * sizeof(int32_t));
      scratch.count += entry->count;
      return;
    }
  }
  const size_t before = scratch.count;
  const uint8_t* cut = FirstCut(word, word + 1, word + size);
  // A word with a cut is the product of no merge.
  const bool may_be_token =
      model_.ignore_merges() && (cut == word + size || model_.HasUnmergedToken(size));
  const int32_t whole = may_be_token ? FindWholeWord(word, size, scratch) : -1;
  if (whole >= 0) {
    *scratch.Room(1) = whole;
    ++scratch.count;
  } else {
    EmitParts(word, cut, word + size, scratch);
  }
  if (!cacheable) return;
  const int32_t* ids = scratch.ids.data() + before;
  const size_t count = scratch.count - before;
  if (is_short && count <= ShortWordCache::kMaxIds) {
    scratch.short_words.Insert(ShortWordCache::MakeKey(word, size, word), ids, count);
  } else if (!is_short && count <= LongWordCache::kMaxIds) {
    scratch.long_words.Insert(hash, word, size, ids, count);
  }
}

int32_t FastEncoder::FindWholeWord(const uint8_t* word, size_t size, FastScratch& scratch) const {
  if (size > model_.vocab().max_token_bytes()) return -1;  // written it is no shorter
  scratch.written.clear();
  AppendByteLevel({reinterpret_cast<const char*>(word), size}, scratch.written);
  return model_.vocab().FindRare(scratch.written);
}

// The first place from p on where no merge joins, or the end.
const uint8_t* FastEncoder::FirstCut(const uint8_t* word, const uint8_t* p,
                                     const uint8_t* end) const {
  const MergeBorders& borders = model_.borders();
  while (p < end && ((*p & 0xC0) == 0x80 || borders.MayJoin(word, p, end))) ++p;
  return p;
}

// Merges the parts between the cuts; `cut` is the first of them.
void FastEncoder::EmitParts(const uint8_t* word, const uint8_t* cut, const uint8_t* end,
                            FastScratch& scratch) const {
  if (cut == end) {  // the word's own cache was asked already
    model_.MergeBytes(word, static_cast<size_t>(end - word), scratch.merge);
    return EmitMerged(scratch);
  }
  for (const uint8_t* begin = word; begin < end;) {
    EmitPart(begin, static_cast<size_t>(cut - begin), end, scratch);
    begin = cut;
    if (cut < end) cut = FirstCut(word, cut + 1, end);
  }
}

void FastEncoder::EmitPart(const uint8_t* part, size_t size, const uint8_t* readable_end,
                           FastScratch& scratch) const {
  const bool is_short = size <= ShortWordCache::kMaxBytes;
  ShortWordCache::Key key{};
  if (is_short) {
    key = ShortWordCache::MakeKey(part, size, readable_end);
    const ShortWordCache::Entry* entry = scratch.part_words->Find(key);
    if (entry != nullptr) {
      int32_t* out = scratch.Room(ShortWordCache::kMaxIds);
      for (size_t i = 0; i < ShortWordCache::kMaxIds; ++i) out[i] = entry->ids[i];
      scratch.count += entry->count;
      return;
    }
  }
  model_.MergeBytes(part, size, scratch.merge);
  EmitMerged(scratch);
  const std::vector<int32_t>& symbols = scratch.merge.symbols;
  if (is_short && symbols.size() <= ShortWordCache::kMaxIds) {
    scratch.part_words->Insert(key, symbols.data(), symbols.size());
  }
}

void FastEncoder::EmitMerged(FastScratch& scratch) {
  const std::vector<int32_t>& symbols = scratch.merge.symbols;
  const size_t count = symbols.size();
  if (count > 0) std::memcpy(scratch.Room(count), symbols.data(), count * sizeof(int32_t));
  scratch.count += count;
}

}  // namespace fathom
