#include "sampling/nucleus.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "sampling/score_row.h"
#include "sampling/select.h"

namespace fathom {

namespace {

constexpr int64_t kFewBest = 256;
constexpr int64_t kSmallRow = 4096;
constexpr int64_t kManyTies = 4096;
constexpr size_t kSampleStride = 32;  // one line of 16 entries in so many
constexpr size_t kBuckets = 1024;     // of the sample, by score
constexpr float kNoBound = std::numeric_limits<float>::infinity();
// Shares are rounded to float32, the divisor too, and their sum once more.
constexpr double kRounding = 1.3e-7;

using Edge = ScoreRow::Floor;

// Where a sum of the better ones must end, and what may be wrong with it: the exact rule decides
// otherwise at most inside of [low, high].
struct Target {
  double low, high;
};

// Buckets of equal width in the score, counted from `top` downwards; the last one has no end.
struct Buckets {
  float top, scale;
  int32_t Of(float score) const {
    return static_cast<int32_t>(std::clamp((top - score) * scale, 0.0f, float{kBuckets - 1}));
  }
  float LowerEdge(size_t bucket) const {
    return bucket + 1 < kBuckets ? top - static_cast<float>(bucket + 1) / scale : kRemoved;
  }
};

// Entries among which the edge is looked for, ids ascending.
struct Candidates {
  std::span<const float> scores;
  std::span<const float> exponentials;
  std::span<const int32_t> ids;
};

// Finds the worst entry that stays: the first, in order of falling score and rising id, with which
// the sum of exponentials passes the target.
class EdgeSearch {
 public:
  EdgeSearch(ScoreRow& row, float best, const Candidates& all, Target target)
      : kernels_(row.kernels()),
        scratch_(row.band_scratch()),
        best_(best),
        all_(all),
        target_(target) {}

  // The scores of `all` lie in [low, high). Nothing where the edge is not among them, for certain
  // or perhaps (is_among), or where the target is not known well enough: then it is in
  // [low(), high()).
  std::optional<Edge> Find(float low, float high) {
    low_ = OrderedKey(low), high_ = OrderedKey(high);
    low_sum_ = Sum(low);
    high_sum_ = 0;
    is_among_ = low_sum_ > target_.high && target_.low > 0;
    if (!is_among_) return std::nullopt;
    while (high_ - low_ > 1 && !IsFew()) {
      const uint32_t before = high_ - low_;
      if (!Interpolate()) return std::nullopt;
      const bool fast = high_ - low_ <= before / 2;
      if (!fast && high_ - low_ > 1 && !Probe(low_ + (high_ - low_) / 2)) return std::nullopt;
      if (fast && !shrunk_) Shrink();
    }
    return high_ - low_ > 1 ? Walk() : FindAmongTies();
  }
  bool is_among() const { return is_among_; }
  float low() const { return FromOrderedKey(low_); }
  float high() const { return FromOrderedKey(high_); }

 private:
  static constexpr double kFew = 32;

  double Sum(float threshold) const {
    return base_ + kernels_.sum_at_least(all_.scores.data(), all_.exponentials.data(),
                                         all_.scores.size(), threshold);
  }
  // From the sums alone: none between the limits is below the lower one.
  double CountAtMost() const {
    return (low_sum_ - high_sum_) / double{ExpNegative(std::min(low() - best_, 0.0f))};
  }
  bool IsFew() const { return CountAtMost() <= kFew; }
  bool Probe(uint32_t key) {
    if (key <= low_ || key >= high_) return true;
    const double sum = Sum(FromOrderedKey(key));
    if (sum > target_.high) {
      low_ = key, low_sum_ = sum;
    } else if (sum < target_.low) {
      high_ = key, high_sum_ = sum;
    } else {
      return false;
    }
    return true;
  }
  // One probe to each side of where the sum would cross if the exponentials lay evenly.
  bool Interpolate() {
    const double low_score = low(), width = high() - low_score;
    if (!(width < 1e30)) return true;
    const double crossing = (low_sum_ - target_.low) / (low_sum_ - high_sum_);
    const double margin = 2 / std::sqrt(std::max(CountAtMost(), 16.0));
    for (const double place : {crossing - margin, crossing + margin}) {
      if (place <= 0 || place >= 1) continue;
      if (!Probe(OrderedKey(static_cast<float>(low_score + place * width)))) return false;
    }
    return true;
  }
  // Goes on with those between the limits alone.
  void Shrink() {
    if (all_.scores.size() < 512) return;
    const size_t count = Pick(scratch_.places);
    scratch_.few_scores.resize(count);
    scratch_.few_exponentials.resize(count);
    scratch_.few_ids.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const auto place = static_cast<size_t>(scratch_.places[i]);
      scratch_.few_scores[i] = all_.scores[place];
      scratch_.few_exponentials[i] = all_.exponentials[place];
      scratch_.few_ids[i] = all_.ids[place];
    }
    all_ = {scratch_.few_scores, scratch_.few_exponentials, scratch_.few_ids};
    base_ = high_sum_;
    shrunk_ = true;
  }
  size_t Pick(std::vector<int32_t>& places) const {
    const size_t room = all_.scores.size() + kCollectSlack;
    if (places.size() < room) places.resize(room);
    return kernels_.between(all_.scores.data(), all_.scores.size(), low(), high(), places.data());
  }
  std::optional<Edge> Walk() const {
    std::vector<size_t> order(Pick(scratch_.places));
    std::copy_n(scratch_.places.begin(), order.size(), order.begin());
    std::ranges::sort(order, [&](size_t a, size_t b) {
      const float left = all_.scores[a], right = all_.scores[b];
      return left != right ? left > right : a < b;
    });
    double sum = high_sum_;
    for (const size_t i : order) {
      sum += all_.exponentials[i];
      if (sum < target_.low) continue;
      if (sum <= target_.high) return std::nullopt;
      return Edge{all_.scores[i], all_.ids[i]};
    }
    return std::nullopt;
  }
  // All between the limits have one score: the edge is counted out.
  std::optional<Edge> FindAmongTies() const {
    const size_t count = Pick(scratch_.places);
    if (count == 0) return std::nullopt;
    const double each = all_.exponentials[static_cast<size_t>(scratch_.places[0])];
    const double before = std::floor((target_.low - high_sum_) / each);
    const double after = std::floor((target_.high - high_sum_) / each);
    if (before != after || !(before >= 0) || !(before < static_cast<double>(count))) {
      return std::nullopt;
    }
    const auto place = static_cast<size_t>(scratch_.places[static_cast<size_t>(before)]);
    return Edge{all_.scores[place], all_.ids[place]};
  }

  const RowKernels& kernels_;
  ScoreRow::BandScratch& scratch_;
  const float best_;
  Candidates all_;
  const Target target_;
  double base_ = 0;                    // the sum of better ones that all_ no longer holds
  uint32_t low_ = 0, high_ = 0;        // keys; the sum of what reaches low_ is above the target,
  double low_sum_ = 0, high_sum_ = 0;  // of what reaches high_ below it
  bool is_among_ = false, shrunk_ = false;
};

class NucleusFinder {
 public:
  NucleusFinder(float limit, ScoreRow& row)
      : row_(row), scratch_(row.band_scratch()), best_(row.Max()) {
    const float next = std::nextafter(limit, std::numeric_limits<float>::infinity());
    share_ = (double{limit} + double{next}) / 2;  // sums above it round to more than the limit
  }

  // Looks among about kFewBest of the best; leaves the row compact where the edge is found.
  bool KeepAmongBest() {
    bound_ = row_.BoundOfKth(kFewBest);
    const double most = WeighMaxima();
    // Too little for certain, for a column seldom has two of them.
    if (1.5 * held_ < (1 - share_) * (1.5 * held_ + most)) return false;
    row_.NarrowTo(bound_);
    if (row_.size() > kManyTies) {
      row_.Widen();
      bound_ = kNoBound, held_ = 0;
      return false;
    }
    const auto scores = row_.scores();
    const auto exponentials = row_.Scratch(scores.size());
    held_ = 0;
    for (size_t i = 0; i < scores.size(); ++i) {
      exponentials[i] = ExpNegative(scores[i] - best_);
      held_ += exponentials[i];
    }
    const double wrong = (2 * kRounding * share_ + 1e-10) * (held_ + most);
    const Target target{(1 - share_) * held_ - wrong, (1 - share_) * (held_ + most) + wrong};
    EdgeSearch search(row_, best_, {scores, exponentials, row_.ids()}, target);
    const auto edge = search.Find(bound_, std::nextafter(best_, kNoBound));
    if (edge) {
      KeepOfCompact(*edge);
      return true;
    }
    row_.Widen();
    return false;
  }

  // Looks in a band that a sample tells, else in the whole row; leaves a floor.
  bool KeepInBand() {
    float low = kRemoved, high = kNoBound;
    EstimateBand(low, high);
    for (;;) {
      Weigh(low, high);
      const double target = below_ - share_ * sum_;
      const double wrong =
          kWeightError * below_ + (kWeightError + kRounding) * share_ * sum_ + 1e-10 * sum_;
      EdgeSearch search(row_, best_, {scratch_.scores, scratch_.exponentials, scratch_.ids},
                        {target - wrong, target + wrong});
      auto edge = search.Find(low, high);
      if (!edge && search.is_among()) edge = FindExactly(search.low(), search.high());
      if (edge) {
        KeepFloor(*edge);
        return true;
      }
      if (search.is_among() || (low == kRemoved && high == kNoBound)) return false;
      low = kRemoved, high = kNoBound;
    }
  }

 private:
  void KeepOfCompact(const Edge& edge) {
    const auto scores = row_.scores();
    const auto mask = row_.Mask(row_.size(), 0);
    for (size_t i = 0; i < scores.size(); ++i) mask[i] = edge.Keeps(scores[i], row_.ids()[i]);
    row_.KeepCompact(mask);
  }

  // From the maxima of columns: held_, the sum of those that reach bound_, and a bound for the sum
  // of all entries that do not.
  double WeighMaxima() {
    const auto maxima = row_.UndividedMaxima();
    const float bound = row_.Undivided(bound_);
    scratch_.block_ends.resize(BlocksOf(maxima.size()));
    scratch_.block_weights.resize(scratch_.block_ends.size());
    const double below =
        row_.kernels().weigh(maxima.data(), maxima.size(), row_.divisor(), best_, bound, bound,
                             nullptr, scratch_.block_ends.data(), scratch_.block_weights.data());
    held_ = 0;
    for (const double weight : scratch_.block_weights) held_ += weight;
    const size_t reaching = row_.kernels().count_at_least(maxima.data(), maxima.size(), bound);
    const double others = static_cast<double>(reaching) * ExpNegative(bound_ - best_);
    return (1 + 1e-6) * (kBlockEntries / kColumns) * (below + others);
  }

  // Lines of the row, `kSampleStride` apart: their scores and estimates in scratch_. Entries that
  // reach bound_ count nothing. Returns the lowest score.
  float TakeSample() {
    const auto raw = row_.undivided();
    const size_t lines = raw.size() / kColumns;
    const size_t stride = std::clamp<size_t>(lines / 256, 1, kSampleStride);
    auto& scores = scratch_.scores;
    auto& exponentials = scratch_.exponentials;
    scores.clear();
    for (size_t line = stride / 2; line < lines; line += stride) {
      const auto of_line = raw.subspan(line * kColumns, kColumns);
      scores.insert(scores.end(), of_line.begin(), of_line.end());
    }
    exponentials.resize(scores.size());
    row_.kernels().estimate(scores.data(), scores.size(), row_.divisor(), best_,
                            exponentials.data());
    const float factor = 1 / row_.divisor();
    std::array<float, kColumns> lowest;
    lowest.fill(best_);
    for (size_t i = 0; i < scores.size(); ++i) {
      scores[i] *= factor;
      exponentials[i] = scores[i] < bound_ ? exponentials[i] : 0.0f;
    }
    for (size_t i = 0; i < scores.size(); i += kColumns) {
      for (size_t k = 0; k < kColumns; ++k) {
        lowest[k] = scores[i + k] < lowest[k] ? scores[i + k] : lowest[k];
      }
    }
    return *std::ranges::min_element(lowest);
  }

  // About where the edge is according to a sample of the entries below bound_: three and a half
  // standard deviations of the sampled sum to both sides.
  void EstimateBand(float& low, float& high) {
    const float deepest = TakeSample();
    const auto& scores = scratch_.scores;
    const float top = std::min(bound_, best_);
    const double range = std::log(static_cast<double>(row_.size()) / share_) + 1;
    const float width =
        std::min(std::max(top - deepest, 1e-3f), static_cast<float>(std::clamp(range, 1.0, 200.0)));
    const Buckets buckets{top, kBuckets / width};
    std::array<float, kBuckets> sums = {};
    for (size_t i = 0; i < scores.size(); ++i) {
      sums[static_cast<size_t>(buckets.Of(scores[i]))] += scratch_.exponentials[i];
    }
    double rest = 0;
    for (const float sum : sums) rest += sum;
    const double part = static_cast<double>(scores.size()) / static_cast<double>(row_.size());
    const double wanted = rest - share_ * (held_ * part + rest);
    // A bucket's squares are its sum times about its exponential.
    double variance = 0, better = 0;
    double exponential = ExpNegative(top - best_);
    const double step = ExpNegative(-1 / buckets.scale);
    for (const float sum : sums) {
      better += sum;
      const double weight = better > wanted ? 1 - share_ : share_;
      variance += sum * exponential * weight * weight;
      exponential *= step;
    }
    const double deviation = 3.5 * std::sqrt(variance);
    high = wanted > deviation ? bound_ : kNoBound;
    low = bound_;
    if (wanted + deviation <= 0) return;
    better = 0;
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      better += sums[bucket];
      low = buckets.LowerEdge(bucket);
      if (better <= wanted - deviation) high = low;
      if (better > wanted + deviation) return;
    }
  }

  // The sums of the whole row, and the entries of the band [low, high).
  void Weigh(float low, float high) {
    const auto raw = row_.undivided();
    auto& [ids, places, few_ids, scores, exponentials, few_scores, few_exponentials, block_ends,
           block_weights] = scratch_;
    block_ends.resize(BlocksOf(raw.size()));
    block_weights.resize(block_ends.size());
    if (ids.size() < raw.size() + kCollectSlack) ids.resize(raw.size() + kCollectSlack);
    below_ = row_.kernels().weigh(raw.data(), raw.size(), row_.divisor(), best_,
                                  row_.Undivided(low), row_.Undivided(high), ids.data(),
                                  block_ends.data(), block_weights.data());
    sum_ = below_;
    for (const double weight : block_weights) sum_ += weight;
    const size_t count = block_ends.back();
    scores.resize(count);
    exponentials.resize(count);
    for (size_t i = 0; i < count; ++i) scores[i] = raw[static_cast<size_t>(ids[i])];
    row_.kernels().estimate(scores.data(), count, row_.divisor(), best_, exponentials.data());
    if (row_.divisor() == 1) return;
    for (float& score : scores) score /= row_.divisor();
  }

  // The same by the exact sums, for the edge lies in [low, high).
  std::optional<Edge> FindExactly(float low, float high) {
    const double sum = row_.SumOfExponentials();
    const auto raw = row_.undivided();
    std::array<double, kColumns> columns = {};
    std::vector<int32_t> ids(raw.size() + kCollectSlack);
    ids.resize(row_.kernels().split(raw.data(), raw.size(), row_.divisor(), best_,
                                    row_.Undivided(low), row_.Undivided(high), ids.data(),
                                    columns.data()));
    double above = 0;
    for (const double column : columns) above += column;
    std::vector<float> scores, exponentials;
    for (const int32_t id : ids) {
      scores.push_back(raw[static_cast<size_t>(id)] / row_.divisor());
      exponentials.push_back(ExpNegative(scores.back() - best_));
    }
    const double target = (1 - share_) * sum - above;
    const double wrong = (2 * kRounding * share_ + 1e-10) * sum;
    EdgeSearch search(row_, best_, {scores, exponentials, ids}, {target - wrong, target + wrong});
    return search.Find(low, high);
  }

  // The weights of what is kept: of the entries above the band, and of the band down to the edge.
  void KeepFloor(const Edge& edge) {
    const float above = std::nextafter(edge.score, kNoBound);
    const auto block_of_edge = static_cast<size_t>(edge.last_id) / kBlockEntries;
    const float* scores = scratch_.scores.data();
    const float* exponentials = scratch_.exponentials.data();
    size_t i = 0;
    for (size_t block = 0; block < scratch_.block_ends.size(); ++block) {
      const size_t end = scratch_.block_ends[block];
      double& weight = scratch_.block_weights[block];
      if (block != block_of_edge) {
        weight += row_.kernels().sum_at_least(scores + i, exponentials + i, end - i,
                                              block < block_of_edge ? edge.score : above);
      } else {
        for (size_t k = i; k < end; ++k) {
          if (edge.Keeps(scores[k], scratch_.ids[k])) weight += exponentials[k];
        }
      }
      i = end;
    }
    row_.KeepFrom(edge, scratch_.block_weights);
  }

  ScoreRow& row_;
  ScoreRow::BandScratch& scratch_;
  const float best_;
  double share_;
  float bound_ = kNoBound;  // of the entries that KeepAmongBest looks at
  double held_ = 0;         // about their sum
  double sum_ = 0, below_ = 0;
};

}  // namespace

bool NarrowToNucleus(float limit, ScoreRow& row) {
  if (row.size() < kSmallRow) return false;
  NucleusFinder finder(limit, row);
  return finder.KeepAmongBest() || finder.KeepInBand();
}

}  // namespace fathom
