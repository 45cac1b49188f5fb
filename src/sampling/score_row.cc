#include "sampling/score_row.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace fathom {

namespace {

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, exp(r) by its Taylor polynomial. The
// power is put in as two factors, so that results below 2^-126 are denormal instead of wrong.
inline float ExpNegativeInline(float x) {
  const float clamped = x < -104.0f ? -104.0f : x;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  const float shifted = clamped * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r * r + r + 1.0f;
  const int32_t power = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const int32_t half = power / 2;
  const float first = std::bit_cast<float>((half + 127) << 23);
  const float second = std::bit_cast<float>((power - half + 127) << 23);
  const float result = p * first * second;
  return x < -103.9f ? 0.0f : result;
}

}  // namespace

float ExpNegative(float x) { return ExpNegativeInline(x); }

void ScoreRow::Assign(std::span<const float> logits) {
  compact_ = false;
  vocab_size_ = static_cast<int64_t>(logits.size());
  scores_.assign(logits.begin(), logits.end());
  ids_.clear();
}

void ScoreRow::KeepDense(std::span<const uint8_t> mask) {
  FATHOM_CHECK(!compact_ && mask.size() == scores_.size());
  for (size_t i = 0; i < scores_.size(); ++i) scores_[i] = mask[i] ? scores_[i] : kRemoved;
}

void ScoreRow::KeepCompact(std::span<const uint8_t> mask) {
  FATHOM_CHECK(mask.size() == scores_.size());
  size_t kept = 0;
  if (!compact_) ids_.resize(scores_.size());
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (!mask[i]) continue;
    ids_[kept] = compact_ ? ids_[i] : static_cast<int32_t>(i);
    scores_[kept] = scores_[i];
    ++kept;
  }
  ids_.resize(kept);
  scores_.resize(kept);
  compact_ = true;
}

float MaxOf(std::span<const float> values) {
  // In lanes that a compiler keeps in vectors: alone it may not reorder comparisons of floats.
  constexpr size_t kLanes = 16;
  float lanes[kLanes];
  std::fill(std::begin(lanes), std::end(lanes), kRemoved);
  const size_t whole = values.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  float max = *std::max_element(std::begin(lanes), std::end(lanes));
  for (size_t i = whole; i < values.size(); ++i) max = values[i] > max ? values[i] : max;
  return max;
}

std::span<const float> ScoreRow::Softmax() {
  const size_t n = scores_.size();
  probs_.resize(n);
  const float max = Max();
  if (max == kRemoved) {
    std::fill(probs_.begin(), probs_.end(), 0.0f);
    return probs_;
  }
  for (size_t i = 0; i < n; ++i) probs_[i] = ExpNegativeInline(scores_[i] - max);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += probs_[i];
  const float divisor = static_cast<float>(sum);
  for (size_t i = 0; i < n; ++i) probs_[i] /= divisor;
  return probs_;
}

float ScoreRow::LogSumExp() const {
  const float max = Max();
  if (max == kRemoved) return kRemoved;
  double sum = 0;
  for (const float score : scores_) sum += ExpNegativeInline(score - max);
  return max + std::log(static_cast<float>(sum));
}

std::span<uint8_t> ScoreRow::Mask(int64_t size, uint8_t value) {
  mask_.assign(static_cast<size_t>(size), value);
  return mask_;
}

}  // namespace fathom
