// An arm that is told how fast it is: measure's logic without a clock or a model.
#pragma once

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "measure/arm_runner.h"

namespace fathom {

// What a shared machine does to all arms alike while they run in turn: a slow drift, and moments in
// which everything takes several times as long. One step a round.
struct FakeWeather {
  double drift = 0;          // standard deviation of the logarithm
  double drift_rounds = 50;  // that a level lasts
  double bursts = 0;         // how often one begins, a round
  double burst_rounds = 6;   // that it lasts on average
  double burst_factor = 3;
  double level = 0;  // as it stands
  bool in_burst = false;

  double Step(std::mt19937_64& random) {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    const double memory = std::exp(-1 / drift_rounds);
    level = memory * level + drift * std::sqrt(1 - memory * memory) * normal(random);
    in_burst = uniform(random) < (in_burst ? 1 - 1 / burst_rounds : bursts);
    return std::exp(level) * (in_burst ? burst_factor : 1);
  }
};

struct FakeArmOptions {
  uint64_t seed = 0;      // of the logits
  double prefill = 1e-3;  // seconds a token
  double decode = 2e-3;
  double load = 0.01;
  double tokenize = 1e-3;
  double sampling = 1e-4;
  double scatter = 0;  // standard deviation of the logarithm of each time
  double luck = 0;     // likewise, of a load: the same for all rounds until the next one
  FakeWeather* weather = nullptr;
  int bad_position = -1;
  float bad_value = 0;
  int window = std::numeric_limits<int>::max();  // tokens of the callers' windows
};

class FakeArm final : public ArmRunner {
 public:
  static constexpr int64_t kVocab = 32;

  explicit FakeArm(FakeArmOptions options, std::mt19937_64* random = nullptr)
      : options_(options), random_(random), load_(Scatter(options.load)) {
    if (random_ == nullptr || options_.luck == 0) return;
    std::normal_distribution<double> normal;
    options_.prefill *= std::exp(options_.luck * normal(*random_));
    options_.decode *= std::exp(options_.luck * normal(*random_));
  }

  Result<RoundTimes> Run(const RoundWork&) override {
    const double weather = options_.weather == nullptr ? 1 : options_.weather->Step(*random_);
    return RoundTimes{.prefill = weather * Scatter(options_.prefill),
                      .decode = weather * Scatter(options_.decode),
                      .sampling = weather * Scatter(options_.sampling),
                      .tokenize = weather * Scatter(options_.tokenize),
                      .total = 0};
  }
  Status Score(std::span<const int32_t> ids,
               const std::function<void(int64_t, std::span<const float>)>& on_rows) override {
    // Two chunks, as an engine gives them.
    const auto count = static_cast<int64_t>(ids.size());
    const int64_t half = (count + 1) / 2;
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>(0, half), {half, count}}) {
      if (first == last) continue;
      std::vector<float> rows;
      for (int64_t i = first; i < last; ++i) AppendRow(scored_ + i, ids[i], rows);
      on_rows(first, rows);
    }
    scored_ += count;
    if (scored_ % options_.window != 0) scored_ = 0;  // the next call begins a text
    return Status::Ok();
  }
  Result<std::vector<int32_t>> Encode(const std::string& text) override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<uint8_t>(c) % kVocab);
    return ids;
  }
  int64_t vocab_size() const override { return kVocab; }
  int64_t context_length() const override { return 256; }
  double DecodeBytes(int64_t) const override { return 1e6; }
  double load_seconds() const override { return load_; }

 private:
  double Scatter(double seconds) {
    if (random_ == nullptr || options_.scatter == 0) return seconds;
    return seconds * std::exp(options_.scatter * std::normal_distribution<double>()(*random_));
  }
  void AppendRow(int64_t position, int32_t id, std::vector<float>& rows) const {
    std::mt19937_64 random(options_.seed * 1000 + static_cast<uint64_t>(id));
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < kVocab; ++i) rows.push_back(2 * normal(random));
    if (position == options_.bad_position) rows.back() = options_.bad_value;
  }

  FakeArmOptions options_;
  std::mt19937_64* random_;
  double load_;
  int64_t scored_ = 0;
};

}  // namespace fathom
