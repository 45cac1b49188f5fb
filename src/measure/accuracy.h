// How far an arm's logits are from those of the fp32 eager arm, over the ids of a text.
//
// KL divergence is of the softmaxes, sum over p log(p / q) with p the fp32 eager arm, in nats a
// position, averaged. Greedy agreement is the share of positions where the largest logit is of the
// same token. Sums are in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fathom/status.h"
#include "measure/arm_runner.h"
#include "measure/measurement.h"

namespace fathom {

// Adds one position to sums; both rows are of the same length.
class LogitComparison {
 public:
  // False where `row` holds NaN or an infinity: nothing is added.
  bool Add(std::span<const float> reference, std::span<const float> row);
  ArmAccuracy Result() const;

 private:
  double max_difference_ = 0, kl_ = 0;
  int64_t agreed_ = 0, count_ = 0;
};

// The reference's logits, kept for all arms of a run.
class ReferenceLogits {
 public:
  // Scores `ids` in windows of at most `window` tokens with the fp32 eager arm; as many windows as
  // max_bytes of logits allow, one at least. kRunTime: NaN or an infinity among them.
  static Result<ReferenceLogits> Create(ArmRunner& reference, std::span<const int32_t> ids,
                                        int64_t window, int64_t max_bytes);
  // kRunTime where the arm's logits hold NaN or an infinity: the arm has failed.
  Result<ArmAccuracy> Compare(ArmRunner& arm) const;
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }

 private:
  template <typename Each>
  Status ForEachRow(ArmRunner& arm, Each each) const;

  std::vector<int32_t> ids_;
  std::vector<float> logits_;  // [ids, vocab_size]
  int64_t window_ = 0;
  int64_t vocab_size_ = 0;
};

}  // namespace fathom
