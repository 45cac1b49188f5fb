#include "text/models/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <queue>

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/component.h"

namespace fathom {
namespace {

// A symbol of the reference encoder: a doubly linked list in an array (Word in word.rs).
struct Symbol {
  int32_t id;
  int64_t previous;
  int64_t next;
  bool removed;
};

struct Candidate {
  uint32_t rank;
  size_t position;
  int32_t merged_id;
  friend bool operator<(const Candidate& a, const Candidate& b) {  // the heap's top is the lowest
    return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
  }
};

// Whether a token looks like a byte token, and is none: <0x-1>, <0xZZ>.
bool IsBadByteToken(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>') &&
         ByteOfByteToken(token) < 0;
}

Status CheckDropout(const JsonValue& fields) {
  const JsonValue* dropout = fields.Find("dropout");
  if (dropout == nullptr || dropout->is_null()) return Status::Ok();
  if (dropout->is_number() && dropout->as_double() == 0.0) return Status::Ok();
  return Status::BadFile("", "model.dropout", WriteJson(*dropout).substr(0, 40),
                         "is not supported (only null and 0: ids must not be random)");
}

}  // namespace

PairTable::PairTable(size_t pair_count, int32_t max_id) {
  const size_t size = std::bit_ceil(pair_count + pair_count / 2 + 2);
  if (max_id < (1 << kIdBits) - 1 && pair_count <= kRankMask) {
    narrow_.assign(size, kEmpty);
    filter_.assign(size * kFilterBits / 64 + 1, 0);
  } else {
    wide_.resize(size);
  }
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
  filter_shift_ = shift_ - std::countr_zero(kFilterBits);
}

void PairTable::Insert(int32_t left, int32_t right, uint32_t rank) {
  if (!narrow_.empty()) {
    const uint64_t key = NarrowKey(left, right);
    size_t i = Place(key);
    while (narrow_[i] != kEmpty && narrow_[i] >> kRankBits != key) i = (i + 1) & mask_;
    narrow_[i] = key << kRankBits | rank;
    const uint64_t bit = (key * kHash) >> filter_shift_;
    filter_[bit / 64] |= uint64_t{1} << (bit % 64);
    return;
  }
  const uint64_t key = WideKey(left, right);
  size_t i = Place(key);
  while (wide_[i].rank != kNoRank && wide_[i].key != key) i = (i + 1) & mask_;
  wide_[i] = {key, rank};
}

uint32_t PairTable::WideRank(int32_t left, int32_t right) const {
  const uint64_t key = WideKey(left, right);
  for (size_t i = Place(key);; i = (i + 1) & mask_) {
    if (wide_[i].key == key) return wide_[i].rank;
    if (wide_[i].rank == kNoRank) return kNoRank;
  }
}

Result<TokenizerModelPtr> BpeModel::Make(ModelJson json) {
  if (!json.has_vocab) return Status::BadFile("", "model.vocab", "is missing or no object");
  if (!json.has_merges) return Status::BadFile("", "model.merges", "is missing");
  FATHOM_TRY(CheckDropout(json.fields));
  const std::string where = "model";
  const JsonFields fields(json.fields, where);
  auto model = std::make_unique<BpeModel>();
  FATHOM_ASSIGN(model->prefix_, fields.String("continuing_subword_prefix", ""));
  FATHOM_ASSIGN(model->suffix_, fields.String("end_of_word_suffix", ""));
  FATHOM_ASSIGN(model->fuse_unk_, fields.Bool("fuse_unk", false));
  FATHOM_ASSIGN(model->byte_fallback_, fields.Bool("byte_fallback", false));
  FATHOM_ASSIGN(model->ignore_merges_, fields.Bool("ignore_merges", false));
  const JsonValue* unk = json.fields.Find("unk_token");
  if (unk != nullptr && !unk->is_null()) {
    FATHOM_ASSIGN(model->unk_token_, fields.String("unk_token"));
  }
  FATHOM_ASSIGN(model->vocab_, TokenTable::Make(std::move(json.pool), json.vocab));
  if (model->byte_fallback_) {
    for (size_t i = 0; i < model->vocab_.size(); ++i) {
      if (!IsBadByteToken(model->vocab_.token(i))) continue;
      return Status::BadFile("", fmt::format("model.vocab[\"{}\"]", model->vocab_.token(i)),
                             "is no byte token", "(<0x00> to <0xFF>)");
    }
  }
  model->FindByteSymbols();
  FATHOM_TRY(model->ReadMerges(json));
  return TokenizerModelPtr(std::move(model));
}

Status BpeModel::ReadMerges(const ModelJson& json) {
  // The table is larger than a cache: lookups of some merges ahead are under way at once.
  constexpr size_t kAhead = 32;
  struct Hashes {
    uint64_t left, right;
  } hashes[kAhead];
  const size_t count = json.merges.size();
  pairs_ = PairTable(count, vocab_.max_id());
  if (is_plain_byte_level_) {
    borders_ = MergeBorders(count);
    byte_ranks_.assign(256 * 256, PairTable::kNoRank);
  }
  merged_.reserve(count);
  TokenTable::Hint product_hint;
  for (size_t i = 0; i < count; ++i) {
    if (i % kAhead == 0) {
      for (size_t k = i; k < std::min(i + kAhead, count); ++k) {
        hashes[k - i] = {vocab_.HashAhead(json.merge_pool.Get(json.merges[k].first)),
                         vocab_.HashAhead(json.merge_pool.Get(json.merges[k].second))};
      }
    }
    const std::string_view left = json.merge_pool.Get(json.merges[i].first);
    const std::string_view right = json.merge_pool.Get(json.merges[i].second);
    const auto refuse = [&](std::string_view part) {
      return Status::BadFile("", fmt::format("model.merges[{}]", i),
                             fmt::format("\"{}\" + \"{}\"", left, right),
                             fmt::format("\"{}\" is not in the vocabulary", part));
    };
    const int32_t left_id = vocab_.FindHashed(left, hashes[i % kAhead].left);
    if (left_id < 0) return refuse(left);
    const int32_t right_id = vocab_.FindHashed(right, hashes[i % kAhead].right);
    if (right_id < 0) return refuse(right);
    if (right.size() < prefix_.size()) {
      return Status::BadFile("", fmt::format("model.merges[{}]", i), fmt::format("\"{}\"", right),
                             "is shorter than continuing_subword_prefix");
    }
    const int32_t merged_id = vocab_.FindJoined(left, right.substr(prefix_.size()), product_hint);
    if (merged_id < 0) return refuse(std::string(left) + std::string(right.substr(prefix_.size())));
    pairs_.Insert(left_id, right_id, static_cast<uint32_t>(i));
    merged_.push_back(merged_id);
    if (is_plain_byte_level_) NoteByteMerge(left, right, static_cast<uint32_t>(i));
  }
  if (is_plain_byte_level_ && ignore_merges_) FindUnmergedTokens();
  return Status::Ok();
}

void BpeModel::FindUnmergedTokens() {
  std::vector<bool> merged(static_cast<size_t>(vocab_.size()), false);
  for (const int32_t id : merged_) {
    if (static_cast<size_t>(id) < merged.size()) merged[static_cast<size_t>(id)] = true;
  }
  std::string bytes;
  for (size_t i = 0; i < vocab_.size(); ++i) {
    const auto id = static_cast<size_t>(vocab_.id(i));
    if (id < merged.size() && merged[id]) continue;
    bytes.clear();
    if (AppendBytesOfByteLevel(vocab_.token(i), bytes)) {
      unmerged_sizes_ |= uint64_t{1} << (bytes.size() % 64);
    }
  }
}

void BpeModel::NoteByteMerge(std::string_view left, std::string_view right, uint32_t rank) {
  borders_.Add(left, right);
  if (left.size() > 2 || right.size() > 2) return;
  std::string bytes;
  const bool written = AppendBytesOfByteLevel(left, bytes) && AppendBytesOfByteLevel(right, bytes);
  // Two characters of one byte each could also be four of the alphabet's ASCII.
  if (!written || bytes.size() != 2) return;
  byte_ranks_[size_t{static_cast<uint8_t>(bytes[0])} << 8 | static_cast<uint8_t>(bytes[1])] = rank;
}

void BpeModel::FindByteSymbols() {
  is_plain_byte_level_ = prefix_.empty() && suffix_.empty();
  has_all_byte_symbols_ = true;
  for (int byte = 0; byte < 256; ++byte) {
    std::string symbol;
    AppendUtf8(ByteLevelChar(static_cast<uint8_t>(byte)), symbol);
    byte_symbols_[byte] = vocab_.Find(symbol);
    has_all_byte_symbols_ &= byte_symbols_[byte] >= 0;
    if (byte_symbols_[byte] < 0 && (unk_token_ || byte_fallback_)) is_plain_byte_level_ = false;
  }
}

std::optional<int32_t> BpeModel::TokenToId(std::string_view token) const {
  const int32_t id = vocab_.Find(token);
  if (id < 0) return std::nullopt;
  return id;
}

bool BpeModel::AppendByteFallback(std::string_view symbol, std::vector<int32_t>& symbols) const {
  const size_t before = symbols.size();
  for (const char byte : symbol) {
    const int32_t id = vocab_.Find(fmt::format("<0x{:02X}>", static_cast<uint8_t>(byte)));
    if (id < 0) {
      symbols.resize(before);
      return false;
    }
    symbols.push_back(id);
  }
  return true;
}

Status BpeModel::AppendSymbols(std::string_view word, std::vector<int32_t>& symbols) const {
  bool unknown_waits = false;  // an unknown token not yet appended: it may fuse with the next one
  int32_t unk_id = -1;
  std::string spelled;
  for (size_t i = 0; i < word.size();) {
    const size_t end = i + static_cast<size_t>(DecodeUtf8(word, i).size_bytes);
    std::string_view symbol = word.substr(i, end - i);
    if ((i > 0 && !prefix_.empty()) || (end == word.size() && !suffix_.empty())) {
      spelled.assign(i > 0 ? prefix_ : "");
      spelled += symbol;
      if (end == word.size()) spelled += suffix_;
      symbol = spelled;
    }
    i = end;
    const int32_t id = vocab_.Find(symbol);
    if (id >= 0) {
      if (unknown_waits) symbols.push_back(unk_id);
      unknown_waits = false;
      symbols.push_back(id);
      continue;
    }
    // A waiting unknown token stays behind the bytes, as in merge_word.
    if (byte_fallback_ && AppendByteFallback(symbol, symbols)) continue;
    if (!unk_token_) continue;  // the symbol is dropped
    unk_id = vocab_.Find(*unk_token_);
    if (unk_id < 0) {
      return Status::BadFile("", "model.unk_token", fmt::format("\"{}\"", *unk_token_),
                             "is not in the vocabulary");
    }
    if (unknown_waits && !fuse_unk_) symbols.push_back(unk_id);
    unknown_waits = true;
  }
  if (unknown_waits) symbols.push_back(unk_id);
  return Status::Ok();
}

Status BpeModel::Tokenize(std::string_view word, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    const int32_t id = vocab_.Find(word);
    if (id >= 0) {
      ids.push_back(id);
      return Status::Ok();
    }
  }
  std::vector<int32_t> initial;
  FATHOM_TRY(AppendSymbols(word, initial));
  std::vector<Symbol> symbols;
  symbols.reserve(initial.size());
  const auto count = static_cast<int64_t>(initial.size());
  for (int64_t i = 0; i < count; ++i) {
    symbols.push_back({initial[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1, false});
  }
  std::priority_queue<Candidate> queue;
  const auto offer = [&](int64_t position) {
    if (position < 0) return;
    const Symbol& left = symbols[static_cast<size_t>(position)];
    if (left.next < 0) return;
    const uint32_t rank = pairs_.Rank(left.id, symbols[static_cast<size_t>(left.next)].id);
    if (rank == PairTable::kNoRank) return;
    queue.push({rank, static_cast<size_t>(position), merged_[rank]});
  };
  for (int64_t i = 0; i + 1 < count; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.position];
    if (left.removed || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    // The entry is out of date unless the pair that stands there now makes the same symbol.
    const uint32_t rank = pairs_.Rank(left.id, right.id);
    if (rank == PairTable::kNoRank || merged_[rank] != top.merged_id) continue;
    left.id = top.merged_id;
    left.next = right.next;
    right.removed = true;
    if (right.next >= 0) {
      symbols[static_cast<size_t>(right.next)].previous = static_cast<int64_t>(top.position);
    }
    offer(left.previous);
    offer(static_cast<int64_t>(top.position));
  }
  for (const Symbol& symbol : symbols) {
    if (!symbol.removed) ids.push_back(symbol.id);
  }
  return Status::Ok();
}

Status BpeModel::TokenizeFast(std::string_view word, MergeScratch& scratch,
                              std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    const int32_t id = vocab_.Find(word);
    if (id >= 0) {
      ids.push_back(id);
      return Status::Ok();
    }
  }
  scratch.symbols.clear();
  FATHOM_TRY(AppendSymbols(word, scratch.symbols));
  Merge(scratch);
  ids.insert(ids.end(), scratch.symbols.begin(), scratch.symbols.end());
  return Status::Ok();
}

void BpeModel::Merge(MergeScratch& scratch) const {
  const size_t count = scratch.symbols.size();
  if (count < 2) return;
  scratch.ranks.resize(count);
  for (size_t i = 0; i + 1 < count; ++i) {
    scratch.ranks[i] = pairs_.Rank(scratch.symbols[i], scratch.symbols[i + 1]);
  }
  MergeRanked(scratch);
}

void BpeModel::MergeBytes(const uint8_t* word, size_t size, MergeScratch& scratch) const {
  if (size > kFewSymbols && has_all_byte_symbols_) return MergeInWindows(word, size, scratch);
  MergeWhole(word, size, scratch);
}

void BpeModel::MergeWhole(const uint8_t* word, size_t size, MergeScratch& scratch) const {
  scratch.symbols.resize(size);
  for (size_t i = 0; i < size; ++i) scratch.symbols[i] = byte_symbols_[word[i]];
  if (!has_all_byte_symbols_) {
    std::erase(scratch.symbols, -1);
    return Merge(scratch);
  }
  if (size < 2) return;
  scratch.ranks.resize(size);
  for (size_t i = 0; i + 1 < size; ++i) {
    scratch.ranks[i] = byte_ranks_[size_t{word[i]} << 8 | word[i + 1]];
  }
  MergeRanked(scratch);
}

void BpeModel::MergeRanked(MergeScratch& scratch) const {
  scratch.ranks[scratch.symbols.size() - 1] = PairTable::kNoRank;
  if (scratch.symbols.size() <= kFewSymbols && merged_.size() < kFewRanks) {
    MergeFew(scratch);
  } else {
    MergeLong(scratch);
  }
}

// Long words: candidates wait in one bucket a rank, and a heap holds the ranks. A long word of
// natural text or of repetitions has few ranks, so that the work is nearly linear and runs along
// the word.
//
//   rank_heap  [r0 r1 ..]       bucket_of_rank[r0] -> positions 3 17 40 ..  (cursor at the next)
//   linked     a b c . . d e    '.' is gone (-1), next and previous skip it; a symbol's rank is of
//                               the pair that begins with it
namespace {

constexpr uint32_t kEndOfWord = UINT32_MAX;

void AddCandidate(MergeScratch& scratch, uint32_t rank, uint32_t position) {
  uint32_t& index = scratch.bucket_of_rank[rank];
  if (index == MergeScratch::kNoBucket) {
    index = static_cast<uint32_t>(scratch.bucket_count++);
    if (scratch.buckets.size() < scratch.bucket_count) scratch.buckets.emplace_back();
    scratch.used_ranks.push_back(rank);
  }
  RankBucket& bucket = scratch.buckets[index];
  const bool was_empty = bucket.cursor == bucket.positions.size() && bucket.late.empty();
  if (bucket.positions.empty() || bucket.positions.back() < position) {
    bucket.positions.push_back(position);
  } else {
    bucket.late.push_back(position);
    std::push_heap(bucket.late.begin(), bucket.late.end(), std::greater<>());
  }
  if (was_empty) {
    scratch.rank_heap.push_back(rank);
    std::push_heap(scratch.rank_heap.begin(), scratch.rank_heap.end(), std::greater<>());
  }
}

// The lowest position of a bucket, or kEndOfWord.
uint32_t TakePosition(RankBucket& bucket) {
  const bool has_next = bucket.cursor < bucket.positions.size();
  if (!bucket.late.empty() &&
      (!has_next || bucket.late.front() < bucket.positions[bucket.cursor])) {
    std::pop_heap(bucket.late.begin(), bucket.late.end(), std::greater<>());
    const uint32_t position = bucket.late.back();
    bucket.late.pop_back();
    return position;
  }
  return has_next ? bucket.positions[bucket.cursor++] : kEndOfWord;
}

}  // namespace

void MergeScratch::Trim() {
  constexpr size_t kKeptSymbols = 1 << 16;
  if (symbols.capacity() > kKeptSymbols) *this = MergeScratch();
}

void BpeModel::MergeBucket(uint32_t rank, MergeScratch& scratch) const {
  std::vector<LinkedSymbol>& symbols = scratch.linked;
  const uint32_t index = scratch.bucket_of_rank[rank];
  uint32_t lowest_new = PairTable::kNoRank;
  const auto refresh = [&](uint32_t i) {
    LinkedSymbol& symbol = symbols[i];
    symbol.rank = symbol.next == kEndOfWord ? PairTable::kNoRank
                                            : pairs_.Rank(symbol.id, symbols[symbol.next].id);
    if (symbol.rank == PairTable::kNoRank) return;
    AddCandidate(scratch, symbol.rank, i);
    lowest_new = std::min(lowest_new, symbol.rank);
  };
  while (lowest_new > rank) {
    const uint32_t i = TakePosition(scratch.buckets[index]);
    if (i == kEndOfWord) return;
    LinkedSymbol& left = symbols[i];
    if (left.rank != rank) continue;  // the pair changed since
    LinkedSymbol& right = symbols[left.next];
    left.id = merged_[rank];
    left.next = right.next;
    right.id = -1;
    right.rank = PairTable::kNoRank;
    if (left.next != kEndOfWord) symbols[left.next].previous = i;
    if (left.previous != kEndOfWord) refresh(left.previous);
    refresh(i);
  }
  const RankBucket& bucket = scratch.buckets[index];
  if (bucket.cursor == bucket.positions.size() && bucket.late.empty()) return;
  scratch.rank_heap.push_back(rank);
  std::push_heap(scratch.rank_heap.begin(), scratch.rank_heap.end(), std::greater<>());
}

void BpeModel::MergeLong(MergeScratch& scratch) const {
  const auto count = static_cast<uint32_t>(scratch.symbols.size());
  scratch.bucket_of_rank.resize(merged_.size(), MergeScratch::kNoBucket);
  scratch.linked.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    scratch.linked[i] = {scratch.symbols[i], scratch.ranks[i], i == 0 ? kEndOfWord : i - 1,
                         i + 1 < count ? i + 1 : kEndOfWord};
    if (scratch.ranks[i] != PairTable::kNoRank) AddCandidate(scratch, scratch.ranks[i], i);
  }
  while (!scratch.rank_heap.empty()) {
    std::pop_heap(scratch.rank_heap.begin(), scratch.rank_heap.end(), std::greater<>());
    const uint32_t rank = scratch.rank_heap.back();
    scratch.rank_heap.pop_back();
    MergeBucket(rank, scratch);
  }
  for (const uint32_t rank : scratch.used_ranks) {
    scratch.bucket_of_rank[rank] = MergeScratch::kNoBucket;
  }
  for (size_t i = 0; i < scratch.bucket_count; ++i) {
    scratch.buckets[i].positions.clear();
    scratch.buckets[i].cursor = 0;
  }
  scratch.used_ranks.clear();
  scratch.bucket_count = 0;
  scratch.begins.resize(count);
  size_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (scratch.linked[i].id < 0) continue;
    scratch.begins[kept] = i;
    scratch.symbols[kept++] = scratch.linked[i].id;
  }
  scratch.symbols.resize(kept);
}

namespace {
const RegisterModel kBpe("BPE", BpeModel::Make);
}  // namespace

}  // namespace fathom
