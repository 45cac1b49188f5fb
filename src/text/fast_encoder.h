// The fast encoder: the same ids as pre-tokenizer + model of the reference, for BPE models.
//
// Where the pre-tokenizer is one cut and the byte-level alphabet (text/pre_tokenizer.h, ScanPlan),
// words are taken straight from the caller's bytes, by a hand-written scanner where the pattern is
// known, and looked up in a cache of words; only a miss merges. Otherwise the pre-tokenizer runs as
// in the reference and only the merging is the fast one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"
#include "text/models/bpe.h"
#include "text/pre_tokenizer.h"

namespace fathom {

// What one running call needs; kept from call to call by the tokenizer, one for each thread at
// work.
struct FastScratch;
struct FastScratchDeleter {
  void operator()(FastScratch* scratch) const;
};
using FastScratchPtr = std::unique_ptr<FastScratch, FastScratchDeleter>;

class FastEncoder {
 public:
  // pre_tokenizer may be null. Both outlive the encoder.
  static Result<std::unique_ptr<FastEncoder>> Make(const PreTokenizer* pre_tokenizer,
                                                   const BpeModel& model);

  FastScratchPtr NewScratch() const;
  // Gives memory back that a very long text took, before the scratch waits for the next call.
  static void Trim(FastScratch& scratch);

  // Appends the ids of a text that holds no added tokens.
  Status Encode(std::string_view text, FastScratch& scratch, PatternBudget& budget,
                std::vector<int32_t>& ids) const;

  const std::string& description() const { return description_; }

 private:
  using ScanFunction = void (FastEncoder::*)(std::string_view, FastScratch&) const;

  FastEncoder(const PreTokenizer* pre_tokenizer, const BpeModel& model)
      : pre_tokenizer_(pre_tokenizer), model_(model) {}

  Status EncodePart(std::string_view text, FastScratch& scratch, PatternBudget& budget) const;
  Status EncodeWords(std::string_view text, PatternBudget& budget, FastScratch& scratch,
                     std::vector<int32_t>& ids) const;
  template <typename Scanner>
  void Scan(std::string_view text, FastScratch& scratch) const;
  // Emits the ids of one word of raw bytes; `readable_end`: bytes may be read up to here.
  void EmitWord(const uint8_t* word, size_t size, const uint8_t* readable_end,
                FastScratch& scratch) const;
  void EmitLongWord(const uint8_t* word, size_t size, FastScratch& scratch) const;
  // The id of a word that is a token as it stands, or -1.
  int32_t FindWholeWord(const uint8_t* word, size_t size, FastScratch& scratch) const;
  const uint8_t* FirstCut(const uint8_t* word, const uint8_t* p, const uint8_t* end) const;
  void EmitParts(const uint8_t* word, const uint8_t* cut, const uint8_t* end,
                 FastScratch& scratch) const;
  static void EmitMerged(FastScratch& scratch);
  void EmitPart(const uint8_t* part, size_t size, const uint8_t* readable_end,
                FastScratch& scratch) const;

  const PreTokenizer* pre_tokenizer_;
  const BpeModel& model_;
  bool byte_words_ = false;  // words are raw bytes
  bool add_prefix_space_ = false;
  bool isolate_digits_ = false;
  ScanFunction scan_ = nullptr;       // where the pattern is known
  std::unique_ptr<Pattern> pattern_;  // where it is not
  std::string description_;
};

}  // namespace fathom
