#include "measure/pair_sampler.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

// Fewer than three rounds and one disturbed round is not outvoted; more than nine say nothing of
// the luck of a load.
constexpr double kAlternations = 3, kMostAlternations = 9;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Shows every page and kernel to the arm once: the prompt, so that the plan of its size has run,
// and two steps.
Result<RoundTimes> WarmUp(ArmRunner& runner, const RoundWork& work) {
  RoundWork brief = work;
  brief.decode_tokens = std::min<int64_t>(2, work.decode_tokens);
  return runner.Run(brief);
}

void Keep(const std::vector<double>& on, const std::vector<double>& off,
          std::vector<double>& ratios) {
  // In logarithms: the mean of the middle two of an even number must not favour either arm.
  std::vector<double> neighbours;
  for (size_t i = 0; i < on.size(); ++i) {
    if (on[i] > 0 && off[i] > 0) neighbours.push_back(std::log(off[i] / on[i]));
  }
  if (!neighbours.empty()) ratios.push_back(std::exp(Median(std::move(neighbours))));
}

// One figure in all the structures that have one of each.
struct Figure {
  std::vector<double> PairRatios::*ratios;
  double FigureFactors::*factor;
  RatioInterval MeasuredRow::*interval;
  bool Figures::*judged;
};
constexpr std::array<Figure, 5> kFigures = {
    {{&PairRatios::prefill, &FigureFactors::prefill, &MeasuredRow::prefill, &Figures::prefill},
     {&PairRatios::decode, &FigureFactors::decode, &MeasuredRow::decode, &Figures::decode},
     {&PairRatios::load, &FigureFactors::load, &MeasuredRow::load, &Figures::load},
     {&PairRatios::tokenize, &FigureFactors::tokenize, &MeasuredRow::tokenize, &Figures::tokenize},
     {&PairRatios::sampling, &FigureFactors::sampling, &MeasuredRow::sampling,
      &Figures::sampling}}};

}  // namespace

void PairSampler::Side::Clear() {
  for (auto* times : {&prefill, &decode, &sampling, &tokenize}) times->clear();
  last_load = 0;
}

void PairSampler::Side::Keep(const RoundTimes& times) {
  prefill.push_back(times.prefill);
  decode.push_back(times.decode);
  sampling.push_back(times.sampling);
  tokenize.push_back(times.tokenize);
}

PairSampler::PairSampler(const ArmFactory& open, EngineOptions on, EngineOptions off, PairPlan plan)
    : open_(open), plan_(std::move(plan)), work_(plan_.work), random_(plan_.seed) {
  on_.options = std::move(on);
  off_.options = std::move(off);
}

Status PairSampler::Prepare() {
  const auto start = Clock::now();
  const auto [first, second] = Shuffled();
  for (Side* side : {first, second}) FATHOM_TRY(Calibrate(*side));
  const auto prompt = static_cast<int64_t>(work_.prompt_ids.size());
  samples_.decode_bytes_on = on_.runner->DecodeBytes(prompt + work_.decode_tokens / 2);
  const auto left = [&] { return std::max(plan_.budget_seconds - SecondsSince(start), 0.0); };
  // A first load may find nothing cached and kernels not tuned: once more where that would decide
  // how often arms are loaded.
  const double loads = LoadShare() * left() / SetupSeconds();
  if (loads > 2 && loads < plan_.pairs + 2) {
    Close();
    for (Side* side : {first, second}) FATHOM_TRY(Calibrate(*side));
  }
  FitToBudget(left());
  samples_.decode_tokens = work_.decode_tokens;
  // The one ratio there is, where loading is too dear to be repeated.
  if (visits_ == 1) {
    Keep({on_.last_load}, {off_.last_load}, samples_.ratios.load);
  } else {
    Close();
  }
  return Status::Ok();
}

Status PairSampler::Open(Side& side) {
  FATHOM_ASSIGN(side.runner, open_(side.options));
  side.last_load = side.runner->load_seconds();
  return WarmUp(*side.runner, work_).status();
}

Status PairSampler::Calibrate(Side& side) {
  auto start = Clock::now();
  FATHOM_TRY(Open(side));
  const double setup = SecondsSince(start);
  side.setup_seconds = side.setup_seconds > 0 ? std::min(side.setup_seconds, setup) : setup;
  start = Clock::now();
  FATHOM_ASSIGN(const RoundTimes times, WarmUp(*side.runner, work_));
  side.decode_seconds = times.decode;
  // What a round costs beside its tokens: the prompt, waking up, the text.
  const auto steps = static_cast<double>(std::min<int64_t>(2, work_.decode_tokens));
  side.prompt_seconds = std::max(SecondsSince(start) - steps * times.decode,
                                 times.prefill * static_cast<double>(work_.prompt_ids.size()));
  return Status::Ok();
}

void PairSampler::Close() {
  on_.runner.reset();
  off_.runner.reset();
}

// How many tokens, and how many visits the pairs are made in. Both arms always do the same number
// of the same rounds: what is cold in a first round, or outvoted by a third one, must not tell them
// apart.
void PairSampler::FitToBudget(double seconds) {
  // Two more than are needed, for what was misjudged: one too few would leave no interval.
  const int pairs = plan_.pairs + 2;
  const double setup = SetupSeconds();
  visits_ = static_cast<int>(std::clamp<double>(LoadShare() * seconds / setup, 1, pairs));
  pairs_a_visit_ = (pairs + visits_ - 1) / visits_;
  const double for_loads = visits_ > 1 ? setup * visits_ : 0;
  const double room = std::max((seconds - for_loads) / pairs, 0.004);
  const double prompt = on_.prompt_seconds + off_.prompt_seconds;
  const double token = std::max(on_.decode_seconds + off_.decode_seconds, 1e-7);
  const int64_t most = plan_.work.decode_tokens;
  // Rather fewer tokens than fewer rounds, down to a third of what there should be.
  const auto tokens_of = [&](double share) {
    const double decode = std::max(share - prompt, 0.5 * share);
    return std::min<int64_t>(static_cast<int64_t>(decode / token), most);
  };
  work_.decode_tokens = std::clamp<int64_t>(
      std::max(tokens_of(room / kAlternations), std::min(tokens_of(room), most / 3)),
      std::min<int64_t>(2, most), most);
  round_seconds_ = prompt + static_cast<double>(work_.decode_tokens) * token;
}

double PairSampler::SetupSeconds() const {
  return std::max(on_.setup_seconds + off_.setup_seconds, 1e-9);
}

// Of the time, that loading may take.
double PairSampler::LoadShare() const {
  return plan_.judged.prefill || plan_.judged.decode ? 0.5 : 0.9;
}

std::pair<PairSampler::Side*, PairSampler::Side*> PairSampler::Shuffled() {
  const bool on_first = (random_() & 1) != 0;
  return on_first ? std::pair(&on_, &off_) : std::pair(&off_, &on_);
}

Status PairSampler::Visit(double pair_seconds, const std::function<bool()>& stop) {
  const auto start = Clock::now();
  const double load = visits_ > 1 ? SetupSeconds() / pairs_a_visit_ : 0;
  alternations_ =
      static_cast<int>(std::clamp((pair_seconds - load) / round_seconds_, 1.0, kAlternations));
  if (visits_ > 1) {
    const auto [first, second] = Shuffled();
    FATHOM_TRY(Open(*first));
    FATHOM_TRY(Open(*second));
  }
  for (int i = 0; i < pairs_a_visit_; ++i) {
    if (stop && stop()) break;
    FATHOM_TRY(RunPair());
  }
  Close();
  visit_seconds_ = SecondsSince(start);
  return Status::Ok();
}

// Round by round in turn. Neighbours in time see the same machine, so their ratio is taken first
// and the median of the ratios after.
Status PairSampler::RunPair() {
  for (int i = 0; i < alternations_; ++i) {
    work_.seed = plan_.work.seed + static_cast<uint64_t>(pairs_ * alternations_ + i);
    const auto [first, second] = Shuffled();
    for (Side* side : {first, second}) {
      FATHOM_ASSIGN(const RoundTimes times, side->runner->Run(work_));
      side->Keep(times);
    }
  }
  ++pairs_;
  KeepPair();
  return Status::Ok();
}

void PairSampler::KeepPair() {
  Keep(on_.prefill, off_.prefill, samples_.ratios.prefill);
  Keep(on_.decode, off_.decode, samples_.ratios.decode);
  Keep(on_.sampling, off_.sampling, samples_.ratios.sampling);
  Keep(on_.tokenize, off_.tokenize, samples_.ratios.tokenize);
  if (visits_ > 1) Keep({on_.last_load}, {off_.last_load}, samples_.ratios.load);
  for (const auto& [side, seconds] :
       {std::pair(&on_, &samples_.on), std::pair(&off_, &samples_.off)}) {
    seconds->prefill.push_back(Median(side->prefill));
    seconds->decode.push_back(Median(side->decode));
    if (side->last_load > 0) seconds->load.push_back(side->last_load);
    side->Clear();
  }
}

FigureFactors InflationOf(std::span<const PairRatios* const> entries) {
  FigureFactors inflation;
  for (const Figure& figure : kFigures) {
    std::vector<std::span<const double>> series;
    for (const PairRatios* ratios : entries) series.push_back(ratios->*figure.ratios);
    inflation.*figure.factor = SerialInflation(series);
  }
  return inflation;
}

FigureFactors ResolutionsOf(const PairRatios& identical, const FigureFactors& least,
                            const FigureFactors& inflation) {
  FigureFactors resolution;
  for (const Figure& figure : kFigures) {
    resolution.*figure.factor =
        ResolutionOf(identical.*figure.ratios, least.*figure.factor, inflation.*figure.factor);
  }
  return resolution;
}

void FillIntervals(const PairRatios& ratios, double alpha, const FigureFactors& inflation,
                   const FigureFactors& resolution, MeasuredRow& row) {
  for (const Figure& figure : kFigures) {
    row.*figure.interval =
        Resolve(MedianInterval(ratios.*figure.ratios, alpha, inflation.*figure.factor),
                resolution.*figure.factor);
  }
}

void FillLoad(const PairSamples& samples, MeasuredRow& row) {
  row.load_ms_on = Median(samples.on.load) * 1e3;
  row.load_ms_off = Median(samples.off.load) * 1e3;
}

bool Decided(const MeasuredRow& row, const FigureFactors& resolution) {
  return std::ranges::all_of(kFigures, [&](const Figure& figure) {
    const RatioInterval& ratio = row.*figure.interval;
    if (!(row.acts_on.*figure.judged) || !ratio.measured() || !ratio.SpansOne()) return true;
    // One ratio is all that there is of a load that is too dear to be repeated.
    if (figure.interval == &MeasuredRow::load && (ratio.rounds == 1 || !LoadCounts(row))) {
      return true;
    }
    const double factor = resolution.*figure.factor;
    return ratio.bounded() && ratio.high <= factor && ratio.low >= 1 / factor;
  });
}

}  // namespace fathom
