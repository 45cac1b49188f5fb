#include "sampling/block_draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace fathom {

namespace {

constexpr int64_t kSmallRow = 4096;
// A share of the total is wrong by at most half of what a weight is wrong by: the exact share is
// rounded to float32 (6e-8), an estimate is wrong by kWeightError.
constexpr double kShareRounding = 6e-8;
constexpr double kWrongOfEstimates = (kWeightError + kShareRounding) / 2 * 1.1;
constexpr double kWrongOfExact = kShareRounding / 2 * 1.1;

using Block = std::array<float, kBlockEntries>;

std::span<const float> RawBlock(const ScoreRow& row, size_t block) {
  const auto all = row.undivided();
  const size_t begin = block * kBlockEntries;
  return all.subspan(begin, std::min(kBlockEntries, all.size() - begin));
}

bool Keeps(const ScoreRow& row, float raw, size_t id) {
  return !row.floor() || row.floor()->Keeps(raw / row.divisor(), static_cast<int32_t>(id));
}

// Sums of the exponentials to the bit, of the entries of each block that are kept.
std::vector<double> ExactWeights(ScoreRow& row, float max) {
  float reached = kRemoved, above = kRemoved;
  size_t block_of_floor = BlocksOf(row.undivided().size());
  if (row.floor()) {
    const ScoreRow::Floor& floor = *row.floor();
    reached = row.Undivided(floor.score);
    above = row.Undivided(std::nextafter(floor.score, std::numeric_limits<float>::infinity()));
    block_of_floor = static_cast<size_t>(floor.last_id) / kBlockEntries;
  }
  std::vector<double> weights(BlocksOf(row.undivided().size()));
  std::array<int32_t, kBlockEntries + kCollectSlack> ids;
  for (size_t block = 0; block < weights.size(); ++block) {
    const auto raw = RawBlock(row, block);
    const float limit = block <= block_of_floor ? reached : above;
    std::array<double, kColumns> columns = {};
    row.kernels().split(raw.data(), raw.size(), row.divisor(), max, limit, limit, ids.data(),
                        columns.data());
    weights[block] = std::accumulate(columns.begin(), columns.end(), 0.0);
    if (block != block_of_floor) continue;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] >= reached && !Keeps(row, raw[i], block * kBlockEntries + i)) {
        weights[block] -= ExpNegative(raw[i] / row.divisor() - max);
      }
    }
  }
  return weights;
}

// The token at the share u of the total; nothing where `wrong`, a share too, decides.
template <typename FillBlock>
std::optional<int32_t> Find(const ScoreRow& row, std::span<const double> weights, double u,
                            double wrong, const FillBlock& exponentials_of) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double low = (u - wrong) * total, high = (u + wrong) * total;
  double before = 0;
  size_t block = 0;
  while (block < weights.size() && before + weights[block] <= low) before += weights[block++];
  if (block == weights.size()) return std::nullopt;
  const auto raw = RawBlock(row, block);
  Block e;
  exponentials_of(raw, e);
  for (size_t i = 0; i < raw.size(); ++i) {
    const size_t id = block * kBlockEntries + i;
    if (!Keeps(row, raw[i], id)) continue;
    before += e[i];
    if (before <= low) continue;
    if (before <= high) return std::nullopt;
    return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int32_t> DrawByBlocks(ScoreRow& row, double u) {
  if (row.compact() || row.size() < kSmallRow) return std::nullopt;
  const float max = row.Max();
  const RowKernels& kernels = row.kernels();
  const auto estimate = [&](std::span<const float> raw, Block& e) {
    kernels.estimate(raw.data(), raw.size(), row.divisor(), max, e.data());
  };
  const auto token = Find(row, row.BlockWeights(), u, kWrongOfEstimates, estimate);
  if (token) return token;
  const auto exact = [&](std::span<const float> raw, Block& e) {
    std::array<double, kColumns> columns;
    kernels.exponentials(raw.data(), raw.size(), row.divisor(), max, e.data(), columns.data());
  };
  return Find(row, ExactWeights(row, max), u, kWrongOfExact, exact);
}

}  // namespace fathom
