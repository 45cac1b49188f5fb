#include "sampling/nucleus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace fathom {

namespace {

constexpr int64_t kFewBest = 256;
constexpr int64_t kSmallRow = 4096;
constexpr size_t kBuckets = 1024;
constexpr size_t kSampleStride = 16;  // one line of 16 entries in so many

// The worst entry that stays.
struct Edge {
  float score;
  int32_t id;
};

// The sum of exponentials that those better than an entry must stay below, and how far from it the
// exact rule (shares rounded to float32, their sum rounded again) may decide otherwise.
struct Target {
  Target(float limit, double sum) {
    const float next = std::nextafter(limit, std::numeric_limits<float>::infinity());
    share = (double{limit} + double{next}) / 2;  // sums above it round to more than the limit
    value = (1 - share) * sum;
    tolerance = (2.5e-7 * share + 1e-10) * sum;
  }
  bool IsUncertain(double above) const { return std::abs(above - value) <= tolerance; }
  double share, value, tolerance;
};

// Buckets of equal width in the score, counted from `best` downwards.
struct Buckets {
  float best, scale;
  size_t Of(float score) const {
    return static_cast<size_t>(std::min((best - score) * scale, float{kBuckets - 1}));
  }
  float LowerEdge(size_t bucket) const { return best - static_cast<float>(bucket + 1) / scale; }
};

class NucleusFinder {
 public:
  NucleusFinder(float limit, ScoreRow& row)
      : row_(row),
        best_(row.Max()),
        sum_(row.SumOfExponentials()),
        target_(limit, sum_),
        bound_(std::numeric_limits<float>::infinity()) {}

  // Looks among about the k best; leaves the row narrowed where it finds the edge.
  std::optional<Edge> FindAmongBest(int64_t k) {
    bound_ = row_.BoundOfKth(k);
    row_.NarrowTo(bound_);
    const auto scores = row_.scores();
    held_ = 0;
    entries_.clear();
    for (size_t i = 0; i < scores.size(); ++i) {
      entries_.push_back({ExpNegative(scores[i] - best_), scores[i], row_.id(i)});
      held_ += entries_[i].exponential;
    }
    std::optional<Edge> edge;
    if (held_ > target_.value + target_.tolerance) edge = FindIn(0, best_, bound_);
    if (!edge) row_.Widen();
    return edge;
  }

  // Looks in a band below the entries of the last FindAmongBest; leaves the row dense.
  std::optional<Edge> FindInBand() {
    float low = kRemoved, high = bound_;
    EstimateBand(low, high);
    const auto raw = row_.undivided();
    std::array<double, kColumns> columns = {};
    ids_.resize(raw.size() + kCollectSlack);
    ids_.resize(row_.kernels().split(raw.data(), raw.size(), row_.divisor(), best_,
                                     row_.Undivided(low), row_.Undivided(high), ids_.data(),
                                     columns.data()));
    double above = 0;
    for (const double column : columns) above += column;
    if (above > target_.value - target_.tolerance) return std::nullopt;
    entries_.clear();
    for (const int32_t id : ids_) {
      const float score = raw[static_cast<size_t>(id)] / row_.divisor();
      entries_.push_back({ExpNegative(score - best_), score, id});
    }
    return FindIn(above, std::min(high, best_), low);
  }

 private:
  struct Entry {
    float exponential, score;
    int32_t id;
  };

  // The edge among entries_, which have scores from `low` to `high`; `above` is the sum of all that
  // are better. They go into buckets; those of the bucket that crosses are put in order.
  std::optional<Edge> FindIn(double above, float high, float low) {
    const float width = low == kRemoved ? 40.0f : high - low;
    const Buckets buckets{high, kBuckets / (width + 1e-6f)};
    std::array<double, kBuckets> sums = {};
    for (const Entry& entry : entries_) sums[buckets.Of(entry.score)] += entry.exponential;
    size_t crossing = 0;
    while (crossing < kBuckets && above + sums[crossing] <= target_.value + target_.tolerance) {
      above += sums[crossing++];
    }
    if (crossing == kBuckets || above > target_.value - target_.tolerance) return std::nullopt;
    std::erase_if(entries_,
                  [&](const Entry& entry) { return buckets.Of(entry.score) != crossing; });
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
      return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    for (const Entry& entry : entries_) {
      if (target_.IsUncertain(above)) return std::nullopt;
      above += entry.exponential;
      if (above < target_.value) continue;
      if (target_.IsUncertain(above)) return std::nullopt;
      return Edge{entry.score, entry.id};
    }
    return std::nullopt;
  }

  // From a sample of what lies below bound_, a band that the edge lies in with some certainty: four
  // standard deviations of the sampled sum to both sides.
  void EstimateBand(float& low, float& high) const {
    const auto raw = row_.undivided();
    const double range = std::log(static_cast<double>(raw.size()) / target_.share) + 1;
    const Buckets buckets{best_, kBuckets / static_cast<float>(std::clamp(range, 1.0, 200.0))};
    std::array<double, kBuckets> sums = {};
    double total = 0, squares = 0;
    for (size_t line = 5 * kColumns; line + kColumns <= raw.size();
         line += kSampleStride * kColumns) {
      for (size_t i = line; i < line + kColumns; ++i) {
        const float score = raw[i] / row_.divisor();
        const double e = score < bound_ ? ExpNegative(score - best_) : 0;
        total += e;
        squares += e * e;
        sums[buckets.Of(score)] += e;
      }
    }
    if (!(squares > 0)) return;
    const double wanted = (target_.value - held_) / (sum_ - held_);
    const double deviation = std::sqrt(wanted * (1 - wanted) * squares) / total;
    double cumulative = 0;
    for (size_t bucket = 0; bucket + 1 < kBuckets; ++bucket) {
      cumulative += sums[bucket] / total;
      if (cumulative <= wanted - 4 * deviation) high = std::min(high, buckets.LowerEdge(bucket));
      if (cumulative < wanted + 4 * deviation) continue;
      low = buckets.LowerEdge(bucket);
      return;
    }
  }

  ScoreRow& row_;
  float best_;
  double sum_;
  Target target_;
  float bound_;      // of the entries that FindAmongBest saw
  double held_ = 0;  // their sum
  std::vector<int32_t> ids_;
  std::vector<Entry> entries_;
};

}  // namespace

bool NarrowToNucleus(float limit, ScoreRow& row) {
  if (row.size() < kSmallRow) return false;
  NucleusFinder finder(limit, row);
  std::optional<Edge> edge = finder.FindAmongBest(kFewBest);
  if (!edge) edge = finder.FindAmongBest(static_cast<int64_t>(MaximaOf(row.size()) / 8 * 7));
  if (!edge) {
    edge = finder.FindInBand();
    if (!edge) return false;
    row.NarrowTo(edge->score);
  }
  const auto scores = row.scores();
  const auto mask = row.Mask(row.size(), 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    mask[i] = scores[i] > edge->score || (scores[i] == edge->score && row.id(i) <= edge->id);
  }
  row.KeepCompact(mask);
  return true;
}

}  // namespace fathom
