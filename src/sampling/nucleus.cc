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
constexpr float kNoBound = std::numeric_limits<float>::infinity();
// Shares are rounded to float32, the divisor too, and their sum once more.
constexpr double kRounding = 1.3e-7;

using Edge = ScoreRow::Floor;

// Where a sum of the better ones must end, and what may be wrong with it: the exact rule decides
// otherwise at most inside of [low, high].
struct Target {
  double low, high;
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
  EdgeSearch(const RowKernels& kernels, float best, const Candidates& all, Target target)
      : kernels_(kernels), best_(best), all_(all), target_(target) {}

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
      if (high_ - low_ <= before / 2) continue;
      if (high_ - low_ > 1 && !Probe(low_ + (high_ - low_) / 2)) return std::nullopt;
    }
    return high_ - low_ > 1 ? Walk() : FindAmongTies();
  }
  bool is_among() const { return is_among_; }
  float low() const { return FromOrderedKey(low_); }
  float high() const { return FromOrderedKey(high_); }

 private:
  static constexpr double kFew = 32;

  double Sum(float threshold) const {
    return kernels_.sum_at_least(all_.scores.data(), all_.exponentials.data(), all_.scores.size(),
                                 threshold);
  }
  // From the sums alone: none between the limits is below the lower one.
  bool IsFew() const {
    return low_sum_ - high_sum_ <= kFew * double{ExpNegative(std::min(low() - best_, 0.0f))};
  }
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
    const double low_score = low(), high_score = high();
    const double width = high_score - low_score;
    if (!(width < 1e30)) return true;
    const double crossing = (low_sum_ - target_.low) / (low_sum_ - high_sum_);
    const double count = (low_sum_ - high_sum_) / ExpNegative(std::min(low() - best_, 0.0f));
    const double margin = 2 / std::sqrt(std::max(count, 16.0));
    for (const double place : {crossing - margin, crossing + margin}) {
      if (place <= 0 || place >= 1) continue;
      if (!Probe(OrderedKey(static_cast<float>(low_score + place * width)))) return false;
    }
    return true;
  }
  std::optional<Edge> Walk() const {
    struct Entry {
      float score, exponential;
      int32_t id;
    };
    std::vector<Entry> entries;
    const float from = low(), to = high();
    for (size_t i = 0; i < all_.scores.size(); ++i) {
      const float score = all_.scores[i];
      if (score >= from && score < to) {
        entries.push_back({score, all_.exponentials[i], all_.ids[i]});
      }
    }
    std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
      return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    double sum = high_sum_;
    for (const Entry& entry : entries) {
      sum += entry.exponential;
      if (sum < target_.low) continue;
      if (sum <= target_.high) return std::nullopt;
      return Edge{entry.score, entry.id};
    }
    return std::nullopt;
  }
  // All between the limits have one score: the edge is counted out.
  std::optional<Edge> FindAmongTies() const {
    const float score = low();
    size_t i = 0;
    const auto next = [&] { return std::find(all_.scores.begin() + i, all_.scores.end(), score); };
    i = static_cast<size_t>(next() - all_.scores.begin());
    if (i == all_.scores.size()) return std::nullopt;
    const double each = all_.exponentials[i];
    const double before = std::floor((target_.low - high_sum_) / each);
    const double after = std::floor((target_.high - high_sum_) / each);
    if (before != after || before < 0) return std::nullopt;
    for (double passed = 0; passed < before && i < all_.scores.size(); ++passed) {
      ++i;
      i = static_cast<size_t>(next() - all_.scores.begin());
    }
    if (i == all_.scores.size()) return std::nullopt;
    return Edge{score, all_.ids[i]};
  }

  const RowKernels& kernels_;
  const float best_;
  const Candidates all_;
  const Target target_;
  uint32_t low_ = 0, high_ = 0;        // keys; the sum of what reaches low_ is above the target,
  double low_sum_ = 0, high_sum_ = 0;  // of what reaches high_ below it
  bool is_among_ = false;
};

class NucleusFinder {
 public:
  NucleusFinder(float limit, ScoreRow& row) : row_(row), best_(row.Max()) {
    const float next = std::nextafter(limit, std::numeric_limits<float>::infinity());
    share_ = (double{limit} + double{next}) / 2;  // sums above it round to more than the limit
  }

  // Looks among about kFewBest of the best; leaves the row compact where the edge is found.
  bool KeepAmongBest() {
    bound_ = row_.BoundOfKth(kFewBest);
    row_.NarrowTo(bound_);
    if (row_.size() > kManyTies) {
      row_.Widen();
      bound_ = kNoBound;
      return false;
    }
    const auto scores = row_.scores();
    few_.resize(scores.size());
    for (size_t i = 0; i < few_.size(); ++i) {
      few_[i] = ExpNegative(scores[i] - best_);
      held_ += few_[i];
    }
    // What the others may add up to, from nothing to 32 times the maxima of their columns.
    const double most = row_.size() == row_.vocab_size() ? 0 : MostBeyondBest();
    const double wrong = (2 * kRounding * share_ + 1e-10) * (held_ + most);
    const Target target{(1 - share_) * held_ - wrong, (1 - share_) * (held_ + most) + wrong};
    const Candidates best{scores, few_, row_.ids()};
    EdgeSearch search(row_.kernels(), best_, best, target);
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
      const Candidates band{scores_, exponentials_, ids_};
      EdgeSearch search(row_.kernels(), best_, band, {target - wrong, target + wrong});
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

  // A bound for the sum of exponentials below bound_.
  double MostBeyondBest() {
    const auto maxima = row_.UndividedMaxima();
    const float bound = row_.UndividedOfNarrowed(bound_);
    block_ends_.resize(BlocksOf(maxima.size()));
    block_weights_.resize(block_ends_.size());
    const double below =
        row_.kernels().weigh(maxima.data(), maxima.size(), row_.narrowed_divisor(), best_, bound,
                             bound, nullptr, block_ends_.data(), block_weights_.data());
    const size_t reaching = row_.kernels().count_at_least(maxima.data(), maxima.size(), bound);
    const double others = static_cast<double>(reaching) * ExpNegative(bound_ - best_);
    return (1 + 1e-6) * (kBlockEntries / kColumns) * (below + others);
  }

  // A part of the entries below bound_ in whole lines, and about where the edge is according to
  // them: three and a half standard deviations of the sampled sum to both sides.
  void EstimateBand(float& low, float& high) {
    const auto raw = row_.undivided();
    const size_t lines = raw.size() / kColumns;
    const size_t stride = std::clamp<size_t>(lines / 256, 1, kSampleStride);
    scores_.clear();
    for (size_t line = stride / 2; line < lines; line += stride) {
      const auto of_line = raw.subspan(line * kColumns, kColumns);
      scores_.insert(scores_.end(), of_line.begin(), of_line.end());
    }
    exponentials_.resize(scores_.size());
    row_.kernels().estimate(scores_.data(), scores_.size(), row_.divisor(), best_,
                            exponentials_.data());
    double rest = 0;
    for (size_t i = 0; i < scores_.size(); ++i) {
      scores_[i] /= row_.divisor();
      exponentials_[i] = scores_[i] < bound_ ? exponentials_[i] : 0.0f;
      rest += exponentials_[i];
    }
    const double inverse = static_cast<double>(scores_.size()) / static_cast<double>(raw.size());
    const double wanted = rest - share_ * (held_ * inverse + rest);
    const float middle = wanted > 0 ? Quantile(wanted).first : bound_;
    double squares = 0;
    for (size_t i = 0; i < scores_.size(); ++i) {
      const double e = exponentials_[i] * (scores_[i] < middle ? 1 - share_ : share_);
      squares += e * e;
    }
    const double deviation = 3.5 * std::sqrt(squares);
    low = wanted + deviation > 0 ? Quantile(wanted + deviation).first : bound_;
    high = wanted - deviation > 0 ? Quantile(wanted - deviation).second : kNoBound;
  }

  // Two scores that the best of the sample reach which have the given sum.
  std::pair<float, float> Quantile(double sum) const {
    float low = best_ - 90, high = std::min(bound_, best_);
    const auto of = [&](float threshold) {
      return row_.kernels().sum_at_least(scores_.data(), exponentials_.data(), scores_.size(),
                                         threshold);
    };
    if (of(low) <= sum) return {kRemoved, low};
    for (int step = 0; step < 14; ++step) {
      const float middle = low + (high - low) / 2;
      (of(middle) > sum ? low : high) = middle;
    }
    return {low, high};
  }

  // The sums of the whole row, and the entries of the band [low, high).
  void Weigh(float low, float high) {
    const auto raw = row_.undivided();
    block_ends_.resize(BlocksOf(raw.size()));
    block_weights_.resize(block_ends_.size());
    ids_.resize(raw.size() + kCollectSlack);
    below_ = row_.kernels().weigh(raw.data(), raw.size(), row_.divisor(), best_,
                                  row_.Undivided(low), row_.Undivided(high), ids_.data(),
                                  block_ends_.data(), block_weights_.data());
    sum_ = below_;
    for (const double weight : block_weights_) sum_ += weight;
    Gather(block_ends_.back());
    row_.kernels().estimate(scores_.data(), scores_.size(), row_.divisor(), best_,
                            exponentials_.data());
    if (row_.divisor() == 1) return;
    for (float& score : scores_) score /= row_.divisor();
  }
  void Gather(size_t count) {
    const auto raw = row_.undivided();
    scores_.resize(count);
    exponentials_.resize(count);
    ids_.resize(count);
    for (size_t i = 0; i < count; ++i) scores_[i] = raw[static_cast<size_t>(ids_[i])];
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
    EdgeSearch search(row_.kernels(), best_, {scores, exponentials, ids},
                      {target - wrong, target + wrong});
    return search.Find(low, high);
  }

  // The weights of what is kept: of the entries above the band, and of the band down to the edge.
  void KeepFloor(const Edge& edge) {
    const float above = std::nextafter(edge.score, kNoBound);
    const auto block_of_edge = static_cast<size_t>(edge.last_id) / kBlockEntries;
    size_t i = 0;
    for (size_t block = 0; block < block_ends_.size(); ++block) {
      const size_t end = block_ends_[block];
      if (block != block_of_edge) {
        block_weights_[block] +=
            row_.kernels().sum_at_least(scores_.data() + i, exponentials_.data() + i, end - i,
                                        block < block_of_edge ? edge.score : above);
      } else {
        for (size_t k = i; k < end; ++k) {
          if (edge.Keeps(scores_[k], ids_[k])) block_weights_[block] += exponentials_[k];
        }
      }
      i = end;
    }
    row_.KeepFrom(edge, block_weights_);
  }

  ScoreRow& row_;
  const float best_;
  double share_;
  float bound_ = kNoBound;  // of the entries that KeepAmongBest saw
  double held_ = 0;         // their sum
  double sum_ = 0, below_ = 0;
  std::vector<float> few_;
  std::vector<int32_t> ids_;
  std::vector<float> scores_, exponentials_;
  std::vector<uint32_t> block_ends_;
  std::vector<double> block_weights_;
};

}  // namespace

bool NarrowToNucleus(float limit, ScoreRow& row) {
  if (row.size() < kSmallRow) return false;
  NucleusFinder finder(limit, row);
  return finder.KeepAmongBest() || finder.KeepInBand();
}

}  // namespace fathom
