// The kernel lab: every kernel against its own roof, in turns in the same process.
//
// A family (one file each, listed in kernels_bench.cc) makes tasks; the lab runs a task and the
// probe of its roof alternately and keeps the medians of their ratios. What a task works on is
// random and, where the roof is the read stream, larger than the caches.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/thread_pool.h"
#include "fathom/machine.h"
#include "machine/roofs.h"

namespace fathom {

enum class LabRoof : uint8_t { kReadStream, kFp32Peak, kBf16Peak, kInt8Peak };

struct LabOptions {
  std::string family, isa, op, kernel, shape;  // parts of names; empty: all
  std::vector<int64_t> rows;                   // empty: each family's own
  std::vector<int> threads;                    // empty: all cores
  int rounds = 9;
  double stream_bytes = 4e8;  // that one pass of a memory-bound task reads
  std::string json;           // a file to write
};

struct LabTask {
  std::string family, kernel, shape;
  int64_t rows = 0;
  LabRoof roof = LabRoof::kReadStream;
  double work = 0;  // bytes (kReadStream) or operations of one run
  int tuning = 0;
  std::function<void(const Worker&)> run;  // on all workers; ends in a barrier of its own
};

class Lab {
 public:
  static Result<Lab> Create(LabOptions options);

  const LabOptions& options() const { return options_; }
  // Does the name of a kernel fit --isa, --op and --kernel, and the CPU its features?
  bool Wants(std::string_view op, std::string_view kernel, CpuFeatures features) const;
  bool WantsShape(std::string_view shape) const;
  std::vector<int64_t> RowsOr(std::vector<int64_t> otherwise) const;
  int max_threads() const;

  // Measures with each number of threads and prints the rows.
  void Measure(const LabTask& task);
  Status WriteJson() const;

 private:
  struct Row {
    LabTask task;
    int threads = 1;
    double rate = 0, roof = 0;            // GB/s or T/s, medians
    double ratio = 0, low = 0, high = 0;  // median, least, most
    std::string probe;                    // how the roof was reached
  };

  Lab(LabOptions options, RoofProbe probe, Machine machine);
  ProbeRate Probe(LabRoof roof, ThreadPool& pool);
  Row MeasureOn(const LabTask& task, ThreadPool& pool);

  LabOptions options_;
  RoofProbe probe_;
  Machine machine_;
  std::vector<std::unique_ptr<ThreadPool>> pools_;
  std::vector<Row> rows_;
};

// The families, each in the file of its name.
void RunLinearGemv(Lab& lab);
void RunLinearGemm(Lab& lab);

}  // namespace fathom
