// `fathom measure`: each row of the table switched alone, timed against its other arm.
//
//   leave_one_out   all rows as `run` would have them here; one is switched
//   one_alone       all rows off (fp32, eager, one operation at a time, fixed kernels, plain
//                   tokenizer, read-and-copy load), but for use_cache and for what is returned
//                   beside the ids; one is switched on
//
// An entry compares two arms in pairs: both loaded anew, where loading is cheap beside the budget
// (then where their memory happened to lie is part of the scatter and not of the difference), and
// run in turn, A B or B A as a draw says. The ratio of a pair is one sample; the median of all and
// its interval come from statistics.h, widened by what two identical arms (A/A) differed by in the
// same run. verdict.h says what follows.
//
// Which arms there are and what they set is the rows' own word (optimizations/optimization.h).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "measure/arm_runner.h"
#include "measure/measurement.h"
#include "measure/peak_memory.h"
#include "optimizations/optimization.h"

namespace fathom {

struct MeasureOptions {
  bool leave_one_out = true;
  bool one_alone = true;
  std::vector<std::string> rows;  // ids; empty: all
  bool quick = false;
  double seconds = 0;  // the whole measurement at most, about; 0: quick 56, else 900
  uint64_t seed = 0;
  std::string text;  // for accuracy, the prompt and the tokenizer
};

struct MeasureProgress {
  int done = 0, total = 0;  // entries
  std::string_view id;
  std::string_view arm;
  int rounds = 0;
};

// The world outside; all but `open` may be empty.
struct MeasureHooks {
  ArmFactory open;
  std::function<Result<PeakMemory>(const EngineOptions&, const PeakWork&)> peak;
  // GB/s of the read stream with the baseline's threads and instruction sets; 0: not known.
  std::function<double()> read_stream;
  std::function<void(const MeasureProgress&)> on_progress;
  std::function<bool()> stop;  // Ctrl-C: what there is comes back, marked as interrupted
};

// The options of the plain arm of one_alone, which is also the fp32 eager arm of every accuracy:
// `options` with every row off that `rows` has, but for use_cache, output_attentions and
// output_hidden_states.
EngineOptions PlainOptions(const Machine& machine, const ModelFacts& facts,
                           const EngineOptions& options, std::string_view device,
                           std::span<const Optimization* const> rows);

// The ids that prompts are cut from: those of the text, and where they are fewer than 512 (no
// tokenizer, a short text) any ids below vocab_size behind them.
std::vector<int32_t> PromptSource(std::vector<int32_t> ids_of_text, int64_t vocab_size);

// `options` as the user asked for them; `rows` AllOptimizations(), or a test's. kUsage: a row that
// is not among `rows`. The status of the baseline where that cannot be loaded or run; what fails in
// one arm alone is that row's verdict.
Result<Measurement> Measure(const Machine& machine, const ModelFacts& facts,
                            const EngineOptions& options, std::span<const Optimization* const> rows,
                            const MeasureOptions& measure, const MeasureHooks& hooks);

}  // namespace fathom
