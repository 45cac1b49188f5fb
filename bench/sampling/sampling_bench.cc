// Choosing a token, one core, against one pass over the logits that finds their maximum, in turns
// in the same process:
//   sampling_bench [--isa LEVEL] [--vocab N] [--rounds N] [--only TEXT]   (cases that begin with
//   it)
//
// Rows of logits: normal (sigma 3, what random weights give), peaked (some 40 tokens far above
// the rest, what a language model gives), flat (sigma 1: top_p keeps most of the row) and rounded
// (normal ones in bfloat16, full of ties). Eight rows in turn, so that a row is not where the last
// call left it. A figure is the median over the rounds, then the mean; the ratio is the median of
// (case / max pass before it).
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "sampling/sampler.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
using Rows = std::vector<std::vector<float>>;

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
float MaxPass(const float* x, size_t n) {
  constexpr size_t kLanes = 128;
  float best[kLanes];
  std::copy(x, x + kLanes, best);
  for (size_t i = 0; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      best[lane] = x[i + lane] > best[lane] ? x[i + lane] : best[lane];
    }
  }
  return *std::max_element(best, best + kLanes);
}

constexpr const char* kKinds[] = {"normal", "peaked", "flat", "rounded"};

Rows MakeRows(size_t vocab, const std::string& kind) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, kind == "flat" ? 1.0f : 3.0f);
  Rows rows(8, std::vector<float>(vocab));
  for (auto& row : rows) {
    for (float& x : row) x = normal(random);
    for (int i = 0; kind == "peaked" && i < 40; ++i) {
      row[random() % vocab] = 25 - 0.3f * static_cast<float>(i);
    }
    for (float& x : row) {
      if (kind == "rounded") x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xFFFF0000u);
    }
  }
  return rows;
}

struct Case {
  std::string name;
  SamplingParams params;
  SamplingArm arm = SamplingArm::kPartial;
};

std::vector<Case> Cases() {
  std::vector<Case> cases(1);
  cases[0].name = "greedy";
  const auto add = [&](const char* name, auto set, SamplingArm arm = SamplingArm::kPartial) {
    SamplingParams params;
    params.do_sample = true;
    params.top_k = 0;
    set(params);
    cases.push_back({name, params, arm});
  };
  const auto chain = [](SamplingParams& p) {
    p.temperature = 0.8, p.top_k = 50, p.top_p = 0.95, p.min_p = 0.05;
  };
  const auto top_p = [](SamplingParams& p) { p.top_p = 0.9; };
  add("temperature, top_k 50, top_p .95, min_p .05", chain);
  add("the same and repetition_penalty, 500 ids", [&](SamplingParams& p) {
    chain(p);
    p.repetition_penalty = 1.1;
  });
  add("top_k 50", [](SamplingParams& p) { p.top_k = 50; });
  add("top_k 1000", [](SamplingParams& p) { p.top_k = 1000; });
  add("top_p .9", top_p);
  add("top_p .9, temperature .8", [](SamplingParams& p) { p.top_p = 0.9, p.temperature = 0.8; });
  add("min_p .05", [](SamplingParams& p) { p.min_p = 0.05; });
  add("typical_p .9", [](SamplingParams& p) { p.typical_p = 0.9; });
  add("epsilon_cutoff 3e-4", [](SamplingParams& p) { p.epsilon_cutoff = 3e-4; });
  add("eta_cutoff 1e-3", [](SamplingParams& p) { p.eta_cutoff = 1e-3; });
  add("no processor", [](SamplingParams&) {});
  add("full sort: chain", chain, SamplingArm::kFullSort);
  add("full sort: top_p .9", top_p, SamplingArm::kFullSort);
  return cases;
}

double MicrosecondsOf(const std::function<void()>& run) {
  const auto begin = Clock::now();
  run();
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void Measure(const Case& test, Rows& rows, const RowKernels& kernels, int rounds) {
  const auto processors = ActiveProcessors(test.params);
  ScoreRow row(kernels);
  TokenDistribution distribution;
  std::vector<int32_t> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(i * 37 % static_cast<int>(rows[0].size()));
  const RowContext context{test.params, ids, 100};
  std::vector<double> times, ratios;
  int64_t sum = 0;
  float best = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<float>& logits = rows[static_cast<size_t>(round) % rows.size()];
    std::vector<float>& other = rows[static_cast<size_t>(round + 4) % rows.size()];
    const double pass = MicrosecondsOf([&] { best += MaxPass(other.data(), other.size()); });
    const double time = MicrosecondsOf([&] {
      row.Borrow(logits);
      if (!CheckFinite(row).ok() || !ProcessRow(processors, context, test.arm, row).ok()) {
        std::abort();
      }
      sum += test.params.do_sample ? DrawToken(row, UniformDraw(7, 0, round), distribution)
                                   : Argmax(row);
      row.Release();
    });
    times.push_back(time);
    ratios.push_back(time / pass);
  }
  const double mean = std::accumulate(times.begin(), times.end(), 0.0) / rounds;
  fmt::print("  {:<46} {:9.1f} us {:9.1f} us {:8.2f}x    ({})\n", test.name, Median(times), mean,
             Median(ratios), (sum + static_cast<int64_t>(best)) % 10);
}

int Run(int argc, char** argv) {
  CpuFeatures features = HostCpuFeatures();
  std::vector<size_t> vocabularies = {131072, 262144};
  int rounds = 401;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--isa") {
      const Result<Isa> isa = ParseIsa(argv[i + 1]);
      if (!isa.ok()) return 2;
      features = features & FeaturesOfLevel(*isa);
    } else if (option == "--vocab") {
      vocabularies = {static_cast<size_t>(std::atoll(argv[i + 1]))};
    } else if (option == "--rounds") {
      rounds = std::atoi(argv[i + 1]);
    } else if (option == "--only") {
      only = argv[i + 1];
    }
  }
  const RowKernels& kernels = RowKernelsFor(features);
  for (const size_t vocab : vocabularies) {
    for (const std::string kind : kKinds) {
      Rows rows = MakeRows(vocab, kind);
      std::vector<double> passes;
      float best = 0;
      for (int i = 0; i < rounds; ++i) {
        const auto& row = rows[static_cast<size_t>(i) % rows.size()];
        passes.push_back(MicrosecondsOf([&] { best += MaxPass(row.data(), row.size()); }));
      }
      fmt::print("{} entries, {} logits, {}; max pass {:.1f} us\n", vocab, kind, kernels.isa,
                 Median(passes));
      for (const Case& test : Cases()) {
        if (!test.name.starts_with(only)) continue;
        const bool slow = test.arm == SamplingArm::kFullSort;
        Measure(test, rows, kernels, slow ? std::min(rounds, 21) : rounds);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) { return fathom::Run(argc, argv); }
