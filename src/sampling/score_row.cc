#include "sampling/score_row.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "sampling/select.h"

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

double SumOf(const std::array<double, kColumns>& columns) {
  double sum = 0;
  for (const double column : columns) sum += column;
  return sum;
}

}  // namespace

float ExpNegative(float x) { return ExpNegativeInline(x); }

void ScoreRow::Start(std::span<float> raw) {
  raw_ = raw;
  compact_ = false;
  vocab_size_ = static_cast<int64_t>(raw.size());
  divisor_ = 1;
  scanned_ = handed_out_ = false;
  floor_.reset();
}

void ScoreRow::Assign(std::span<const float> logits) {
  Release();
  dense_.assign(logits.begin(), logits.end());
  Start(dense_);
}

void ScoreRow::Borrow(std::span<float> logits) {
  Release();
  borrowed_ = true;
  edits_.clear();
  Start(logits);
}

void ScoreRow::Release() {
  if (!borrowed_) return;
  for (auto edit = edits_.rbegin(); edit != edits_.rend(); ++edit) raw_[edit->id] = edit->before;
  edits_.clear();
  borrowed_ = false;
  raw_ = {};
}

void ScoreRow::Settle() {
  if (borrowed_) {
    dense_.assign(raw_.begin(), raw_.end());
    Release();
    raw_ = dense_;
  }
  if (divisor_ == 1) return;
  for (float& score : raw_) score /= divisor_;
  divisor_ = 1;
  scanned_ = false;
}

std::span<float> ScoreRow::scores() {
  ApplyFloor();
  if (compact_) return kept_scores();
  Settle();
  scanned_ = false;
  handed_out_ = true;
  return raw_;
}

float ScoreRow::Get(int32_t id) {
  FATHOM_CHECK(!compact_);
  return raw_[id] / divisor_;
}

void ScoreRow::Set(int32_t id, float score) {
  FATHOM_CHECK(!compact_);
  if (divisor_ != 1) Settle();
  const float before = raw_[id];
  if (borrowed_) edits_.push_back({id, before});
  raw_[id] = score;
  if (scanned_) UpdateMaximum(id, before, score);
}

void ScoreRow::UpdateMaximum(int32_t id, float before, float score) {
  if (!(score < std::numeric_limits<float>::infinity())) {  // NaN or +inf
    scanned_ = false;
    return;
  }
  const auto block = static_cast<size_t>(id) / kBlockEntries;
  const size_t column = static_cast<size_t>(id) % kColumns;
  float& best = maxima_[block * kColumns + column];
  if (score >= best) {
    best = score;
    max_ = std::max(max_, score);  // where it is not known it is asked for anew
  } else if (before >= best) {
    best = kRemoved;
    const size_t end = std::min((block + 1) * kBlockEntries, raw_.size());
    for (size_t i = block * kBlockEntries + column; i < end; i += kColumns) {
      best = std::max(best, raw_[i]);
    }
    if (before >= max_) max_known_ = false;
  }
}

void ScoreRow::Divide(float divisor) {
  if (!compact_ && divisor_ == 1 && divisor >= std::numeric_limits<float>::min()) {
    divisor_ = divisor;
    return;
  }
  for (float& score : scores()) score /= divisor;
}

void ScoreRow::KeepDense(std::span<const uint8_t> mask) {
  const auto all = scores();
  FATHOM_CHECK(!compact_ && mask.size() == all.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = mask[i] ? all[i] : kRemoved;
}

void ScoreRow::KeepCompact(std::span<const uint8_t> mask) {
  const auto all = scores();
  FATHOM_CHECK(mask.size() == all.size());
  size_t kept = 0;
  if (!compact_) ReserveCompact();
  for (size_t i = 0; i < all.size(); ++i) {
    if (!mask[i]) continue;
    ids_[kept] = compact_ ? ids_[i] : static_cast<int32_t>(i);
    scores_[kept] = all[i];
    ++kept;
  }
  kept_ = kept;
  compact_ = true;
}

// The arrays only grow: their size is not what is kept.
void ScoreRow::ReserveCompact() {
  const size_t needed = raw_.size() + kCollectSlack;
  if (ids_.size() >= needed) return;
  ids_.resize(needed);
  scores_.resize(needed);
}

float ScoreRow::Undivided(float bound) const {
  if (divisor_ == 1 || bound == kRemoved) return bound;
  // Division is monotone: from a score near the answer outwards, then halving.
  const auto reaches = [&](uint32_t key) { return FromOrderedKey(key) / divisor_ >= bound; };
  constexpr uint32_t kLowest = 0x007FFFFFu, kHighest = 0xFF800000u;  // -inf, +inf
  const float near = std::clamp(bound * divisor_, -std::numeric_limits<float>::max(),
                                std::numeric_limits<float>::max());
  uint32_t low = OrderedKey(near), high = low;
  for (uint32_t step = 1; low > kLowest && reaches(low); step *= 2) {
    low = low - kLowest > step ? low - step : kLowest;
  }
  for (uint32_t step = 1; high < kHighest && !reaches(high); step *= 2) {
    high = kHighest - high > step ? high + step : kHighest;
  }
  if (reaches(low)) return FromOrderedKey(low);
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (reaches(middle) ? high : low) = middle;
  }
  return FromOrderedKey(high);
}

void ScoreRow::NarrowTo(float bound) {
  FATHOM_CHECK(!compact_);
  Scan();
  const float threshold = Undivided(bound);
  ReserveCompact();
  kept_ = kernels_->collect(raw_.data(), raw_.size(), maxima_.data(), threshold, ids_.data(),
                            scores_.data());
  if (divisor_ != 1) {
    for (float& score : kept_scores()) score /= divisor_;
  }
  narrowed_divisor_ = divisor_;
  divisor_ = 1;
  compact_ = true;
}

void ScoreRow::Widen() {
  FATHOM_CHECK(compact_);
  divisor_ = narrowed_divisor_;
  compact_ = false;
}

void ScoreRow::KeepFrom(const Floor& floor, std::vector<double>& block_weights) {
  FATHOM_CHECK(!compact_ && !floor_ && block_weights.size() == BlocksOf(raw_.size()));
  floor_ = floor;
  block_weights_.swap(block_weights);
}

void ScoreRow::ApplyFloor() {
  if (!floor_) return;
  const Floor floor = *floor_;
  floor_.reset();
  NarrowTo(floor.score);
  size_t kept = 0;
  for (size_t i = 0; i < kept_; ++i) {
    ids_[kept] = ids_[i];
    scores_[kept] = scores_[i];
    kept += floor.Keeps(scores_[i], ids_[i]);
  }
  kept_ = kept;
}

std::span<const double> ScoreRow::BlockWeights() {
  FATHOM_CHECK(!compact_);
  if (floor_) return block_weights_;
  block_weights_.resize(BlocksOf(raw_.size()));
  block_ends_.resize(block_weights_.size());
  kernels_->weigh(raw_.data(), raw_.size(), divisor_, Max(), kRemoved, kRemoved, nullptr,
                  block_ends_.data(), block_weights_.data());
  return block_weights_;
}

// The k-th greatest of the columns' maxima: k columns hold an entry that reaches it. Columns are
// joined first while plenty are left, for the search goes over all of them some ten times.
float ScoreRow::BoundOfKth(int64_t k) {
  FATHOM_CHECK(!compact_);
  Scan();
  const auto wanted = static_cast<size_t>(k);
  std::span<const float> columns = maxima_;
  if (columns.size() < wanted) return kRemoved;
  folded_.resize(columns.size() / 2);
  while (columns.size() >= 16 * wanted && columns.size() % 2 == 0 && columns.size() > kColumns) {
    const size_t half = columns.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      folded_[i] = columns[i] > columns[i + half] ? columns[i] : columns[i + half];
    }
    columns = std::span<const float>(folded_).first(half);
  }
  uint32_t low = OrderedKey(kRemoved), high = OrderedKey(std::numeric_limits<float>::infinity());
  while (high - low > 1) {  // low is reached by k or more, high by fewer
    const uint32_t middle = low + (high - low) / 2;
    const size_t count =
        kernels_->count_at_least(columns.data(), columns.size(), FromOrderedKey(middle));
    (count >= wanted ? low : high) = middle;
    if (count >= wanted && count <= wanted + wanted / 8) break;
  }
  return FromOrderedKey(low) / divisor_;
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

void ScoreRow::Scan() {
  if (scanned_ && !handed_out_) return;
  maxima_.resize(MaximaOf(raw_.size()));
  finite_ = kernels_->scan(raw_.data(), raw_.size(), maxima_.data(), &max_);
  scanned_ = max_known_ = true;
}

float ScoreRow::Greatest() {
  if (!max_known_) max_ = MaxOf(maxima_);
  max_known_ = true;
  return max_;
}

bool ScoreRow::IsFinite() {
  FATHOM_CHECK(!compact_);
  Scan();
  return finite_;
}

bool ScoreRow::IsValid() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (!compact_) {
    Scan();
    if (finite_) return Greatest() / divisor_ < kInfinity;
  }
  bool invalid = false;
  for (const float score : compact_ ? kept_scores() : raw_) {
    invalid |= !(score / divisor_ < kInfinity);
  }
  return !invalid;
}

float ScoreRow::Max() {
  if (compact_) return MaxOf(kept_scores());
  Scan();
  return (finite_ ? Greatest() : MaxOf(raw_)) / divisor_;
}

int64_t ScoreRow::IndexOfMax() {
  if (compact_ || divisor_ != 1 || !IsFinite()) {
    const auto all = scores();
    return std::ranges::find(all, MaxOf(all)) - all.begin();
  }
  const float max = Greatest();
  const auto column = std::ranges::find(maxima_, max) - maxima_.begin();
  const auto block = raw_.subspan(static_cast<size_t>(column) / kColumns * kBlockEntries);
  return std::ranges::find(block, max) - raw_.begin();
}

double ScoreRow::Exponentials(bool store) {
  const float max = Max();
  std::array<double, kColumns> columns = {};
  if (store) probs_.resize(static_cast<size_t>(size()));
  if (max == kRemoved) {
    if (store) std::ranges::fill(probs_, 0.0f);
  } else if (!compact_) {
    kernels_->exponentials(raw_.data(), raw_.size(), divisor_, max, store ? probs_.data() : nullptr,
                           columns.data());
  } else if (store) {
    for (size_t i = 0; i < kept_; ++i) probs_[i] = ExpNegativeInline(scores_[i] - max);
    for (size_t i = 0; i < kept_; ++i)
      columns[static_cast<size_t>(ids_[i]) % kColumns] += probs_[i];
  } else {
    for (size_t i = 0; i < kept_; ++i) {
      columns[static_cast<size_t>(ids_[i]) % kColumns] += ExpNegativeInline(scores_[i] - max);
    }
  }
  return SumOf(columns);
}

double ScoreRow::SumOfExponentials() { return Exponentials(false); }

std::span<const float> ScoreRow::Softmax() {
  const double sum = Exponentials(true);
  if (sum == 0) return probs_;  // nothing is left
  const auto divisor = static_cast<float>(sum);
  for (float& p : probs_) p /= divisor;
  return probs_;
}

float ScoreRow::LogSumExp() {
  const float max = Max();
  if (max == kRemoved) return kRemoved;
  return max + std::log(static_cast<float>(SumOfExponentials()));
}

double ScoreRow::Entropy(float normalizer) {
  std::array<double, kColumns> columns = {};
  if (!compact_) {
    if (divisor_ != 1) Settle();
    const std::span<const float> all = raw_;
    kernels_->entropy(all.data(), all.size(), normalizer, columns.data());
    return SumOf(columns);
  }
  for (size_t i = 0; i < kept_; ++i) {
    if (scores_[i] == kRemoved) continue;
    const float log_p = scores_[i] - normalizer;
    columns[static_cast<size_t>(ids_[i]) % kColumns] +=
        -log_p * ExpNegativeInline(std::min(log_p, 0.0f));
  }
  return SumOf(columns);
}

std::span<uint8_t> ScoreRow::Mask(int64_t size, uint8_t value) {
  mask_.assign(static_cast<size_t>(size), value);
  return mask_;
}

}  // namespace fathom
