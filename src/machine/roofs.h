// The measured roofs of the CPU: what no code on it can exceed, to judge real work against.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/thread_pool.h"
#include "fathom/machine.h"

namespace fathom {

// The samples of one probe.
struct ProbeRate {
  double best = 0;
  double median = 0;
  int samples = 0;
  // The code that ran: "amx tdpbf16ps", "512-bit loads, 4 streams a core, no prefetch".
  std::string unit;
};

struct RoofProbeOptions {
  CpuFeatures features;       // the code may use these, and the host must have them
  uint64_t usable_bytes = 0;  // of memory; 0: plenty. The read buffer takes at most a quarter
  uint64_t read_bytes = uint64_t{1} << 30;
};

// Probes with their buffers and settings kept between calls, so that a benchmark can run them in
// turns with the work that it measures: machines change their speed from minute to minute.
//
// Each call runs samples until `budget_ms` is over, one at least, in turns of the two or three
// fastest variants, and returns the samples of the one that was fastest. The first call of a kind
// also finds those variants, over and above its budget. Use one pool for all calls.
class RoofProbe {
 public:
  // kUsage where the host lacks a feature; kRunTime where there is no memory. A read buffer smaller
  // than asked for is told to `notices`.
  static Result<RoofProbe> Create(const RoofProbeOptions& options, NoticeSink& notices);
  RoofProbe(RoofProbe&&) noexcept;
  RoofProbe& operator=(RoofProbe&&) noexcept;
  ~RoofProbe();

  // GB/s (1e9 bytes) by the first `threads` workers (0: all). A sample reads a quarter of the
  // buffer, the next one the next quarter.
  ProbeRate ReadStream(ThreadPool& pool, double budget_ms, int threads = 0);
  // TFLOP/s and TOP/s (1e12) of all workers; a multiply-add counts as 2.
  ProbeRate Fp32Peak(ThreadPool& pool, double budget_ms);
  ProbeRate Bf16Peak(ThreadPool& pool, double budget_ms);
  ProbeRate Int8Peak(ThreadPool& pool, double budget_ms);

  uint64_t read_bytes() const;

 private:
  struct State;
  explicit RoofProbe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// All roofs of `machine`, which must be the host, with its features limited to `isa`. kUsage where
// it lacks the level. Takes about `budget_ms` plus half a second to fill 1 GiB.
Result<Roofs> MeasureRoofs(ThreadPool& pool, const Machine& machine, Isa isa, NoticeSink& notices,
                           double budget_ms = 2500);

}  // namespace fathom
