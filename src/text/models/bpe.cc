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

PairTable::PairTable(size_t pair_count) {
  const size_t size = std::bit_ceil(pair_count * 2 + 2);
  slots_.resize(size);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
}

void PairTable::Insert(int32_t left, int32_t right, uint32_t rank) {
  const uint64_t key = Key(left, right);
  size_t i = Place(key);
  while (slots_[i].rank != kNoRank && slots_[i].key != key) i = (i + 1) & mask_;
  slots_[i] = {key, rank};
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
  FATHOM_TRY(model->ReadMerges(json));
  model->FindByteSymbols();
  return TokenizerModelPtr(std::move(model));
}

Status BpeModel::ReadMerges(const ModelJson& json) {
  pairs_ = PairTable(json.merges.size());
  merged_.reserve(json.merges.size());
  std::string product;
  for (size_t i = 0; i < json.merges.size(); ++i) {
    const std::string_view left = json.merge_pool.Get(json.merges[i].first);
    const std::string_view right = json.merge_pool.Get(json.merges[i].second);
    const auto refuse = [&](std::string_view part) {
      return Status::BadFile("", fmt::format("model.merges[{}]", i),
                             fmt::format("\"{}\" + \"{}\"", left, right),
                             fmt::format("\"{}\" is not in the vocabulary", part));
    };
    const int32_t left_id = vocab_.Find(left);
    if (left_id < 0) return refuse(left);
    const int32_t right_id = vocab_.Find(right);
    if (right_id < 0) return refuse(right);
    if (right.size() < prefix_.size()) {
      return Status::BadFile("", fmt::format("model.merges[{}]", i), fmt::format("\"{}\"", right),
                             "is shorter than continuing_subword_prefix");
    }
    product.assign(left);
    product += right.substr(prefix_.size());
    const int32_t merged_id = vocab_.Find(product);
    if (merged_id < 0) return refuse(product);
    pairs_.Insert(left_id, right_id, static_cast<uint32_t>(i));
    merged_.push_back(merged_id);
  }
  return Status::Ok();
}

void BpeModel::FindByteSymbols() {
  is_plain_byte_level_ = prefix_.empty() && suffix_.empty();
  for (int byte = 0; byte < 256; ++byte) {
    std::string symbol;
    AppendUtf8(ByteLevelChar(static_cast<uint8_t>(byte)), symbol);
    byte_symbols_[byte] = vocab_.Find(symbol);
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
  // Looking for the lowest rank along the whole word costs less than a heap up to here.
  constexpr size_t kShortWord = 48;
  if (scratch.symbols.size() < 2) return;
  if (scratch.symbols.size() <= kShortWord) {
    MergeShort(scratch);
  } else {
    MergeLong(scratch);
  }
}

void BpeModel::MergeShort(MergeScratch& scratch) const {
  size_t count = scratch.symbols.size();
  scratch.ranks.resize(count);
  int32_t* ids = scratch.symbols.data();
  uint32_t* ranks = scratch.ranks.data();
  for (size_t i = 0; i + 1 < count; ++i) ranks[i] = pairs_.Rank(ids[i], ids[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == PairTable::kNoRank) break;
    ids[best] = merged_[ranks[best]];
    for (size_t i = best + 1; i + 1 < count; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
    }
    --count;
    if (best + 1 < count) ranks[best] = pairs_.Rank(ids[best], ids[best + 1]);
    if (best > 0) ranks[best - 1] = pairs_.Rank(ids[best - 1], ids[best]);
  }
  scratch.symbols.resize(count);
}

// Long words: candidates wait in one bucket a rank, and a heap holds the ranks. A long word of
// natural text or of repetitions has few ranks, so that the work is nearly linear and runs along
// the word.
//
//   rank_heap  [r0 r1 ..]       bucket_of_rank[r0] -> positions 3 17 40 ..  (cursor at the next)
//   symbols    a b c . . d e    '.' is gone (-1), next and previous skip it; ranks[i] is of the
//                               pair (i, next[i])
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
  std::vector<int32_t>& ids = scratch.symbols;
  std::vector<uint32_t>& ranks = scratch.ranks;
  std::vector<uint32_t>& next = scratch.next;
  const uint32_t index = scratch.bucket_of_rank[rank];
  uint32_t lowest_new = PairTable::kNoRank;
  const auto refresh = [&](uint32_t i) {
    ranks[i] = next[i] == kEndOfWord ? PairTable::kNoRank : pairs_.Rank(ids[i], ids[next[i]]);
    if (ranks[i] == PairTable::kNoRank) return;
    AddCandidate(scratch, ranks[i], i);
    lowest_new = std::min(lowest_new, ranks[i]);
  };
  while (lowest_new > rank) {
    const uint32_t i = TakePosition(scratch.buckets[index]);
    if (i == kEndOfWord) return;
    if (ranks[i] != rank) continue;  // the pair changed since
    const uint32_t right = next[i];
    ids[i] = merged_[rank];
    ids[right] = -1;
    ranks[right] = PairTable::kNoRank;
    next[i] = next[right];
    if (next[i] != kEndOfWord) scratch.previous[next[i]] = i;
    if (scratch.previous[i] != kEndOfWord) refresh(scratch.previous[i]);
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
  scratch.ranks.resize(count);
  scratch.previous.resize(count);
  scratch.next.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    scratch.previous[i] = i == 0 ? kEndOfWord : i - 1;
    scratch.next[i] = i + 1 < count ? i + 1 : kEndOfWord;
    scratch.ranks[i] = i + 1 < count ? pairs_.Rank(scratch.symbols[i], scratch.symbols[i + 1])
                                     : PairTable::kNoRank;
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
  std::erase(scratch.symbols, -1);
}

namespace {
const RegisterModel kBpe("BPE", BpeModel::Make);
}  // namespace

}  // namespace fathom
