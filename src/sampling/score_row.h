// ScoreRow: the scores of one token to come while the processors work on them.
//
// Two forms. Dense: one score a token of the vocabulary, -inf where the token was removed. Compact
// (the partial arm, after a selection): only the tokens that are left, ids ascending. Sums go by
// column (kernels/row_kernels.h), where a removed token adds an exact zero: so both forms give the
// same bits.
//
// A dense row need not be a copy: a borrowed one is the caller's own memory. Single scores are
// changed in place and put back by Release; a temperature waits until the scores are needed; what
// writes to all of them (scores()) works on a copy. The greatest score of each column of a block is
// found in the one pass that also finds NaN, and kept up to date.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "fathom/sampling.h"
#include "sampling/kernels/row_kernels.h"

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
  explicit ScoreRow(const RowKernels& kernels = BestRowKernels()) : kernels_(&kernels) {}
  ScoreRow(const ScoreRow&) = delete;
  ScoreRow& operator=(const ScoreRow&) = delete;
  ~ScoreRow() { Release(); }

  void UseKernels(const RowKernels& kernels) { kernels_ = &kernels; }

  // Starts over with a copy of the logits of one row.
  void Assign(std::span<const float> logits);
  // Starts over on the caller's memory, which is as it was after Release.
  void Borrow(std::span<float> logits);
  void Release();

  bool compact() const { return compact_; }
  int64_t vocab_size() const { return vocab_size_; }
  int64_t size() const { return static_cast<int64_t>(compact_ ? kept_ : raw_.size()); }
  int32_t id(int64_t index) const { return compact_ ? ids_[index] : static_cast<int32_t>(index); }
  // All scores, to be read or written.
  std::span<float> scores();

  // The score of token `id`; the row is dense (the processors that need it run before any
  // selection). Ids outside of the vocabulary are ignored by the callers, as transformers' masks
  // do.
  bool Has(int32_t id) const { return id >= 0 && id < vocab_size_; }
  float Get(int32_t id);
  void Set(int32_t id, float score);
  void Remove(int32_t id) {
    if (Has(id)) Set(id, kRemoved);
  }
  // Every score / divisor.
  void Divide(float divisor);

  // Keeps the entries with a nonzero mask. Dense: the others become -inf. Compact: they go.
  void KeepDense(std::span<const uint8_t> mask);
  void KeepCompact(std::span<const uint8_t> mask);
  // Makes the row compact, of all entries with score >= bound and no others; Widen takes that back.
  void NarrowTo(float bound);
  void Widen();
  // Keeps, of a dense row, the entries with a greater score than `floor`, and of those with that
  // score the ids up to floor.last_id. They are not gathered before ApplyFloor: a draw does
  // without. block_weights: the sum of their exp(score - Max()) by block, within kWeightError;
  // taken over.
  struct Floor {
    float score;
    int32_t last_id;
    bool Keeps(float other, int32_t id) const {
      return other > score || (other == score && id <= last_id);
    }
  };
  void KeepFrom(const Floor& floor, std::vector<double>& block_weights);
  // Makes a row with a floor compact; every other row stays as it is.
  void ApplyFloor();
  // What is kept, or nothing where all of a dense row is.
  const std::optional<Floor>& floor() const { return floor_; }
  // The block_weights of a dense row, with or without a floor.
  std::span<const double> BlockWeights();
  // A score that at least k entries of a dense row reach, near the k-th greatest one.
  float BoundOfKth(int64_t k);
  // The smallest undivided score that is >= bound after division (dense).
  float Undivided(float bound) const;

  // The sum of exp(score - Max()).
  double SumOfExponentials();
  // softmax of the scores as float32, valid until the next call; -inf gives 0.
  std::span<const float> Softmax();
  // Zeroed bytes, one a token; who sets some zeroes them again.
  std::span<uint8_t> Marks() {
    marks_.resize(raw_.size());
    return marks_;
  }
  // What NarrowToNucleus works with, kept from row to row.
  struct BandScratch {
    std::vector<int32_t> ids, places, few_ids;
    std::vector<float> scores, exponentials, few_scores, few_exponentials;
    std::vector<uint32_t> block_ends;
    std::vector<double> block_weights;
  };
  BandScratch& band_scratch() { return band_scratch_; }
  // Scratch of the processors, as large as asked for.
  std::span<uint8_t> Mask(int64_t size, uint8_t value);
  std::span<float> Scratch(size_t size) {
    if (scratch_.size() < size) scratch_.resize(size);
    return std::span(scratch_).first(size);
  }

  float Max();
  // Index of the greatest score, the lowest of equals.
  int64_t IndexOfMax();
  // log(sum(exp(score))) as float32.
  float LogSumExp();
  // -sum(p log p), log p = score - normalizer.
  double Entropy(float normalizer);
  // Whether every score was a number when they were last looked at as a whole.
  bool IsFinite();
  // No NaN and no +inf.
  bool IsValid();

  // A dense row without the division that waits, for what goes over it by itself.
  std::span<const float> undivided() const { return raw_; }
  // Of a dense row: the greatest of each column of a block, undivided.
  std::span<const float> UndividedMaxima() {
    Scan();
    return maxima_;
  }
  // Of a compact row.
  std::span<const int32_t> ids() const { return std::span(ids_).first(kept_); }
  float divisor() const { return divisor_; }
  const RowKernels& kernels() const { return *kernels_; }

 private:
  struct Edit {
    int32_t id;
    float before;
  };
  // exp(score - Max()) into probs_, where asked for, and the sum.
  double Exponentials(bool store);
  void Start(std::span<float> raw);
  // A dense row of its own, divided.
  void Settle();
  void Scan();
  // The greatest of maxima_.
  float Greatest();
  std::span<float> kept_scores() { return std::span(scores_).first(kept_); }
  void ReserveCompact();
  void UpdateMaximum(int32_t id, float before, float score);

  const RowKernels* kernels_;
  bool compact_ = false;
  int64_t vocab_size_ = 0;
  std::vector<int32_t> ids_;  // compact: the first kept_, as of scores_
  std::vector<float> scores_;
  size_t kept_ = 0;
  std::span<float> raw_;      // dense
  std::vector<float> dense_;  // the copy, where raw_ is none of the caller's
  bool borrowed_ = false;
  float divisor_ = 1;
  float narrowed_divisor_ = 1;
  std::vector<Edit> edits_;  // of the caller's memory
  std::vector<float> probs_;
  std::vector<uint8_t> mask_, marks_;
  std::vector<float> scratch_;
  BandScratch band_scratch_;
  std::vector<float> maxima_;  // of raw_, where scanned_
  std::vector<float> folded_;
  bool scanned_ = false;
  bool handed_out_ = false;  // the scores may change unseen
  bool finite_ = false;
  float max_ = 0;  // of maxima_, where max_known_
  bool max_known_ = false;
  std::optional<Floor> floor_;
  std::vector<double> block_weights_;  // where there is a floor
  std::vector<uint32_t> block_ends_;
};

// exp(x) for x <= 0 (or NaN), within 2 ulp; branch-free, so that a loop over it is vector code.
float ExpNegative(float x);

}  // namespace fathom
