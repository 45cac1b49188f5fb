#include "measure/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

bool AllFinite(std::span<const float> row) {
  return std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); });
}

size_t IndexOfMax(std::span<const float> row) {
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

// log of the sum of exp(row - max) + max.
double LogSumExp(std::span<const float> row) {
  const double max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float value : row) sum += std::exp(static_cast<double>(value) - max);
  return max + std::log(sum);
}

Status NotFinite(int64_t position) {
  return Status::RunTime(
      fmt::format("NaN or an infinity among the logits of position {} of the text", position));
}

}  // namespace

bool LogitComparison::Add(std::span<const float> reference, std::span<const float> row) {
  if (!AllFinite(row)) return false;
  const double log_p = LogSumExp(reference), log_q = LogSumExp(row);
  double kl = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double p = reference[i], q = row[i];
    max_difference_ = std::max(max_difference_, std::abs(p - q));
    if (reference[i] == row[i] && log_p == log_q) continue;
    kl += std::exp(p - log_p) * ((p - log_p) - (q - log_q));
  }
  kl_ += std::max(kl, 0.0);  // rounding alone makes it negative
  agreed_ += IndexOfMax(reference) == IndexOfMax(row);
  ++count_;
  return true;
}

ArmAccuracy LogitComparison::Result() const {
  ArmAccuracy accuracy;
  accuracy.tokens = count_;
  if (count_ == 0) return accuracy;
  accuracy.max_abs_logit_difference = max_difference_;
  accuracy.kl_divergence = kl_ / static_cast<double>(count_);
  accuracy.greedy_agreement = static_cast<double>(agreed_) / static_cast<double>(count_);
  return accuracy;
}

// each(position, row) returns false to stop with NotFinite.
template <typename Each>
Status ReferenceLogits::ForEachRow(ArmRunner& arm, Each each) const {
  if (arm.vocab_size() != vocab_size_) {
    return Status::RunTime(fmt::format("the arm has {} logits a token, the fp32 eager arm {}",
                                       arm.vocab_size(), vocab_size_));
  }
  const auto count = static_cast<int64_t>(ids_.size());
  for (int64_t begin = 0; begin < count; begin += window_) {
    const int64_t size = std::min(window_, count - begin);
    int64_t bad = -1;
    FATHOM_TRY(arm.Score(std::span(ids_).subspan(begin, size),
                         [&](int64_t first, std::span<const float> rows) {
                           const auto vocab = static_cast<size_t>(vocab_size_);
                           for (size_t i = 0; i * vocab < rows.size(); ++i) {
                             const int64_t position = begin + first + static_cast<int64_t>(i);
                             const bool ok = each(position, rows.subspan(i * vocab, vocab));
                             if (!ok && bad < 0) bad = position;
                           }
                         }));
    if (bad >= 0) return NotFinite(bad);
  }
  return Status::Ok();
}

Result<ReferenceLogits> ReferenceLogits::Create(ArmRunner& reference, std::span<const int32_t> ids,
                                                int64_t window, int64_t max_bytes) {
  ReferenceLogits result;
  result.vocab_size_ = reference.vocab_size();
  const int64_t row_bytes = result.vocab_size_ * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::max<int64_t>(max_bytes / row_bytes, 1);
  const int64_t count = std::min(static_cast<int64_t>(ids.size()), most);
  result.window_ = std::max<int64_t>(std::min(window, count), 1);
  result.ids_.assign(ids.begin(), ids.begin() + count);
  result.logits_.resize(static_cast<size_t>(count * result.vocab_size_));
  FATHOM_TRY(result.ForEachRow(reference, [&](int64_t position, std::span<const float> row) {
    std::copy(row.begin(), row.end(), result.logits_.begin() + position * result.vocab_size_);
    return AllFinite(row);
  }));
  return result;
}

Result<ArmAccuracy> ReferenceLogits::Compare(ArmRunner& arm) const {
  LogitComparison comparison;
  FATHOM_TRY(ForEachRow(arm, [&](int64_t position, std::span<const float> row) {
    const auto reference =
        std::span<const float>(logits_).subspan(position * vocab_size_, vocab_size_);
    return comparison.Add(reference, row);
  }));
  return comparison.Result();
}

}  // namespace fathom
