// Tuner: times the kernels and settings that can run a shape, once, and remembers the fastest (row
// cudnn_benchmark). Its off-arm is heuristics.cc.
//
// Candidates of a shape compute the same to within float32 rounding; the first one is the fixed
// choice and stays unless another one is clearly faster. Timing is bounded for a shape and in
// total; what it no longer reaches keeps the fixed choice. Results are kept in a file a machine,
// build and number of threads; a file that is corrupt or another machine's is not used, told, and
// replaced.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>

#include "backends/backend.h"

namespace fathom {

struct TuningCandidate {
  std::string name;           // "linear_f32_panel16_gemm_avx2 1 all": unique within the shape
  std::function<void()> run;  // once; what it needs is ready
};

struct TunerOptions {
  std::string folder;   // empty: nothing is kept
  std::string machine;  // what the timings hold for: CPU, instruction sets, threads
  std::string build;    // what the candidates are made of
  double shape_ms = 6;
  double total_ms = 3000;
};

class Tuner {
 public:
  explicit Tuner(TunerOptions options);

  // Which of `candidates` (at least one) runs the shape.
  size_t Choose(const std::string& shape, std::span<const TuningCandidate> candidates);
  // Writes what is new. A folder that cannot be written is fine.
  void Save();

  TuningSummary summary() const;     // of the shapes asked for by this process
  TuningSummary remembered() const;  // of all that is kept
  std::string path() const;  // of the file; empty: none

 private:
  struct Entry {
    std::string choice;
    double microseconds = 0;        // of the choice
    double fixed_microseconds = 0;  // of the fixed choice
    double spent_ms = 0;
    std::string date;
  };
  void Load();
  Entry Time(std::span<const TuningCandidate> candidates) const;

  TunerOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by shape
  std::map<std::string, bool> used_;      // shapes asked for: changed by tuning?
  int timed_ = 0;
  int skipped_ = 0;
  double spent_ms_ = 0;  // by this process
  bool dirty_ = false;
  std::string notice_;
};

}  // namespace fathom
