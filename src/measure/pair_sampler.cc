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

// An arm of the comparison: what it is, how long its work takes, and the runner.
struct Side {
  EngineOptions options;
  std::unique_ptr<ArmRunner> runner;
  // Calibrated: loading and warming up, the prompt, a token.
  double setup_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  double last_load = 0;  // 0: not loaded anew for this pair
  // Of the rounds of this pair.
  std::vector<double> prefill, decode, sampling, tokenize;

  void Clear() {
    for (auto* times : {&prefill, &decode, &sampling, &tokenize}) times->clear();
  }
  void Keep(const RoundTimes& times) {
    prefill.push_back(times.prefill);
    decode.push_back(times.decode);
    sampling.push_back(times.sampling);
    tokenize.push_back(times.tokenize);
  }
};

// Shows every page and kernel to the arm once: the prompt, so that the plan of its size has run,
// and two steps.
Result<RoundTimes> WarmUp(ArmRunner& runner, const RoundWork& work) {
  RoundWork brief = work;
  brief.decode_tokens = std::min<int64_t>(2, work.decode_tokens);
  return runner.Run(brief);
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
    // The one ratio there is, where loading is too dear to be repeated.
    if (!reload_) Keep({on_.last_load}, {off_.last_load}, samples_.ratios.load);
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
  // Enough that one disturbed round is outvoted; more say nothing of the luck of a load.
  static constexpr double kMostAlternations = 9;

  bool Stopped() {
    samples_.interrupted = samples_.interrupted || (plan_.stop && plan_.stop());
    return samples_.interrupted;
  }

  Status Open(Side& side) {
    FATHOM_ASSIGN(side.runner, open_(side.options));
    side.last_load = side.runner->load_seconds();
    return WarmUp(*side.runner, work_).status();
  }

  Status Calibrate(Side& side) {
    const auto start = Clock::now();
    FATHOM_TRY(Open(side));
    side.setup_seconds = SecondsSince(start);
    FATHOM_ASSIGN(const RoundTimes times, WarmUp(*side.runner, work_));
    side.prefill_seconds = times.prefill * static_cast<double>(work_.prompt_ids.size());
    side.decode_seconds = times.decode;
    return Status::Ok();
  }

  // How many tokens, how many rounds in a pair, and whether arms are loaded anew for each pair.
  // Both arms always do the same number of the same rounds: what is cold in a first round, or
  // outvoted by a third one, must not tell them apart.
  void FitToBudget() {
    // Two more than are needed, for what was misjudged: one too few would leave no interval.
    const int pairs = plan_.looks.samples.front() + 2;
    const double left = std::max(plan_.budget_seconds - SecondsSince(start_), 0.0);
    const double setup = on_.setup_seconds + off_.setup_seconds;
    const bool generates = plan_.judged.prefill || plan_.judged.decode;
    reload_ = setup * pairs < (generates ? 0.5 : 0.9) * left;
    const double room = std::max(left / pairs - (reload_ ? setup : 0), 0.004);
    const double prefill = on_.prefill_seconds + off_.prefill_seconds;
    const double token = std::max(on_.decode_seconds + off_.decode_seconds, 1e-7);
    const int64_t most = plan_.work.decode_tokens;
    const double decode = std::max(room - prefill, 0.5 * room);
    work_.decode_tokens =
        std::clamp<int64_t>(static_cast<int64_t>(decode / token), std::min<int64_t>(2, most), most);
    const double once = prefill + static_cast<double>(work_.decode_tokens) * token;
    // Between two loads as much work as they cost: more would take pairs away. Where nothing is
    // loaded, three rounds.
    const double wanted = reload_ ? std::max(setup, 2 * once) : 3 * once;
    alternations_ =
        static_cast<int>(std::clamp(std::min(wanted, room) / once, 1.0, kMostAlternations));
  }

  // What a pair has cost on average.
  double PairSeconds(int pairs) const { return pairs == 0 ? 0 : pair_seconds_ / pairs; }

  std::pair<Side*, Side*> Shuffled() {
    const bool on_first = (random_() & 1) != 0;
    return on_first ? std::pair(&on_, &off_) : std::pair(&off_, &on_);
  }

  // Both arms loaded, then round by round in turn. Neighbours in time see the same machine, so
  // their ratio is taken first and the median of the ratios after.
  Status RunPair(int pair) {
    const auto start = Clock::now();
    on_.Clear();
    off_.Clear();
    on_.last_load = off_.last_load = 0;
    if (reload_) {
      on_.runner.reset();
      off_.runner.reset();
      const auto [first, second] = Shuffled();
      FATHOM_TRY(Open(*first));
      FATHOM_TRY(Open(*second));
    }
    for (int i = 0; i < alternations_; ++i) {
      work_.seed = plan_.work.seed + static_cast<uint64_t>(pair * alternations_ + i);
      const auto [first, second] = Shuffled();
      for (Side* side : {first, second}) {
        FATHOM_ASSIGN(const RoundTimes times, side->runner->Run(work_));
        side->Keep(times);
      }
    }
    pair_seconds_ += SecondsSince(start);
    KeepPair();
    return Status::Ok();
  }

  void KeepPair() {
    Keep(on_.prefill, off_.prefill, samples_.ratios.prefill);
    Keep(on_.decode, off_.decode, samples_.ratios.decode);
    Keep(on_.sampling, off_.sampling, samples_.ratios.sampling);
    Keep(on_.tokenize, off_.tokenize, samples_.ratios.tokenize);
    Keep({on_.last_load}, {off_.last_load}, samples_.ratios.load);
    for (const auto& [side, seconds] :
         {std::pair(&on_, &samples_.on), std::pair(&off_, &samples_.off)}) {
      seconds->prefill.push_back(Median(side->prefill));
      seconds->decode.push_back(Median(side->decode));
      seconds->load.push_back(side->runner->load_seconds());
    }
  }

  static void Keep(const std::vector<double>& on, const std::vector<double>& off,
                   std::vector<double>& ratios) {
    // In logarithms: the mean of the middle two of an even number must not favour either arm.
    std::vector<double> neighbours;
    for (size_t i = 0; i < on.size(); ++i) {
      if (on[i] > 0 && off[i] > 0) neighbours.push_back(std::log(off[i] / on[i]));
    }
    if (!neighbours.empty()) ratios.push_back(std::exp(Median(std::move(neighbours))));
  }

  // Whether nothing would be learned that a user could act on.
  bool Decided() const {
    MeasuredRow row;
    FillIntervals(samples_.ratios, plan_.looks.alpha, plan_.noise, row);
    const auto decided = [](bool judged, const RatioInterval& ratio, double noise) {
      if (!judged || !ratio.measured() || !ratio.SpansOne()) return true;
      return ratio.bounded() && ratio.high / ratio.low <= std::pow(noise * 1.04, 2);
    };
    const Figures& judged = plan_.judged;
    const NoiseFactors& noise = plan_.noise;
    return decided(judged.prefill, row.prefill, noise.prefill) &&
           decided(judged.decode, row.decode, noise.decode) &&
           decided(judged.load && reload_, row.load, noise.load) &&
           decided(judged.tokenize, row.tokenize, noise.tokenize) &&
           decided(judged.sampling, row.sampling, noise.sampling);
  }

  const ArmFactory& open_;
  const PairPlan& plan_;
  RoundWork work_;
  std::mt19937_64 random_;
  Side on_, off_;
  bool reload_ = false;
  int alternations_ = 1;
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
