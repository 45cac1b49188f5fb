#include "measure/pair_sampler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// An arm of the comparison: what it is, how long its work takes, and the runner where it stays.
struct Side {
  EngineOptions options;
  std::unique_ptr<ArmRunner> runner;
  int repeats = 1;
  // Calibrated: loading, the same and the warming up, the prompt, a token.
  double load_seconds = 0, setup_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  RoundTimes last;
  double last_load = 0;  // 0: not loaded anew for this pair
};

// Shows every page and kernel to the arm once: a short prompt, two steps.
Status WarmUp(ArmRunner& runner, const RoundWork& work) {
  RoundWork brief = work;
  brief.text.clear();
  brief.prompt_ids.resize(std::min<size_t>(brief.prompt_ids.size(), 16));
  brief.decode_tokens = 2;
  brief.repeats = 1;
  return runner.Run(brief).status();
}

class Sampler {
 public:
  Sampler(const ArmFactory& open, const EngineOptions& on, const EngineOptions& off,
          const PairPlan& plan)
      : open_(open), plan_(plan), work_(plan.work), random_(plan.seed) {
    on_.options = on;
    off_.options = off;
  }

  Result<PairSamples> Run() {
    for (Side* side : {&on_, &off_}) FATHOM_TRY(Calibrate(*side));
    const auto prompt = static_cast<int64_t>(work_.prompt_ids.size());
    samples_.decode_bytes_on = on_.runner->DecodeBytes(prompt + work_.decode_tokens / 2);
    FitToBudget();
    size_t look = 0;
    for (int pair = 0;; ++pair) {
      if (Stopped()) break;
      // The first pair is run whatever it costs; no other one that would overrun the budget.
      if (pair > 0 && SecondsSince(start_) + PairSeconds(pair) > plan_.budget_seconds) break;
      FATHOM_TRY(RunPair(pair));
      if (plan_.on_round) plan_.on_round(pair + 1);
      if (look < plan_.looks.samples.size() && pair + 1 == plan_.looks.samples[look]) {
        ++look;
        if (Decided() || look == plan_.looks.samples.size()) break;
      }
    }
    samples_.decode_tokens = work_.decode_tokens;
    return std::move(samples_);
  }

 private:
  bool Stopped() {
    samples_.interrupted = samples_.interrupted || (plan_.stop && plan_.stop());
    return samples_.interrupted;
  }

  Status Open(Side& side) {
    side.runner.reset();
    FATHOM_ASSIGN(side.runner, open_(side.options));
    side.last_load = side.runner->load_seconds();
    return WarmUp(*side.runner, work_);
  }

  Status Calibrate(Side& side) {
    const auto start = Clock::now();
    FATHOM_TRY(Open(side));
    side.setup_seconds = SecondsSince(start);
    RoundWork brief = work_;
    brief.decode_tokens = std::min<int64_t>(2, work_.decode_tokens);
    brief.repeats = 1;
    FATHOM_ASSIGN(const RoundTimes times, side.runner->Run(brief));
    side.load_seconds = side.last_load;
    side.prefill_seconds = times.prefill * static_cast<double>(work_.prompt_ids.size());
    side.decode_seconds = times.decode;
    return Status::Ok();
  }

  // How many tokens, how often repeated, and whether arms are loaded anew for each pair.
  void FitToBudget() {
    const int rounds = plan_.looks.samples.front();
    const double left = std::max(plan_.budget_seconds - SecondsSince(start_), 0.0);
    const double setup = on_.setup_seconds + off_.setup_seconds;
    reload_ = setup * rounds < 0.4 * left;
    // Two pairs more than are needed, and a third of each for what was misjudged.
    const double pair = left / (rounds + 2) - (reload_ ? setup : 0);
    const double round = std::clamp(pair / 3, 0.002, plan_.round_seconds);
    const double slower = std::max({on_.decode_seconds, off_.decode_seconds, 1e-7});
    const double room =
        std::max(round - std::max(on_.prefill_seconds, off_.prefill_seconds), 0.5 * round);
    work_.decode_tokens = std::clamp<int64_t>(static_cast<int64_t>(room / slower),
                                              std::min<int64_t>(2, most()), most());
    for (Side* side : {&on_, &off_}) {
      const double once =
          side->prefill_seconds + static_cast<double>(work_.decode_tokens) * side->decode_seconds;
      side->repeats = static_cast<int>(std::clamp(round / std::max(once, 1e-6), 1.0, 32.0));
    }
    if (!reload_) return;
    on_.runner.reset();
    off_.runner.reset();
  }
  int64_t most() const { return plan_.work.decode_tokens; }

  // What a pair has cost on average.
  double PairSeconds(int pairs) const { return pairs == 0 ? 0 : pair_seconds_ / pairs; }

  Status RunSide(Side& side, int pair) {
    side.last_load = 0;
    if (reload_) FATHOM_TRY(Open(side));
    work_.repeats = side.repeats;
    work_.seed = plan_.work.seed + static_cast<uint64_t>(pair);
    FATHOM_ASSIGN(side.last, side.runner->Run(work_));
    // One arm at a time in memory, and in the caches, where the other is loaded anew anyway.
    if (reload_) side.runner.reset();
    return Status::Ok();
  }

  Status RunPair(int pair) {
    const auto start = Clock::now();
    const bool on_first = (random_() & 1) != 0;
    FATHOM_TRY(RunSide(on_first ? on_ : off_, pair));
    FATHOM_TRY(RunSide(on_first ? off_ : on_, pair));
    pair_seconds_ += SecondsSince(start);
    Keep(on_.last.prefill, off_.last.prefill, samples_.ratios.prefill);
    Keep(on_.last.decode, off_.last.decode, samples_.ratios.decode);
    Keep(on_.last.sampling, off_.last.sampling, samples_.ratios.sampling);
    Keep(on_.last.tokenize, off_.last.tokenize, samples_.ratios.tokenize);
    Keep(on_.last_load, off_.last_load, samples_.ratios.load);
    for (const auto& [side, seconds] :
         {std::pair(&on_, &samples_.on), std::pair(&off_, &samples_.off)}) {
      seconds->prefill.push_back(side->last.prefill);
      seconds->decode.push_back(side->last.decode);
      seconds->load.push_back(reload_ ? side->last_load : side->load_seconds);
    }
    return Status::Ok();
  }

  static void Keep(double on, double off, std::vector<double>& ratios) {
    if (on > 0 && off > 0) ratios.push_back(off / on);
  }

  // Whether nothing would be learned that a user could act on.
  bool Decided() const {
    MeasuredRow row;
    FillIntervals(samples_.ratios, plan_.looks.alpha, plan_.noise, row);
    const auto decided = [](const RatioInterval& ratio, double noise) {
      if (!ratio.measured() || !ratio.SpansOne()) return true;
      return ratio.bounded() && ratio.high / ratio.low <= std::pow(noise * 1.04, 2);
    };
    return decided(row.prefill, plan_.noise.prefill) && decided(row.decode, plan_.noise.decode) &&
           decided(row.load, plan_.noise.load) && decided(row.tokenize, plan_.noise.tokenize) &&
           decided(row.sampling, plan_.noise.sampling);
  }

  const ArmFactory& open_;
  const PairPlan& plan_;
  RoundWork work_;
  std::mt19937_64 random_;
  Side on_, off_;
  bool reload_ = false;
  double pair_seconds_ = 0;
  PairSamples samples_;
  const Clock::time_point start_ = Clock::now();
};

}  // namespace

Result<PairSamples> SamplePairs(const ArmFactory& open, const EngineOptions& on,
                                const EngineOptions& off, const PairPlan& plan) {
  return Sampler(open, on, off, plan).Run();
}

void FillIntervals(const PairRatios& ratios, double alpha, const NoiseFactors& noise,
                   MeasuredRow& row) {
  row.prefill = Widen(MedianInterval(ratios.prefill, alpha), noise.prefill);
  row.decode = Widen(MedianInterval(ratios.decode, alpha), noise.decode);
  row.load = Widen(MedianInterval(ratios.load, alpha), noise.load);
  row.tokenize = Widen(MedianInterval(ratios.tokenize, alpha), noise.tokenize);
  row.sampling = Widen(MedianInterval(ratios.sampling, alpha), noise.sampling);
}

NoiseFactors NoiseOf(const PairRatios& ratios, const NoiseFactors& least) {
  return {NoiseFactor(ratios.prefill, least.prefill), NoiseFactor(ratios.decode, least.decode),
          NoiseFactor(ratios.load, least.load), NoiseFactor(ratios.tokenize, least.tokenize),
          NoiseFactor(ratios.sampling, least.sampling)};
}

}  // namespace fathom
