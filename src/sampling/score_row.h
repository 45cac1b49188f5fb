// ScoreRow: the scores of one token to come while the processors work on them.
//
// Two forms. Dense (the reference arm, always): one score a token of the vocabulary, -inf where the
// token was removed. Compact (the partial arm, after a selection): only the tokens that are left,
// ids ascending. Every sum runs over the scores in ascending id order, in which a removed token
// adds an exact zero: so both forms give the same bits.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "fathom/sampling.h"

namespace fathom {

inline constexpr float kRemoved = -std::numeric_limits<float>::infinity();

// What a processor may know.
struct RowContext {
  const SamplingParams& params;
  std::span<const int32_t> ids;  // prompt and generated so far
  int64_t prompt_length = 0;
};

// The greatest value; NaN is passed over, -inf where there is none.
float MaxOf(std::span<const float> values);

class ScoreRow {
 public:
  // Starts over with the logits of one row.
  void Assign(std::span<const float> logits);

  bool compact() const { return compact_; }
  int64_t vocab_size() const { return vocab_size_; }
  int64_t size() const { return static_cast<int64_t>(scores_.size()); }
  std::span<float> scores() { return scores_; }
  std::span<const float> scores() const { return scores_; }
  int32_t id(int64_t index) const { return compact_ ? ids_[index] : static_cast<int32_t>(index); }

  // The score of token `id`; the row is dense (the processors that need it run before any
  // selection). Ids outside of the vocabulary are ignored by the callers, as transformers' masks
  // do.
  bool Has(int32_t id) const { return id >= 0 && id < vocab_size_; }
  float& at(int32_t id) { return scores_[id]; }
  void Remove(int32_t id) {
    if (Has(id)) scores_[id] = kRemoved;
  }

  // Keeps the entries with a nonzero mask. Dense: the others become -inf. Compact: they go.
  void KeepDense(std::span<const uint8_t> mask);
  void KeepCompact(std::span<const uint8_t> mask);

  // softmax of the scores as float32, valid until the next call; -inf gives 0.
  std::span<const float> Softmax();
  // Scratch of the processors, as large as asked for.
  std::span<uint8_t> Mask(int64_t size, uint8_t value);

  float Max() const { return MaxOf(scores_); }
  // log(sum(exp(score))) as float32.
  float LogSumExp() const;

 private:
  bool compact_ = false;
  int64_t vocab_size_ = 0;
  std::vector<int32_t> ids_;
  std::vector<float> scores_;
  std::vector<float> probs_;
  std::vector<uint8_t> mask_;
};

// exp(x) for x <= 0 (or NaN), within 2 ulp; branch-free, so that a loop over it is vector code.
float ExpNegative(float x);

}  // namespace fathom
