#include "machine/roofs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <limits>
#include <map>
#include <vector>

#include "base/arena.h"
#include "machine/probes/kernels.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

// One sample of a peak: long against a barrier, and so short that other programs leave some samples
// alone.
constexpr double kPeakSampleMs = 2;
// The read buffer comes in these units, so that it divides among threads, slices and streams.
constexpr uint64_t kReadUnit = uint64_t{32} << 20;
// Each sample reads one slice, the next sample the next one: what is read again has left the caches
// by then, and a sample is short.
constexpr size_t kSlices = 4;
// A worker's share: whole pages of each of up to 8 streams.
constexpr size_t kReadGrain = 8 * 4096;

double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

uint64_t NextRandom(uint64_t& state) {  // splitmix64 (Steele, Lea, Flood 2014)
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::vector<ReadVariant> ReadVariants() {
  return {{1, Prefetch::kNone, 0},  {2, Prefetch::kNone, 0},  {4, Prefetch::kNone, 0},
          {8, Prefetch::kNone, 0},  {1, Prefetch::kT0, 4096}, {1, Prefetch::kT1, 4096},
          {2, Prefetch::kT1, 4096}, {4, Prefetch::kT0, 2048}, {4, Prefetch::kT0, 4096},
          {4, Prefetch::kT1, 2048}, {4, Prefetch::kT1, 4096}, {8, Prefetch::kT1, 4096}};
}

std::string Describe(const ReadKernel& kernel, const ReadVariant& variant) {
  std::string text = fmt::format("{}, {} stream{} a core, ", kernel.name, variant.streams,
                                 variant.streams == 1 ? "" : "s");
  if (variant.prefetch == Prefetch::kNone) return text + "no prefetch";
  return text + fmt::format("T{} prefetch {} bytes ahead",
                            variant.prefetch == Prefetch::kT0 ? 0 : 1, variant.distance);
}

ProbeRate Summarize(std::vector<double>& rates, std::string unit) {
  std::sort(rates.begin(), rates.end());
  ProbeRate rate;
  rate.best = rates.back();
  rate.median = rates[rates.size() / 2];
  rate.samples = static_cast<int>(rates.size());
  rate.unit = std::move(unit);
  return rate;
}

// Variants of one probe, run in turns; those that are clearly slower drop out after the first
// turns.
template <typename Item>
struct Race {
  struct Entry {
    Item item;
    double best = 0;
    std::vector<double> rates;  // of this call
  };
  std::vector<Entry> entries;

  void KeepFastest(size_t most, double fraction) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.best > b.best; });
    size_t count = 0;
    while (count < std::min(most, entries.size()) &&
           entries[count].best >= fraction * entries[0].best) {
      ++count;
    }
    entries.resize(count);
  }
  // sample(entry) -> rate, in turns until the budget is over; returns the fastest entry.
  template <typename Sample>
  Entry& Run(double budget_ms, const Sample& sample) {
    for (Entry& entry : entries) entry.rates.clear();
    const auto start = Clock::now();
    do {
      for (Entry& entry : entries) {
        entry.rates.push_back(sample(entry.item));
        entry.best = std::max(entry.best, entry.rates.back());
      }
    } while (Milliseconds(Clock::now() - start) < budget_ms);
    const auto best_now = [](const Entry& entry) {
      return *std::max_element(entry.rates.begin(), entry.rates.end());
    };
    return *std::max_element(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
      return best_now(a) < best_now(b);
    });
  }
};

// Runs work(worker) on every worker and times it from before the first begins to when the last has
// ended: a clock that one worker reads behind a barrier misses what the others did before that
// worker was scheduled again, and a roof comes out too high. Returns milliseconds.
template <typename Work>
double TimeOnPool(ThreadPool& pool, const Work& work) {
  Clock::time_point start, end;
  pool.Run([&](const Worker& worker) {
    worker.BarrierThen([&] { start = Clock::now(); });
    work(worker);
    worker.BarrierThen([&] { end = Clock::now(); });
  });
  return std::max(Milliseconds(end - start), 1e-6);
}

// Fills the operands of the three types, one after the other in the order of PeakKind.
void FillOperands(std::byte* operands) {
  float* fp32 = reinterpret_cast<float*>(operands);
  uint16_t* bf16 = reinterpret_cast<uint16_t*>(operands + kPeakOperandBytes);
  int8_t* int8 = reinterpret_cast<int8_t*>(operands + 2 * kPeakOperandBytes);
  uint64_t random = 1;
  for (size_t i = 0; i < kPeakOperandBytes; ++i) {
    // The sum of eight random bytes: mean 1020, deviation 209.
    const uint64_t bytes = NextRandom(random);
    int sum = 0;
    for (int k = 0; k < 64; k += 8) sum += static_cast<int>((bytes >> k) & 0xFF);
    const float value = static_cast<float>(sum - 1020) / 209.0f;
    const uint32_t bits = std::bit_cast<uint32_t>(value) ^ static_cast<uint32_t>(bytes & 0xFFFF);
    if (i < kPeakOperandBytes / 4) fp32[i] = std::bit_cast<float>(bits);
    if (i < kPeakOperandBytes / 2) bf16[i] = static_cast<uint16_t>(bits >> 16);
    int8[i] = static_cast<int8_t>(std::clamp(value * 40.0f, -127.0f, 127.0f));
  }
  constexpr size_t kBBytes = kPeakMinusB - kPeakB;
  for (size_t i = 0; i < kBBytes / 4; ++i) fp32[kPeakMinusB / 4 + i] = -fp32[kPeakB / 4 + i];
  for (size_t i = 0; i < kBBytes / 2; ++i) {
    bf16[kPeakMinusB / 2 + i] = bf16[kPeakB / 2 + i] ^ 0x8000;
  }
  for (size_t i = 0; i < kBBytes; ++i) {
    int8[kPeakMinusB + i] = static_cast<int8_t>(-int8[kPeakB + i]);
  }
}

}  // namespace

struct RoofProbe::State {
  struct Peak {
    const PeakKernel* kernel = nullptr;
    int64_t rounds = 0;  // of one sample
  };

  CpuFeatures features;
  AlignedBuffer operands;
  std::array<Race<Peak>, kPeakKinds> peaks;  // empty until first asked for

  AlignedBuffer read_buffer;
  bool filled = false;
  size_t next_slice = 0;
  const ReadKernel* read_kernel = nullptr;
  std::map<int, Race<ReadVariant>> reads;  // by the number of threads

  std::atomic<uint64_t> sink{0};  // where results go, so that they are computed

  Status Prepare(uint64_t read_bytes);
  void FillReadBuffer(ThreadPool& pool);
  double TimePeak(ThreadPool& pool, const PeakKernel& kernel, int64_t rounds);
  double PeakSample(ThreadPool& pool, const Peak& peak);
  int64_t FindRounds(ThreadPool& pool, const PeakKernel& kernel);
  Race<Peak> FindPeaks(ThreadPool& pool, PeakKind kind);
  ProbeRate MeasurePeak(ThreadPool& pool, PeakKind kind, double budget_ms);
  double ReadSample(ThreadPool& pool, int threads, const ReadVariant& variant);
  Race<ReadVariant> FindReads(ThreadPool& pool, int threads);
};

Status RoofProbe::State::Prepare(uint64_t read_bytes) {
  FATHOM_ASSIGN(operands, AlignedBuffer::Allocate(kPeakKinds * kPeakOperandBytes));
  FillOperands(operands.data());
  FATHOM_ASSIGN(read_buffer, AlignedBuffer::Allocate(read_bytes));
  for (const auto kernels : {BaselineReadKernels(), Avx2ReadKernels(), Avx512ReadKernels()}) {
    for (const ReadKernel& kernel : kernels) {
      if (features.HasAll(kernel.needs)) read_kernel = &kernel;  // the widest that is allowed
    }
  }
  return Status::Ok();
}

void RoofProbe::State::FillReadBuffer(ThreadPool& pool) {
  // Written by the workers that will read it: each page then lies near its reader.
  pool.Run([&](const Worker& worker) {
    const Range part = Split(read_buffer.size() / 8, worker, kReadGrain);
    uint64_t random = part.begin;
    uint64_t* words = read_buffer.as<uint64_t>();
    for (size_t i = part.begin; i < part.end; ++i) words[i] = NextRandom(random);
  });
  filled = true;
}

// Milliseconds.
double RoofProbe::State::TimePeak(ThreadPool& pool, const PeakKernel& kernel, int64_t rounds) {
  // A kernel that widens takes the operands of the type that it computes in.
  const bool as_fp32 = kernel.kind == PeakKind::kBf16 && kernel.name.ends_with("widened bf16");
  const size_t type = as_fp32 ? 0 : static_cast<size_t>(kernel.kind);
  const std::byte* data = operands.data() + type * kPeakOperandBytes;
  return TimeOnPool(pool, [&](const Worker&) {
    const float result = kernel.run(data, rounds);
    sink.fetch_xor(std::bit_cast<uint32_t>(result), std::memory_order_relaxed);
  });
}

// Tera-operations a second of all workers together.
double RoofProbe::State::PeakSample(ThreadPool& pool, const Peak& peak) {
  const double ms = TimePeak(pool, *peak.kernel, peak.rounds);
  return peak.kernel->ops_per_round * static_cast<double>(peak.rounds) * pool.count() / (ms * 1e9);
}

int64_t RoofProbe::State::FindRounds(ThreadPool& pool, const PeakKernel& kernel) {
  for (int64_t rounds = 64;; rounds *= 4) {
    const double ms = TimePeak(pool, kernel, rounds);
    if (ms < kPeakSampleMs / 4 && rounds < int64_t{1} << 40) continue;
    return std::max<int64_t>(
        1, static_cast<int64_t>(static_cast<double>(rounds) * kPeakSampleMs / ms));
  }
}

Race<RoofProbe::State::Peak> RoofProbe::State::FindPeaks(ThreadPool& pool, PeakKind kind) {
  Race<Peak> race;
  for (const auto kernels : {BaselinePeakKernels(), Avx2PeakKernels(), Avx512PeakKernels(),
                             AmxPeakKernels(), NeonPeakKernels()}) {
    for (const PeakKernel& kernel : kernels) {
      if (kernel.kind != kind || !features.HasAll(kernel.needs)) continue;
      race.entries.push_back({{&kernel, FindRounds(pool, kernel)}});
    }
  }
  if (race.entries.empty()) return race;  // an architecture without kernels
  for (int turn = 0; turn < 3; ++turn) {
    race.Run(0, [&](const Peak& peak) { return PeakSample(pool, peak); });
  }
  race.KeepFastest(race.entries.size(), 0.6);
  return race;
}

ProbeRate RoofProbe::State::MeasurePeak(ThreadPool& pool, PeakKind kind, double budget_ms) {
  Race<Peak>& race = peaks[static_cast<size_t>(kind)];
  if (race.entries.empty()) race = FindPeaks(pool, kind);
  if (race.entries.empty()) return {};
  auto& fastest = race.Run(budget_ms, [&](const Peak& peak) { return PeakSample(pool, peak); });
  return Summarize(fastest.rates, std::string(fastest.item.kernel->name));
}

// GB/s.
double RoofProbe::State::ReadSample(ThreadPool& pool, int threads, const ReadVariant& variant) {
  const size_t bytes = read_buffer.size() / kSlices;
  const std::byte* slice = read_buffer.data() + next_slice * bytes;
  next_slice = (next_slice + 1) % kSlices;
  const double ms = TimeOnPool(pool, [&](const Worker& worker) {
    if (worker.index >= threads) return;
    const Range part = Split(bytes, Worker{worker.index, threads}, kReadGrain);
    const uint64_t sum = read_kernel->run(slice + part.begin, part.size(), variant);
    sink.fetch_xor(sum, std::memory_order_relaxed);
  });
  return static_cast<double>(bytes) / (ms * 1e-3) / 1e9;
}

Race<ReadVariant> RoofProbe::State::FindReads(ThreadPool& pool, int threads) {
  Race<ReadVariant> race;
  for (const ReadVariant& variant : ReadVariants()) race.entries.push_back({variant});
  // Twice over all, so that a pause of the machine does not decide.
  for (int turn = 0; turn < 2; ++turn) {
    race.Run(0, [&](const ReadVariant& variant) { return ReadSample(pool, threads, variant); });
  }
  race.KeepFastest(3, 0);
  return race;
}

RoofProbe::RoofProbe(std::unique_ptr<State> state) : state_(std::move(state)) {}
RoofProbe::RoofProbe(RoofProbe&&) noexcept = default;
RoofProbe& RoofProbe::operator=(RoofProbe&&) noexcept = default;
RoofProbe::~RoofProbe() = default;

Result<RoofProbe> RoofProbe::Create(const RoofProbeOptions& options, NoticeSink& notices) {
  const CpuFeatures missing = options.features.Without(HostCpuFeatures());
  if (!missing.empty()) {
    return Status::Usage("machine", fmt::format("this CPU lacks {}", missing.ToString()),
                         "roofs are measured on the machine itself");
  }
  uint64_t bytes = options.read_bytes;
  if (options.usable_bytes > 0) bytes = std::min(bytes, options.usable_bytes / 4);
  bytes = std::max(bytes / kReadUnit * kReadUnit, kReadUnit);
  if (bytes < options.read_bytes) {
    notices.Warn(
        fmt::format("the read stream is measured over {} MiB instead of {} MiB, because only "
                    "{} MiB of memory are usable: caches may make it look faster",
                    bytes >> 20, options.read_bytes >> 20, options.usable_bytes >> 20));
  }
  auto state = std::make_unique<State>();
  state->features = options.features;
  FATHOM_TRY(state->Prepare(bytes));
  return RoofProbe(std::move(state));
}

ProbeRate RoofProbe::ReadStream(ThreadPool& pool, double budget_ms, int threads) {
  State& state = *state_;
  threads = threads <= 0 ? pool.count() : std::min(threads, pool.count());
  if (!state.filled) state.FillReadBuffer(pool);
  Race<ReadVariant>& race = state.reads[threads];
  if (race.entries.empty()) race = state.FindReads(pool, threads);
  auto& fastest = race.Run(budget_ms, [&](const ReadVariant& variant) {
    return state.ReadSample(pool, threads, variant);
  });
  return Summarize(fastest.rates, Describe(*state.read_kernel, fastest.item));
}

ProbeRate RoofProbe::Fp32Peak(ThreadPool& pool, double budget_ms) {
  return state_->MeasurePeak(pool, PeakKind::kFp32, budget_ms);
}
ProbeRate RoofProbe::Bf16Peak(ThreadPool& pool, double budget_ms) {
  return state_->MeasurePeak(pool, PeakKind::kBf16, budget_ms);
}
ProbeRate RoofProbe::Int8Peak(ThreadPool& pool, double budget_ms) {
  return state_->MeasurePeak(pool, PeakKind::kInt8, budget_ms);
}

uint64_t RoofProbe::read_bytes() const { return state_->read_buffer.size(); }

Result<Roofs> MeasureRoofs(ThreadPool& pool, const Machine& machine, Isa isa, NoticeSink& notices,
                           double budget_ms) {
  FATHOM_ASSIGN(const CpuFeatures features, FeaturesAllowed(machine.cpu.features, isa));
  FATHOM_ASSIGN(RoofProbe probe,
                RoofProbe::Create(
                    {.features = features, .usable_bytes = machine.memory.usable_bytes}, notices));
  Roofs roofs;
  roofs.isa = IsaName(isa);
  roofs.threads = pool.count();
  roofs.read_stream_bytes = probe.read_bytes();
  std::vector<int> counts;
  for (int threads = 1; threads < pool.count(); threads *= 2) counts.push_back(threads);
  counts.push_back(pool.count());
  // In turns, so that a slow moment of the machine does not fall on one roof alone.
  constexpr int kTurns = 3;
  const double share_ms = budget_ms / kTurns / static_cast<double>(counts.size() + 3);
  const auto keep = [](const ProbeRate& rate, double& best, std::string& unit) {
    if (rate.best <= best) return;
    best = rate.best;
    unit = rate.unit;
  };
  std::vector<double> rates(counts.size());
  for (int turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < counts.size(); ++i) {
      const ProbeRate rate = probe.ReadStream(pool, share_ms, counts[i]);
      rates[i] = std::max(rates[i], rate.best);
      keep(rate, roofs.read_stream_gb_per_s, roofs.read_stream_variant);
    }
    keep(probe.Fp32Peak(pool, share_ms), roofs.fp32_peak_tflops, roofs.fp32_unit);
    keep(probe.Bf16Peak(pool, share_ms), roofs.bf16_peak_tflops, roofs.bf16_unit);
    keep(probe.Int8Peak(pool, share_ms), roofs.int8_peak_tops, roofs.int8_unit);
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    roofs.read_stream_by_threads.emplace_back(counts[i], rates[i]);
  }
  return roofs;
}

}  // namespace fathom
