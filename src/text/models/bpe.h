// Byte pair encoding: tokenizers' models/bpe/{model,word,serialization}.rs.
//
// A word is cut into symbols (code points), each looked up in the vocabulary; then, again and
// again, the neighbouring pair of the lowest rank (the leftmost of equals) becomes one symbol.
// Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/model.h"
#include "text/models/merge_borders.h"
#include "text/token_table.h"

namespace fathom {

// (left id, right id) -> rank, by open addressing. Where ids and ranks are small enough, which is
// in every published file, a slot is one number, so that the table of 128,000 merges takes 2 MB:
//   | left id, 21 bits | right id, 21 bits | rank, 22 bits |
class PairTable {
 public:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  explicit PairTable(size_t pair_count = 0, int32_t max_id = 0);
  // A repeated pair takes its last rank.
  void Insert(int32_t left, int32_t right, uint32_t rank);
  uint32_t Rank(int32_t left, int32_t right) const {
    if (!narrow_.empty()) [[likely]] {
      const uint64_t key = NarrowKey(left, right);
      const uint64_t bit = (key * kHash) >> filter_shift_;
      if ((filter_[bit / 64] >> (bit % 64) & 1) == 0) return kNoRank;
      for (size_t i = Place(key);; i = (i + 1) & mask_) {
        const uint64_t slot = narrow_[i];
        if (slot >> kRankBits == key) return static_cast<uint32_t>(slot & kRankMask);
        if (slot == kEmpty) return kNoRank;
      }
    }
    return WideRank(left, right);
  }

 private:
  struct Slot {
    uint64_t key = UINT64_MAX;  // no pair of ids has it
    uint32_t rank = kNoRank;
  };
  static constexpr int kRankBits = 22;
  static constexpr int kIdBits = 21;
  static constexpr uint64_t kRankMask = (uint64_t{1} << kRankBits) - 1;
  static constexpr uint64_t kEmpty = UINT64_MAX;
  static uint64_t NarrowKey(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << kIdBits |
           static_cast<uint32_t>(right);
  }
  static uint64_t WideKey(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  uint32_t WideRank(int32_t left, int32_t right) const;
  static constexpr size_t kFilterBits = 4;
  static constexpr uint64_t kHash = 0x9E3779B97F4A7C15u;
  size_t Place(uint64_t key) const { return (key * kHash) >> shift_; }

  std::vector<uint64_t> narrow_;
  // Bits for the hashes of the pairs, some to a slot: most pairs that are asked for have no rank,
  // and this says so from a nearer cache.
  std::vector<uint64_t> filter_;
  int filter_shift_ = 0;
  std::vector<Slot> wide_;  // one of the two is empty
  size_t mask_ = 0;
  int shift_ = 0;
};

// The pairs of one rank that wait in a long word, by position.
struct RankBucket {
  std::vector<uint32_t> positions;  // ascending
  size_t cursor = 0;                // positions before it are done
  std::vector<uint32_t> late;       // a heap of those that came out of order
};

// A symbol of a long word. One line of memory holds all that a merge asks of it.
struct LinkedSymbol {
  int32_t id;
  uint32_t rank;  // of the pair that begins with it
  uint32_t previous;
  uint32_t next;
};

// Buffers of the fast merge, kept from word to word.
struct MergeScratch {
  std::vector<int32_t> symbols;
  std::vector<uint32_t> ranks;   // of the pair that begins at a symbol
  std::vector<uint32_t> begins;  // of a merged symbol: the place of its first one
  std::vector<int32_t> joined;   // of the windows so far
  // For long words:
  std::vector<LinkedSymbol> linked;
  std::vector<uint32_t> bucket_of_rank;  // index into buckets, or kNoBucket
  std::vector<RankBucket> buckets;       // the first bucket_count are in use
  size_t bucket_count = 0;
  std::vector<uint32_t> used_ranks;  // of the buckets in use
  std::vector<uint32_t> rank_heap;   // ranks whose buckets hold something, the lowest on top

  static constexpr uint32_t kNoBucket = UINT32_MAX;
  // Gives memory back where a very long word took much.
  void Trim();
};

class BpeModel final : public TokenizerModel {
 public:
  static Result<TokenizerModelPtr> Make(ModelJson json);

  Status Tokenize(std::string_view word, std::vector<int32_t>& ids) const override;
  std::optional<int32_t> TokenToId(std::string_view token) const override;
  std::optional<std::string_view> IdToToken(int32_t id) const override {
    return vocab_.TokenOf(id);
  }
  size_t vocab_size() const override { return vocab_.size(); }
  int32_t max_id() const override { return vocab_.max_id(); }
  const BpeModel* AsBpe() const override { return this; }

  bool ignore_merges() const { return ignore_merges_; }
  const TokenTable& vocab() const { return vocab_; }

  // The same ids as Tokenize, merged by integer ranks without allocations of its own.
  Status TokenizeFast(std::string_view word, MergeScratch& scratch,
                      std::vector<int32_t>& ids) const;
  // Merges scratch.symbols in place until no pair has a rank.
  void Merge(MergeScratch& scratch) const;
  // Puts the merged ids of a word of raw bytes into scratch.symbols (is_plain_byte_level).
  void MergeBytes(const uint8_t* word, size_t size, MergeScratch& scratch) const;
  // Whether a token of so many bytes may be the product of no merge.
  bool HasUnmergedToken(size_t size) const { return (unmerged_sizes_ >> (size % 64) & 1) != 0; }
  // Where such a word may be cut.
  const MergeBorders& borders() const { return borders_; }

  // True where every byte of a byte-level word is a symbol of its own: then words need not be
  // written in the byte-level alphabet. byte_symbol(b): its id, or -1 where the byte is dropped.
  bool is_plain_byte_level() const { return is_plain_byte_level_; }
  int32_t byte_symbol(uint8_t byte) const { return byte_symbols_[byte]; }

 private:
  // Appends the symbols of a word (merge_word): vocabulary, byte fallback, unknown token.
  Status AppendSymbols(std::string_view word, std::vector<int32_t>& symbols) const;
  bool AppendByteFallback(std::string_view symbol, std::vector<int32_t>& symbols) const;
  Status ReadMerges(const ModelJson& json);
  void FindByteSymbols();
  void FindUnmergedTokens();
  void NoteByteMerge(std::string_view left, std::string_view right, uint32_t rank);
  // MergeBytes in one go, and piece by piece where a word is long (merge_windows.cc).
  void MergeWhole(const uint8_t* word, size_t size, MergeScratch& scratch) const;
  void MergeInWindows(const uint8_t* word, size_t size, MergeScratch& scratch) const;
  // Merge, the ranks being there.
  void MergeRanked(MergeScratch& scratch) const;
  // At most kFewSymbols symbols, and fewer than kFewRanks ranks.
  static constexpr size_t kFewSymbols = 128;
  static constexpr size_t kFewRanks = size_t{1} << 24;
  void MergeFew(MergeScratch& scratch) const;
  void MergeLong(MergeScratch& scratch) const;
  // Merges from the bucket of a rank until it is empty or a lower rank appears.
  void MergeBucket(uint32_t rank, MergeScratch& scratch) const;

  TokenTable vocab_;
  PairTable pairs_;
  std::vector<int32_t> merged_;  // the id that the merge of a rank makes
  std::string prefix_;           // continuing_subword_prefix, "" where there is none
  std::string suffix_;           // end_of_word_suffix
  std::optional<std::string> unk_token_;
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  bool is_plain_byte_level_ = false;
  int32_t byte_symbols_[256] = {};
  bool has_all_byte_symbols_ = false;
  // Ranks of pairs of bytes, [left * 256 + right]; is_plain_byte_level.
  std::vector<uint32_t> byte_ranks_;
  MergeBorders borders_;
  uint64_t unmerged_sizes_ = 0;  // a bit a size, modulo 64
};

}  // namespace fathom
