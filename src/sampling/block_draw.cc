#include "sampling/block_draw.h"

#include <algorithm>
#include <array>

namespace fathom {

namespace {

constexpr int64_t kSmallRow = 4096;
// A share of the total is wrong by at most half of what a weight is wrong by: kWeightError, and
// 6e-8 where the exact share is rounded.
constexpr double kWrong = (kWeightError + 6e-8) / 2 * 1.1;

}  // namespace

std::optional<int32_t> DrawByBlocks(ScoreRow& row, double u) {
  if (row.compact() || row.size() < kSmallRow) return std::nullopt;
  const auto weights = row.BlockWeights();
  double total = 0;
  for (const double weight : weights) total += weight;
  const double low = (u - kWrong) * total, high = (u + kWrong) * total;
  double before = 0;
  size_t block = 0;
  while (block < weights.size() && before + weights[block] <= low) before += weights[block++];
  if (block == weights.size()) return std::nullopt;
  const auto all = row.undivided();
  const size_t begin = block * kBlockEntries;
  const auto raw = all.subspan(begin, std::min(kBlockEntries, all.size() - begin));
  std::array<float, kBlockEntries> e;
  row.kernels().estimate(raw.data(), raw.size(), row.divisor(), row.Max(), e.data());
  for (size_t i = 0; i < raw.size(); ++i) {
    const auto id = static_cast<int32_t>(begin + i);
    if (row.floor() && !row.floor()->Keeps(raw[i] / row.divisor(), id)) continue;
    before += e[i];
    if (before <= low) continue;
    if (before <= high) return std::nullopt;
    return id;
  }
  return std::nullopt;
}

}  // namespace fathom
